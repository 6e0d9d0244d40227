"""Files are read within limits, unpacked, and judged; one that cannot be read says why and stops no other."""

from __future__ import annotations

import bz2
import io
import os
import sys
from pathlib import Path

import pytest

from sprint.core.chains import bitcoin
from sprint.core.errors import ConfigError
from sprint.tools.relay import verify
from sprint.tools.relay.verify import Verified, verify_files
from tests.vectors import bitcoin_family as vectors

BLOCKS = vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
FRAMED = b"".join(bitcoin.MAIN.magic + len(raw).to_bytes(4, "little") + raw for raw in BLOCKS[:20])


def verified(*files: Path | str) -> Verified:
    return verify_files("bitcoin", None, [Path(file) for file in files])


def reason(found: Verified) -> str:
    (unreadable,) = found.unreadable
    return unreadable.reason


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_blocks_of_several_files_stand_on_one_another(tmp_path: Path) -> None:
    files = [written(tmp_path, f"{n}.hex", BLOCKS[n].hex().encode()) for n in (2, 0, 1)]
    found = verified(*files)
    assert [report.height for report in found.reports] == [3, 1, 2]
    assert not found.unreadable


@pytest.mark.parametrize(
    "packed",
    [bz2.compress(FRAMED), bz2.compress(FRAMED[:1000]) + bz2.compress(FRAMED[1000:])],
    ids=["one stream", "two streams"],
)
def test_a_packed_file_is_unpacked(tmp_path: Path, packed: bytes) -> None:
    found = verified(written(tmp_path, "f.bz2", packed))
    assert [report.height for report in found.reports] == list(range(1, 21))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bz2.compress(FRAMED)[:-5], "cut off"),
        (bz2.compress(FRAMED)[:20], "cut off"),
        (bz2.compress(FRAMED)[:200] + bytes(200), "cannot be read"),
        (bz2.compress(FRAMED) + b"more", "cannot be read"),
        (bz2.compress(b"")[:12], "cut off"),
        (bz2.compress(b""), "it is empty"),
        (b"BZhello there", "neither hex nor JSON"),
    ],
)
def test_a_broken_packed_file_says_so(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in reason(verified(written(tmp_path, "f.bz2", data)))


def test_a_small_file_that_unpacks_to_a_huge_one_is_stopped_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "FILE_SIZE_MAX", 1 << 20)
    bomb = written(tmp_path, "f.bz2", bz2.compress(bytes(64 << 20)))
    assert bomb.stat().st_size < 1_000
    assert "more than 1048576 bytes, the limit" in reason(verified(bomb))


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "f", BLOCKS[0])
    monkeypatch.setattr(verify, "FILE_SIZE_MAX", len(BLOCKS[0]))
    assert len(verified(file).reports) == 1
    monkeypatch.setattr(verify, "FILE_SIZE_MAX", len(BLOCKS[0]) - 1)
    assert f"more than {len(BLOCKS[0]) - 1} bytes" in reason(verified(file))


def test_all_files_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [written(tmp_path, str(n), BLOCKS[n]) for n in range(3)]
    monkeypatch.setattr(verify, "TOTAL_SIZE_MAX", len(BLOCKS[0]) + len(BLOCKS[1]))
    found = verified(*files)
    assert [report.height for report in found.reports] == [1, 2]
    assert "more than 0 bytes" in reason(found)


def test_all_blocks_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "BLOCKS_MAX", 20)
    assert not verified(written(tmp_path, "f", FRAMED)).unreadable
    found = verified(written(tmp_path, "g", FRAMED), written(tmp_path, "h", BLOCKS[30]))
    assert len(found.reports) == 20
    assert "more than 20 blocks" in reason(found)


def test_what_cannot_be_opened_says_why_and_stops_no_other(tmp_path: Path) -> None:
    found = verified(tmp_path / "absent", tmp_path, written(tmp_path, "f", BLOCKS[0]))
    assert [report.height for report in found.reports] == [1]
    said = [(each.file, each.reason) for each in found.unreadable]
    assert said == [
        (str(tmp_path / "absent"), "it cannot be read: No such file or directory"),
        (str(tmp_path), "it cannot be read: Is a directory"),
    ]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BLOCKS[0])))
    (report,) = verified("-").reports
    assert (report.file, report.height) == ("-", 1)


def test_a_pipe_is_read_to_its_end() -> None:
    reader, writer = os.pipe()
    os.write(writer, FRAMED)
    os.close(writer)
    try:
        assert len(verified(f"/dev/fd/{reader}").reports) == 20
    finally:
        os.close(reader)


def test_standard_input_that_is_closed_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert reason(verified("-")) == "it cannot be read: standard input is closed"


def test_a_network_named_twice_must_be_one_and_the_same(tmp_path: Path) -> None:
    file = written(tmp_path, "f", BLOCKS[0])
    (report,) = verify_files("btc-MAIN", "main", [file]).reports
    assert report.passed
    with pytest.raises(ConfigError, match="'bitcoin-regtest' names its network already: leave out 'main'"):
        verify_files("bitcoin-regtest", "main", [file])


@pytest.mark.parametrize("name", ["bitcoin", "btc", "BTC", "bitcoin-main"])
def test_a_chain_is_found_by_name_alias_and_id(tmp_path: Path, name: str) -> None:
    found = verify_files(name, None, [written(tmp_path, "f", BLOCKS[0])])
    assert [report.passed for report in found.reports] == [True]


@pytest.mark.parametrize(
    ("name", "network"), [("monero", None), ("bitcoin", "nonet"), ("bitcoin-nonet", None)]
)
def test_an_unknown_chain_or_network_says_which_there_are(name: str, network: str | None) -> None:
    with pytest.raises(ConfigError, match="there are"):
        verify_files(name, network, [])


def test_a_block_of_another_chain_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "f", vectors.json_block("litecoin/mainnet_900000.json"))
    (report,) = verified(file).reports
    assert report.reason.startswith("proof_of_work: ")
