"""Events as a person reads them: block lines fit 80 columns, and hashes are told apart by their ends."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sprint.cli.lines import line_of, typed_command
from sprint.core.model import BlockData, BlockEvent, CheckSlip, HeaderData, HeaderEvent

HASH = "0" * 19 + "1cbe4b4add61d60d9a470e0958f1b4024f202db9ca628"
BLOCK = BlockData(
    hash=HASH,
    height=951_658,
    parent="00" * 32,
    timestamp="2026-09-05T18:55:07Z",
    tx_count=3_315,
    size=1_234_567,
    validation="full",
    source="core-1",
    sources_seen=3,
    agreed_by=3,
    relay_time_ms=12.345,
    proof=CheckSlip(("target",), ("core-1",)),
    native={},
)


def block_line(**changes: object) -> str:
    data = msgspec.structs.replace(BLOCK, **changes)
    return line_of(BlockEvent(chain="litecoin-regtest", seq=104_233, cursor="x", data=data))


def test_a_large_block_of_a_main_network_fits_80_columns_and_shows_the_end_of_its_hash() -> None:
    line = block_line()
    assert len(line) <= 80
    assert f" …{HASH[-8:]} " in line
    assert " 1.2 MB " in line


@pytest.mark.parametrize(
    ("size", "shown"), [(235, "235 B"), (999, "999 B"), (1_000, "1 kB"), (99_628, "100 kB")]
)
def test_a_size_is_short(size: int, shown: str) -> None:
    assert f" {shown} " in block_line(size=size)


def test_a_block_of_another_level_or_a_late_one_says_so() -> None:
    assert block_line(validation="header", late=True).endswith("ms header only late")


def test_a_header_line_fits_too() -> None:
    data = HeaderData(HASH, 951_658, "00" * 32, "2026-09-05T18:55:07Z", "core-1", 0.5, {})
    assert len(line_of(HeaderEvent(chain="litecoin-regtest", seq=104_233, cursor="x", data=data))) <= 80


def test_in_a_clone_the_relay_named_a_command_that_was_on_nobodys_path(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "sprint"
    assert typed_command(program, tmp_path) == "sprint", "an environment that is no clone's"
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "sprint").touch()
    assert typed_command(program, tmp_path) == "scripts/sprint"
    assert typed_command(program, Path("/")) == f"{tmp_path}/scripts/sprint"
    assert typed_command(Path("/usr/bin/sprint"), tmp_path) == "sprint"
