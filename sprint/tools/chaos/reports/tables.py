"""What a result says, as tables that the console and the page both show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sprint.core.chaos.beside import Beside
from sprint.core.chaos.facts import Facts
from sprint.core.chaos.result import Result
from sprint.core.chaos.stream_check import StreamVerdict
from sprint.tools.chaos.reports.figures import NOTHING, seconds_text
from sprint.tools.chaos.reports.short_names import short_names

ROWS_MAX = 60
# Of a part of the score: all that there is of one that doesn't go by each breaker.
RESTS_ON_SHOWN_MAX = 6

MET, NOT_MET = "met", "NOT MET"


class Table(NamedTuple):
    """A title, column names and rows; `note` stands under the title. `verbatim`: names stand in full."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    verbatim: bool = False


def tables_of(result: Result) -> list[Table]:
    """Return the tables that have rows, in the order to read them in."""
    tables = [
        _score(result),
        _advice(result),
        _control(result.beside),
        _faults(result),
        *(_of_facts(result.facts) if result.facts is not None else ()),
        _radius(result),
        _transitions(result),
        _probes(result),
        _left(result),
    ]
    short = short_names(result)
    return [_cut(_shortened(table, short)) for table in tables if table.rows]


def _shortened(table: Table, short: Callable[[str], str]) -> Table:
    if table.verbatim:
        return table
    return table._replace(rows=[[short(cell) for cell in row] for row in table.rows])


def title_text(result: Result) -> str:
    """Return what was tried: titles of named experiments begin with their name."""
    named = result.title.startswith(result.experiment)
    return result.title if named else f"{result.experiment}: {result.title}"


def headline(result: Result) -> tuple[str, bool]:
    """Return the verdict in words, and whether it is good."""
    words = {
        "met": "met: the relay stood it",
        "not_met": "NOT MET",
        "aborted": "ABORTED",
        "could_not_run": "COULD NOT RUN",
    }
    return f"{words[result.verdict]}: {result.reason}", result.verdict == "met"


def points_text(result: Result) -> str:
    """Return the score as `87 of 100`, or nothing where there is none or the run was aborted."""
    if result.score is None or result.score.points is None or result.verdict == "aborted":
        return NOTHING
    return f"{result.score.points:.0f} of 100"


def _probes(result: Result) -> Table:
    rows = [
        (
            each.phase,
            each.name,
            each.error or _gave(each.output),
            NOTHING if each.tolerated is None else MET if each.tolerated else NOT_MET,
        )
        for each in result.activities
    ]
    return Table("Probes and actions", ("when", "what", "gave", ""), rows)


def _gave(output: Any) -> str:
    """Return what a probe or an action gave, as a person says it; actions say it themselves."""
    if isinstance(output, bool):
        return "yes" if output else "no"
    if isinstance(output, dict) and isinstance(output.get("says"), str):
        return str(output["says"])
    return NOTHING if output is None else str(output)


def _faults(result: Result) -> Table:
    found = {each.fault: each for each in result.facts.faults} if result.facts is not None else {}
    gone = {each.fault: each for each in result.gone}
    rows = []
    for each in result.faults:
        seen, off = found.get(each.fault), gone.get(each.fault)
        lasted = None if each.removed_s is None else each.removed_s - each.injected_s
        rows.append(
            (
                each.kind,
                each.target,
                seconds_text(each.injected_s),
                seconds_text(lasted),
                NOTHING if seen is None else seconds_text(seen.seen_after_s),
                NOTHING if off is None else "gone" if off.gone else "STILL ON",
            )
        )
    note = "Gone: asked of what it was on, not of who took it off."
    return Table("Faults", ("kind", "target", "on at", "lasted", "seen after", "now"), rows, note)


def _radius(result: Result) -> Table:
    if result.predicted is None or result.observed is None:
        return Table("Blast radius", (), ())
    said, seen = result.predicted, result.observed
    pairs = (
        ("sources", said.sources, seen.sources),
        ("breakers", said.breakers, seen.breakers),
        ("chains with fewer sources", said.chains_weakened, seen.chains_weakened),
        ("chains without one", said.chains_cut, seen.chains_cut),
        ("tiers", said.tiers, seen.tiers),
    )
    # A chain that was said to lose its last source, and lost only some, was hit by less than was said.
    rows = [
        (name, _names(one), _names(other), _beside(one, other, covered=said.chains_cut))
        for name, one, other in pairs
    ]
    # As many names as there are subscribers: they have none of their own.
    counts = tuple(map(str, range(said.subscribers))), tuple(map(str, range(seen.subscribers)))
    rows.append(("subscribers", str(said.subscribers), str(seen.subscribers), _beside(*counts)))
    # Rows in which there is nothing on either side say nothing; where that is all, it is said.
    rows = [row for row in rows if row[1:3] not in {(NOTHING, NOTHING), ("0", "0")}] or rows[:1]
    limit = f" Allowed at most: {result.radius_allowed}." if result.radius_allowed else ""
    note = f"What a fault reaches need not show it, so less may be seen.{limit}"
    return Table("Blast radius", ("", "predicted", "observed", ""), rows, note)


