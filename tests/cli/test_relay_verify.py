"""`sprint relay verify` as a person or a script meets it: lines, JSON, exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_commands import run_here
from tests.vectors import bitcoin_family as vectors
from tests.vectors.fixture_table import HERE

ANSWER = str(HERE / "bitcoin/mainnet_951658.json")
CHAIN = str(HERE / "bitcoin/mainnet_blocks_1_256.bz2")
REAL = vectors.json_block("bitcoin/mainnet_951658.json")
REFERENCE = Path(__file__).parents[2] / "docs/reference/commands.md"


@pytest.fixture
def refused(tmp_path: Path) -> str:
    """A file with a block one bit of which is turned."""
    path = tmp_path / "false.hex"
    path.write_text((REAL[:-1] + bytes((REAL[-1] ^ 1,))).hex())
    return str(path)


def test_a_block_is_shown_with_each_check_and_its_verdict(tmp_path: Path) -> None:
    done = run_here("relay", "verify", "bitcoin", ANSWER, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"00000000000000000001cbe4b4add61d60d9a470e0958f1b4024f202db9ca628  {ANSWER}"
    assert "  height       951658, from a checkpoint" in lines
    assert "  body         374 transactions, 99628 bytes" in lines
    assert "  not checked  parent: its parent is not among the blocks given" in lines
    assert "  verdict      passed, level full" in lines
    (ok,) = [line for line in lines if line.startswith("  ok ")]
    assert {"target", "proof_of_work", "merkle_root", "weight"} <= set(ok.replace(",", "").split())


def test_a_refused_block_exits_with_1_and_names_the_check(tmp_path: Path, refused: str) -> None:
    done = run_here("relay", "verify", "bitcoin", ANSWER, refused, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "  refused      merkle_root: transactions give " in done.stdout
    assert "  verdict      refused, level full" in done.stdout
    assert done.stdout.endswith("2 blocks, 1 refused\n")


def test_quiet_prints_refused_blocks_and_nothing_else(tmp_path: Path, refused: str) -> None:
    assert run_here("relay", "verify", "bitcoin", "-q", CHAIN, cwd=tmp_path).stdout == ""
    done = run_here("relay", "verify", "bitcoin", "--quiet", ANSWER, refused, cwd=tmp_path)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{refused}: 00000000000000000001cbe4")
    assert "refused: merkle_root: " in line


def test_json_has_the_documented_fields(tmp_path: Path, refused: str) -> None:
    done = run_here("relay", "verify", "bitcoin", "--json", ANSWER, refused, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    reports = json.loads(done.stdout)
    assert [report["passed"] for report in reports] == [True, False]
    section = REFERENCE.read_text().partition("## What `sprint relay verify --json` prints")[2]
    section = section.partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"\w+", row)}
    for report in reports:
        assert set(report) == documented
        for check in report["checks"]:
            assert set(check) == (
                {"name", "outcome"} if check["outcome"] == "ok" else {"name", "outcome", "why"}
            )


def test_a_file_without_a_block_exits_with_3_and_says_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    done = run_here("relay", "verify", "bitcoin", "note.txt", ANSWER, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        "error: note.txt: text that is neither hex nor JSON: want a block in hex, headers in hex one a line, "
        "or JSON as a node answers getblock\n"
    )
    assert "verdict      passed" in done.stdout


def test_a_refused_block_outweighs_a_file_without_one(tmp_path: Path, refused: str) -> None:
    done = run_here("relay", "verify", "bitcoin", "absent", refused, cwd=tmp_path)
    assert done.returncode == 1
    assert "error: absent: it cannot be read: No such file or directory" in done.stderr


def test_a_broken_frame_is_named_by_its_byte(tmp_path: Path) -> None:
    data = bytes.fromhex("f9beb4d9") + (80).to_bytes(4, "little") + REAL[:80] + bytes.fromhex("f9beb4d9ff")
    (tmp_path / "blk.dat").write_bytes(data + bytes(99))
    done = run_here("relay", "verify", "bitcoin", "blk.dat", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: blk.dat at byte 88: a block of 255 bytes: want 80 to ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bitcoin",), "Missing argument 'FILE...'"),
        (("monero", "x"), "there are bitcoin, dogecoin, litecoin"),
        (("bitcoin", "--network", "nonet", "x"), "network 'nonet' of bitcoin: there are main"),
    ],
)
def test_wrong_use_exits_with_2(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run_here("relay", "verify", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_a_block_of_another_network_passes_with_a_doubt(tmp_path: Path) -> None:
    done = run_here("relay", "verify", "bitcoin-testnet4", ANSWER, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  doubtful     its hash or its parent's is a known one of bitcoin" in done.stdout.splitlines()
    assert "doubtful" not in run_here("relay", "verify", "bitcoin", ANSWER, cwd=tmp_path).stdout
