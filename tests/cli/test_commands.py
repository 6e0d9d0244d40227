"""The command line as a person meets it: help, versions, and errors that say what would be right."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

import sprint
from sprint.cli.main import app
from tests.integration.relay_process import RelayProcess

TIMEOUT_S = 30


def run_here(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `sprint` in an empty folder, so that no config of the machine is found.

    It runs in this process, as starting Python anew each time takes half a second.
    """
    with contextlib.chdir(cwd), mock.patch.dict(os.environ, _environment(cwd) | environment, clear=True):
        done = CliRunner().invoke(app, arguments)
    # What ends otherwise than by an exit code is a traceback to a user.
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own: for what binds ports or starts programs, and for the start itself."""
    return subprocess.run(
        [sys.executable, "-m", "sprint.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=cwd,
        env=_environment(cwd) | environment,
    )


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(Path(sprint.__file__).parents[1]),
    }


def test_help_lists_only_what_is_built(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    listed = done.stdout.partition("Commands:")[2].split()
    assert done.returncode == 0
    assert [
        word
        for word in listed
        if word in {"relay", "cb-monitor", "cb-loadtest", "cb-chaos", "optimize", "migrate"}
    ] == ["cb-monitor", "cb-loadtest", "cb-chaos", "relay", "migrate", "optimize"]


def test_version_is_the_packages(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{sprint.__version__}\n")


WRONG = [
    (("relay", "--source", "bitcoin"), "want [NAME@]CHAIN[:NETWORK]=SCHEME://host:port"),
    (("relay", "--source", "bitcoin=gopher://127.0.0.1:8332"), "this version speaks p2p"),
    (
        ("relay", "--source", "monero=p2p://127.0.0.1:1"),
        "error: --source p2p:127.0.0.1:1: chain 'monero': there are bitcoin, dogecoin, litecoin",
    ),
    (("relay", "--source", "bitcoin:moon=p2p://127.0.0.1:1"), "there are main, testnet, testnet4, signet"),
    (("relay", "--source", "a@ltc=p2p://h:1", "--source", "a@btc=p2p://h:2"), "two sources are called 'a'"),
    (("relay", "--tier", "gold"), "there are free, developer, business, turbo, enterprise"),
    (("relay", "--port", "9000"), "--port needs --tier"),
    (("relay", "--port", "70000", "--tier", "free"), "less than or equal to 65535"),
    (("relay", "--chain", "monero"), "there are bitcoin-regtest, dogecoin-regtest, litecoin-regtest"),
    (("relay", "--config", "absent.toml"), "absent.toml"),
    (("relay", "--source", "btc=p2p://h:1", "--devnet-faults", "1"), "--devnet-faults needs the devnet"),
    (("relay", "--source", "b=p2p://h:1", "--devnet-interval-ms", "9"), "--devnet-interval-ms needs the"),
    (("relay", "--devnet-interval-ms", "9"), "--devnet-interval-ms 9: a block every 0.009 s; want 0"),
    (("relay", "check"), "no source: give --source"),
    (("relay", "--log-format", "xml"), "xml"),
    (("relay", "--config", "x.toml", "check"), "options of a subcommand stand after it"),
    (("relay", "--source", "btc=p2p://h:1", "check"), "sprint relay check --source"),
    (("relay", "-q", "tail"), "--quiet stands before `tail`"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda v: " ".join(v) if isinstance(v, tuple) else ""
)
def test_wrong_use_exits_with_2_and_says_what_would_be_right(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run_here(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_check_names_the_kernels_where_no_source_is_configured(tmp_path: Path) -> None:
    done = run("relay", "check", cwd=tmp_path, SPRINT_RELAY__KERNELS="reference")
    assert done.returncode == 2
    assert done.stderr.startswith("kernels: reference, plain Python and hashlib\nerror: no source")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
def test_no_listener_leaves_loopback(tmp_path: Path, host: str) -> None:
    done = run("relay", "--host", host, "--tier", "free", "--port", "0", cwd=tmp_path)
    assert done.returncode == 3
    assert "loopback" in done.stderr
    assert "127.0.0.1" in done.stderr


CONFIGS = [
    ("[relay]\ndata_dri = 'x'\n", "unknown key relay.data_dri; did you mean relay.data_dir?"),
    ("[relya]\n", "unknown key relya; did you mean relay?"),
    ("[relay]\ntiers = 'free'\n", "tiers"),
    ("[log]\nlevel = 'loud'\n", "loud"),
    ("[chains.litecoin]\nquorom = 2\n", "did you mean chains.litecoin.quorum?"),
    ("[chains.litecoin]\nsources = 1\n", "sources"),
    ("[chains.litecoin]\ncatch_up_blocks_max = -1\n", "catch_up_blocks_max"),
    ("[chains.litecoin]\ngap_after_s = 0\n", "gap_after_s"),
    ("[relay]\ntiers = []\n", "relay.tiers"),
    ("[relay]\ntiers = ['free', 'free']\n", "a tier stands there twice"),
    ("[chains.ltc]\nsources = ['p2p://127.0.0.1:1']\n", "want [[chains.ltc.sources]]"),
    ("[tiers.gold]\nport = 1\n", "tiers.gold: no such tier"),
    ("[tiers.free]\nprot = 1\n", "unknown key tiers.free.prot; did you mean tiers.free.port?"),
    ("[chains.bitconi]\n", "[chains.bitconi]: chain 'bitconi': there are bitcoin, dogecoin, litecoin"),
    (
        '[[chains."litecoin:regtest".sources]]\nurl = "p2p://127.0.0.1:1"\n',
        "chain 'litecoin:regtest': as an id it is litecoin-regtest",
    ),
    ("[chains.btc-moon]\n", "network 'moon' of bitcoin: there are main, testnet, testnet4, signet"),
    ("[chains.btc]\n[chains.bitcoin]\n", "[chains.btc] and [chains.bitcoin] are one chain"),
    ("[tiers.free]\nport = 'x'\n", "tiers"),
    ("chains = 3\n", "chains is not a table"),
    ("[relay\n", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_bad_config_names_the_file_the_key_and_the_reason(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "sprint.toml").write_text(text)
    done = run_here("relay", "--demo", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_variable_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    done = run("relay", cwd=tmp_path, SPRINT_RELAY__DATADIR="/x")
    assert done.returncode == 2
    assert "did you mean SPRINT_RELAY__DATA_DIR?" in done.stderr


def test_tail_without_a_relay_says_how_to_start_one(tmp_path: Path) -> None:
    done = run("relay", "tail", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_an_option_of_tail_that_cannot_be_was_told_as_a_relay_that_could_not_be_read(tmp_path: Path) -> None:
    with RelayProcess(tmp_path, "--demo", "--devnet-interval-ms", "0") as relay:
        for option, value in (("--from", "nonsense"), ("--chain", "moon"), ("--type", "quux")):
            done = run_here("relay", "tail", "--url", relay.url, option, value, cwd=tmp_path)
            assert done.returncode == 2
            assert value in done.stderr


def test_output_that_cannot_be_written_ends_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            f"{sys.executable} -m sprint.cli.main relay check --source ltc=p2p://127.0.0.1:1 >/dev/full",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(sprint.__file__).parents[1],
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_does_not_end_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m sprint.cli.main relay check --source ltc=p2p://127.0.0.1:1 >&-"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(sprint.__file__).parents[1],
    )
    assert done.returncode == 1, done.stderr
