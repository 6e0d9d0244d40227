"""The journal is read whatever it holds: what was written comes back, what wasn't is told by its line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize import journal
from sprint.core.optimize.setting import Entry, Process

WRITER = Process(7, 1234)
VALUES = st.one_of(
    st.text(max_size=20), st.integers(-(2**40), 2**40),
    st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=5).map(tuple),
)  # fmt: skip
ENTRIES = st.lists(
    st.builds(
        Entry, number=st.integers(0, 99), key=st.text(max_size=20), before=VALUES, wanted=VALUES,
        process=st.one_of(st.none(), st.builds(Process, st.integers(1, 9), st.integers(0, 9))),
    ),
    max_size=5,
)  # fmt: skip


def written(entries: list[Entry]) -> bytes:
    return journal.encode_header(WRITER, "boot") + b"".join(map(journal.encode_entry, entries))


@given(ENTRIES)
def test_what_was_written_is_what_is_read(entries: list[Entry]) -> None:
    found = journal.read_journal(written(entries))
    assert found.header == journal.Header(version=1, holder=WRITER, boot_id="boot")
    assert found.entries == tuple(entries)
    assert not found.torn
    assert found.unreadable == ()


@given(ENTRIES, st.data())
def test_torn_anywhere_all_whole_lines_are_read(entries: list[Entry], data: st.DataObject) -> None:
    content = written(entries)
    cut = content[: data.draw(st.integers(0, len(content)))]
    found = journal.read_journal(cut)
    whole = max(0, cut.count(b"\n") - 1)
    assert found.entries == tuple(entries[:whole])
    assert found.torn == (cut != b"" and not cut.endswith(b"\n"))
    assert found.unreadable == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    journal.read_journal(content)
    found = journal.read_journal(journal.encode_header(WRITER, "boot") + content)
    assert found.header is not None


def test_a_line_that_is_no_change_is_told_and_the_rest_is_read() -> None:
    entry = Entry(number=1, key="nice", process=WRITER, before=0, wanted=-5)
    extra = b'{"line":"change","entry":{"number":1},"and":2}\n'
    nested = b'{"line":"change","entry":' + b"[" * 10_000 + b"\n"
    content = written([]) + b"\x00\xff\n" + extra + nested + journal.encode_entry(entry)
    found = journal.read_journal(content)
    assert found.entries == (entry,)
    assert [said.partition(":")[0] for said in found.unreadable] == ["line 2", "line 3", "line 4"]


def test_another_versions_journal_is_not_read() -> None:
    content = written([]).replace(b'"version":1', b'"version":2')
    found = journal.read_journal(content)
    assert found.header is None
    assert "version 2; this program writes and reads version 1" in found.unreadable[0]


def test_limits_of_a_line_of_lines_and_of_bytes() -> None:
    line = b'{"line":"change"' + b" " * journal.LINE_BYTES_MAX + b"}\n"
    assert "bytes; at most 65536" in journal.read_journal(written([]) + line).unreadable[0]
    many = journal.read_journal(written([]) + b"\n" * journal.LINES_MAX)
    assert many.unreadable == ("more than 20000 lines",)
    assert journal.read_journal(b"\n" * (journal.BYTES_MAX + 1)).header is None