def _names(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or NOTHING


def _beside(said: Sequence[str], seen: Sequence[str], *, covered: Sequence[str] = ()) -> str:
    """Tell whether what was seen is what was said, less of it, or more than that and what is `covered`."""
    if set(said) == set(seen):
        return "equal"
    return "less" if set(seen) <= {*said, *covered} else "MORE"


def _of_facts(facts: Facts) -> list[Table]:
    breakers = [
        (
            each.breaker,
            seconds_text(each.opened_after_s),
            NOTHING if each.due_within_s is None else f"within {seconds_text(each.due_within_s)}",
            each.evidence or each.withheld or each.why,
            seconds_text(each.closed_after_s),
        )
        for each in facts.breakers
    ]
    back, stream = facts.recovery, facts.stream
    rows = [
        ("steady state held again", seconds_text(back.steady_after_s), f"{back.sla_s:g} s allowed"),
        ("breakers closed", seconds_text(back.breakers_closed_after_s), ", ".join(back.not_closed)),
        ("blocks given", f"{stream.blocks:,}", f"reorgs: {stream.reorgs}, late: {stream.late}"),
        ("lost", str(stream.lost + stream.missing), _compared(stream)),
        (
            "twice, out of order",
            f"{stream.twice}, {stream.out_of_order}",
            f"{stream.passed_over} passed over",
        ),
    ]
    rows += [("finding", "", f"{each.chain}: {each.text}") for each in stream.findings[:5]]
    rows += [("note", "", each) for each in stream.notes]
    return [
        Table("Breakers of the targets", ("breaker", "opened after", "due", "why", "closed after"), breakers),
        Table("Recovery and stream", ("", "", ""), rows, "Recovery counts from the end of the last fault."),
    ]


def _compared(stream: StreamVerdict) -> str:
    """Say with what the stream was compared: of a user's relay no node is asked, only the order is seen."""
    if not stream.compared:
        return "not compared with a node's own blocks"
    return f"{stream.compared:,} compared with the node's own"


def _score(result: Result) -> Table:
    if result.score is None:
        return Table("Score", (), ())
    rows = [
        (
            part.name.replace("_", " "),
            NOTHING if part.value is None else f"{part.weight * part.value:.0f} of {part.weight:.0f}",
            _first_of(part.rests_on, RESTS_ON_SHOWN_MAX if part.value is not None else 1),
        )
        for part in result.score.parts
    ]
    note = "What does not apply to these faults is left out, and the others count for more."
    if result.verdict == "aborted":
        note = "The run did not come to its end: what was seen until then makes no score."
    return Table(f"Score: {points_text(result)}", ("part", "points", "rests on"), rows, note)


def _first_of(texts: Sequence[str], most: int) -> str:
    """Return the first of some texts: of what does not apply one reason is enough."""
    more = len(texts) - most
    return "; ".join(texts[:most]) + (f"; {more} more" if more > 0 else "")


def _advice(result: Result) -> Table:
    rows = [
        (each.setting, f"{each.now} -> {each.proposed}", f"{each.raises.replace('_', ' ')}: {each.evidence}")
        for each in result.advice
    ]
    return Table("Recommendations", ("setting", "change", "raises, as"), rows, verbatim=True)


def _control(beside: Beside | None) -> Table:
    """What a second relay showed for the same time, on which nothing was put."""
    if beside is None:
        return Table("Beside it", (), ())
    rows = [("in both", each) for each in beside.in_both]
    rows += [("differed", each) for each in beside.differed]
    return Table(
        f"Beside it: {beside.admin_url}",
        ("", ""),
        rows or [("in both", "nothing was amiss")],
        "Nothing was put on that relay. What shows in both is not the fault's alone.",
    )


def _transitions(result: Result) -> Table:
    rows = [
        (seconds_text(each.at_s), each.breaker, f"{each.before} -> {each.after}", each.evidence)
        for each in result.transitions
    ]
    return Table("Breakers", ("at", "breaker", "change", "evidence"), rows)


def _left(result: Result) -> Table:
    rows = [("left behind", each) for each in result.left_behind]
    rows += [(f"beyond the limit: {name}", f"{count:,}") for name, count in sorted(result.left_out.items())]
    rows += [("note", each) for each in result.notes]
    return Table("Notes", ("", ""), rows)


def _cut(table: Table) -> Table:
    more = len(table.rows) - ROWS_MAX
    if more <= 0:
        return table
    note = f"{table.note} {more:,} further rows are in the JSON alone.".strip()
    return table._replace(rows=table.rows[:ROWS_MAX], note=note)
