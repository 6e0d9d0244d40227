"""The forms of a result: all made of one record, harmless whatever a relay says, readable at 80 columns."""

from __future__ import annotations

from html.parser import HTMLParser

import msgspec
import pytest
from chaoslib.run import initialize_run_journal
from rich.console import Console

from sprint.core.chaos.result import Result, decode_result
from sprint.core.chaos.timeline import Lane, Span, Timeline
from sprint.core.errors import ConfigError
from sprint.tools.chaos.reports import FORMATS, file_of
from sprint.tools.chaos.reports.console import SIGNS, lane_text, print_result, text_of
from sprint.tools.chaos.reports.short_names import short_names
from sprint.tools.chaos.reports.tables import ROWS_MAX, tables_of
from tests.core.chaos.results import result
from tests.core.chaos.run_stories import PREDICTED, Story, dependencies

WORST = Story(
    closes_s=None, steady_s=None, false_opens=2, bystanders_lost=2, blocks_lost=1, subscriber_losses=2
)
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


class Tags(HTMLParser):
    """What a page is made of: tags that must be closed, and attributes that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.loading: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loading += [(name, value) for name, value in attrs if name in {"src", "href", "style", "action"}]
        self.loading += [(name, value) for name, value in attrs if name.startswith("on")]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    return tags


def hostile() -> Result:
    made = result()
    return msgspec.structs.replace(
        made,
        title=HOSTILE,
        reason=HOSTILE,
        notes=(HOSTILE,),
        transitions=tuple(msgspec.structs.replace(each, evidence=HOSTILE) for each in made.transitions),
        timeline=Timeline(to_s=5.0, lanes=(Lane("source", HOSTILE, (Span(0.0, 5.0, HOSTILE, HOSTILE),)),)),
    )


@pytest.mark.parametrize(
    "made", [result(), result(WORST), hostile(), result(timeline=Timeline(), facts=None)]
)
def test_the_page_is_whole_and_neither_runs_nor_loads_anything(made: Result) -> None:
    page = file_of("html", made).decode()
    tags = parsed(page)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe", "object", "form"} & tags.names
    assert tags.loading == []
    assert "default-src 'none'" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("made", [result(), result(WORST), hostile()])
def test_no_line_on_the_console_is_wider_than_the_console(made: Result, width: int) -> None:
    text = text_of(made, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_what_the_tool_itself_says_on_the_console_is_ascii() -> None:
    assert text_of(result(WORST)).isascii()
    assert text_of(result()).isascii()


def test_no_colour_is_given_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(width=80, force_terminal=True)
    with console.capture() as captured:
        print_result(result(WORST), console)
    # Bold is no colour: what stands are styles without 3x and 9x.
    assert not any(f"\x1b[{code}" in captured.get() for code in ("31", "32", "33", "1;31"))


@pytest.mark.parametrize(
    "words",
    [
        "88 of 100",
        "freeze",
        "litecoin-regtest (alice, bob",
        "1.00 s",
        "15.0 s",
        "backoff.longest_s",
        "30 -> 3.333",
    ],
)
def test_verdict_score_facts_and_advice_stand_on_the_page(words: str) -> None:
    made = result(Story(closes_s=55.0, false_opens=1, bystanders_lost=1))
    page = file_of("html", made).decode().replace("&gt;", ">")
    assert words in page


def test_a_bad_end_is_told_in_words_on_console_and_page() -> None:
    made = result(WORST)
    assert made.verdict == "not_met"
    for text in (text_of(made), file_of("html", made).decode()):
        assert "NOT MET" in text
        assert "did not come back" in text


def test_what_is_left_behind_is_told() -> None:
    text = text_of(result(left_behind=("toxic alice-7 at http://127.0.0.1:8474: connection refused",)))
    assert "left behind" in text
    assert "alice-7" in text


@pytest.mark.parametrize(
    ("sources", "word"), [(PREDICTED.sources, "equal"), ((), "less"), ((*PREDICTED.sources, "x:y"), "MORE")]
)
def test_a_blast_radius_is_told_beside_what_was_said_of_it(sources: tuple[str, ...], word: str) -> None:
    seen = msgspec.structs.replace(PREDICTED, sources=sources)
    (table,) = (each for each in tables_of(result(observed=seen)) if each.title == "Blast radius")
    assert next(row[-1] for row in table.rows if row[0] == "sources") == word


def test_a_chain_that_was_said_to_be_cut_and_was_only_weakened_was_told_as_more() -> None:
    said = msgspec.structs.replace(PREDICTED, chains_weakened=(), chains_cut=("litecoin-regtest",))
    seen = msgspec.structs.replace(said, chains_weakened=said.chains_cut, chains_cut=())
    (table,) = (
        each for each in tables_of(result(predicted=said, observed=seen)) if each.title == "Blast radius"
    )
    assert {row[0]: row[-1] for row in table.rows if row[0].startswith("chains")} == {
        "chains with fewer sources": "less",
        "chains without one": "less",
    }


def test_a_source_is_called_by_its_own_name_and_the_chain_is_named_once() -> None:
    for text in (text_of(result()), file_of("html", result()).decode()):
        assert "litecoin-regtest:alice" not in text
        assert "alice" in text
    assert text_of(result()).count("litecoin-regtest (alice") == 1


def test_a_name_that_two_chains_have_stays_in_full() -> None:
    known = dependencies()
    twin = msgspec.structs.replace(known.sources[0], chain="bitcoin-regtest")
    short = short_names(result(dependencies=msgspec.structs.replace(known, sources=(*known.sources, twin))))
    name = known.sources[0].name
    assert short(f"source:litecoin-regtest:{name}") == f"source:litecoin-regtest:{name}"


def test_a_longer_name_is_not_cut_short() -> None:
    short = short_names(result())
    assert short("source:litecoin-regtest:alice is open; litecoin-regtest:alice-2 is not") == (
        "alice is open; litecoin-regtest:alice-2 is not"
    )
    assert short("proxy litecoin-regtest.alice") == "proxy litecoin-regtest.alice"


def test_the_verdict_is_the_first_and_the_last_that_the_console_says() -> None:
    lines = text_of(result()).strip().splitlines()
    assert lines[:3] == lines[-3:]
    assert lines[0].startswith("upstream-stall, score ")
    assert lines[1].startswith("met: ")


def test_a_lane_shows_what_is_not_well_be_it_ever_so_short() -> None:
    lane = Lane("breaker", "b", (Span(0, 50, "closed"), Span(50, 50.1, "open"), Span(50.1, 100, "closed")))
    line = Timeline(from_s=0.0, to_s=100.0, lanes=(lane,))
    assert lane_text(lane, line, 10) == ".....O...."


def test_every_state_has_a_sign_of_one_letter() -> None:
    assert all(len(sign) == 1 and sign.isascii() for sign in SIGNS.values())


def test_of_a_long_table_the_rest_is_said_to_be_in_the_json() -> None:
    made = result()
    many = made.transitions * ROWS_MAX
    assert f"{len(many) - ROWS_MAX} further rows" in text_of(msgspec.structs.replace(made, transitions=many))


def test_the_json_is_the_record() -> None:
    assert decode_result(file_of("json", result())) == result()


def test_the_toolkits_journal_has_its_words() -> None:
    journal = msgspec.json.decode(file_of("chaostoolkit", result(WORST)))
    assert journal["status"] == "completed"
    assert journal["deviated"] is False
    assert [each["activity"]["name"] for each in journal["run"]] == ["freeze alice"]
    assert journal["steady_states"]["before"]["steady_state_met"] is True
    assert journal["start"] == "2026-11-22T01:02:03+00:00"
    assert journal["duration"] == 60.0
    assert set(journal) >= set(initialize_run_journal({}))


def test_the_toolkits_journal_has_the_experiment_and_its_activities_as_they_were_written() -> None:
    written = {
        "type": "action",
        "name": "freeze alice",
        "provider": {"type": "python", "module": "m", "func": "f"},
    }
    document = {"title": "Alice freezes", "method": [written], "rollbacks": []}
    made = msgspec.structs.replace(result(WORST), document=document)
    journal = msgspec.json.decode(file_of("chaostoolkit", made))
    assert journal["experiment"] == document
    assert [each["activity"] for each in journal["run"]] == [written]


@pytest.mark.parametrize("form", ["console", "pdf"])
def test_a_form_that_is_none_of_a_file_is_refused(form: str) -> None:
    with pytest.raises(ConfigError, match=", ".join(FORMATS)):
        file_of(form, result())


def test_a_stream_that_no_node_was_asked_beside_was_told_as_zero_compared() -> None:
    made = result()
    assert made.facts is not None
    told = []
    for compared in (0, 1_234):
        stream = msgspec.structs.replace(made.facts.stream, compared=compared)
        facts = msgspec.structs.replace(made.facts, stream=stream)
        tables = tables_of(msgspec.structs.replace(made, facts=facts))
        told += [row[2] for table in tables for row in table.rows if row[0] == "lost"]
    assert told == ["not compared with a node's own blocks", "1,234 compared with the node's own"]


def test_an_aborted_run_boasted_a_hundred_points() -> None:
    aborted = result(verdict="aborted", reason="interrupted")
    assert aborted.score is not None
    text = text_of(aborted)
    assert "of 100" not in text
    assert "makes no score" in text
    assert "of 100" not in file_of("html", aborted).decode()
    assert "of 100" in text_of(result())
