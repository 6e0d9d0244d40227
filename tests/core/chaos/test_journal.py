"""The journal: what may be on is told by every beginning of it, by a torn one too."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.faults import (
    TTL_S_MAX,
    BreakerOrder,
    DescriptorLimit,
    DevnetFault,
    Fault,
    Freeze,
    Hog,
    Kill,
    PacketLoss,
    SourceDetour,
    SourcePause,
    Toxic,
    names_of,
    ttl_checked,
    undo_of,
    urls_of,
)
from sprint.core.chaos.journal import (
    FAULTS_PER_RUN_MAX,
    LINE_LENGTH_MAX,
    Ended,
    Injected,
    Journal,
    Line,
    Planned,
    Run,
    Undone,
    encode_line,
    left_s,
    read_journal,
    whole_length,
)
from sprint.core.chaos.undo import EndProcess, ProcessName, RemoveFile, RemoveTable, RemoveToxic, StartProcess
from sprint.core.errors import ConfigError

TOOL = ProcessName(4711, 882211)
AGAIN = StartProcess(("/bin/true",), "/", "127.0.0.1:1")
FAULTS: tuple[Fault, ...] = (
    Toxic("http://127.0.0.1:1", "node", {"kind": "stall"}),
    BreakerOrder("http://127.0.0.1:1", "store", "force_open"),
    SourcePause("http://127.0.0.1:1", "litecoin-regtest", "alice"),
    SourceDetour("http://127.0.0.1:1", "litecoin-regtest", "alice", "alice-chaos", "p2p://127.0.0.1:2"),
    Freeze(TOOL),
    Kill(TOOL, AGAIN),
    Kill(TOOL),
    Hog("cpu", 1.0),
    Hog("disk", 1.0, "/srv"),
    DevnetFault("http://127.0.0.1:1", "litecoin-regtest", "stall"),
    PacketLoss(8080, 0.1),
    DescriptorLimit(TOOL, 16, 1024),
)


def planned(number: int, *, at: float = 0.0, ttl_s: float = 1.0) -> Planned:
    undo = (RemoveToxic("http://127.0.0.1:1", "node", f"chaos-{number}"),)
    return Planned(number, "latency", "node", "200 ms\n later", at, ttl_s, undo)


@st.composite
def stories(draw: st.DrawFn) -> list[Line]:
    """A run as its tool writes it: planned, then perhaps injected, then perhaps undone, interleaved."""
    lines: list[Line] = [Run("run", 0.0, TOOL)]
    steps = draw(st.lists(st.integers(1, 6), max_size=24))
    reached: dict[int, int] = {}
    for number in steps:
        step = reached.get(number, 0)
        reached[number] = step + 1
        made: tuple[Line, ...] = (planned(number), Injected(number, 1.0), Undone(number, 2.0, "tool"))
        lines += made[step : step + 1]
    return lines


@given(stories(), st.data())
def test_each_beginning_of_a_journal_tells_what_may_be_on(lines: list[Line], data: st.DataObject) -> None:
    content = b"".join(map(encode_line, lines))
    cut = data.draw(st.integers(0, len(content)))
    known = read_journal(content[:cut])
    written = lines[: content[:cut].count(b"\n")]
    may_be_on = {line.fault for line in written if isinstance(line, Planned)}
    may_be_on -= {line.fault for line in written if isinstance(line, Undone)}
    assert [each.fault for each in known.open()] == sorted(may_be_on, reverse=True)
    assert whole_length(content[:cut]) == len(b"".join(map(encode_line, written)))
    assert known.next_number() > max(known.planned, default=0)


@given(stories())
def test_a_journal_reads_back_as_it_was_written(lines: list[Line]) -> None:
    known = read_journal(b"".join(map(encode_line, [*lines, Ended(3.0)])))
    kept = Journal(lines)
    assert (known.run, known.planned, known.injected, known.undone) == (
        kept.run,
        kept.planned,
        kept.injected,
        kept.undone,
    )
    assert (known.ended, kept.ended) == (True, False)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_journal_fail_otherwise_than_by_its_own_error(content: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert len(read_journal(content).planned) <= content.count(b"planned")


def test_a_run_has_so_many_faults_and_no_more() -> None:
    known = Journal(planned(number) for number in range(FAULTS_PER_RUN_MAX))
    with pytest.raises(
        ConfigError, match=f"{FAULTS_PER_RUN_MAX} faults in a run, limit {FAULTS_PER_RUN_MAX}"
    ):
        known.add(planned(FAULTS_PER_RUN_MAX))


def test_a_line_that_could_not_be_read_again_is_not_written() -> None:
    room = LINE_LENGTH_MAX - len(encode_line(Undone(1, 0.0, "tool", "")))
    assert len(encode_line(Undone(1, 0.0, "tool", "x" * room))) == LINE_LENGTH_MAX
    with pytest.raises(ConfigError, match="65,537 bytes, limit 65,536"):
        encode_line(Undone(1, 0.0, "tool", "x" * (room + 1)))


@given(st.floats(0, 1e10), st.floats(0.1, TTL_S_MAX), st.floats(-1e6, 1e6))
def test_a_clock_that_is_set_never_lengthens_a_fault(at: float, ttl_s: float, later: float) -> None:
    assert 0.0 <= left_s(planned(1, at=at, ttl_s=ttl_s), at + later) <= ttl_s


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("nan"), float("inf"), TTL_S_MAX * 1.001])
def test_a_fault_without_an_end_is_refused(ttl_s: float) -> None:
    with pytest.raises(ConfigError, match="no fault stays"):
        ttl_checked(ttl_s)
    assert ttl_checked(TTL_S_MAX) == TTL_S_MAX


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_each_fault_has_an_undo_unless_it_ends_by_itself(fault: Fault) -> None:
    hog = ProcessName(5, 6) if isinstance(fault, Hog) else None
    undo = undo_of(fault, names_of("20261122T010203-7f3a", 3, fault, hog))
    ends_by_itself = fault == Kill(TOOL)
    assert bool(undo) is not ends_by_itself
    line = Planned(3, "kind", "target", "", 0.0, 1.0, undo)
    assert read_journal(encode_line(line)).planned[3].undo == undo
    told_to = {type(fault).__name__} & {"Toxic", "BreakerOrder", "SourcePause", "SourceDetour", "DevnetFault"}
    assert bool(urls_of(fault)) is bool(told_to)


def test_what_a_fault_makes_has_a_name_that_its_undo_knows_as_ours() -> None:
    disk = names_of("20261122T010203-7f3a", 3, FAULTS[8], ProcessName(5, 6))
    assert undo_of(FAULTS[8], disk) == (
        EndProcess(ProcessName(5, 6)),
        RemoveFile("/srv/sprint-chaos-20261122T010203-7f3a-3"),
    )
    table = names_of("20261122T010203-7f3a", 4, FAULTS[10])
    assert undo_of(FAULTS[10], table) == (RemoveTable("sprint_chaos_20261122T010203_7f3a_4"),)
