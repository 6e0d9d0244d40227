"""One breaker in full: sentences, what its window holds, what its algorithms see, figures over time,
transitions, and the policy that it goes by.

What the board has is shown at once; explanation and policy are asked of the relay and follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from textual.content import Content

from sprint.core.monitor.board import Key
from sprint.core.monitor.evidence import algorithm_lines, health_parts
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow
from sprint.core.monitor.sparkline import bar, sparkline
from sprint.core.monitor.table import figure
from sprint.core.monitor.words import (
    STATE_WORDS,
    Tone,
    age,
    clock_time,
    sentences,
    shown_state,
    state_text,
    tone_of,
    unix_s,
)
from sprint.tools.monitor.tui.looks import ASCII_SHAPES, UNICODE_SHAPES, styled

LABEL_WIDTH = 12
TRANSITIONS_SHOWN = 12
POINTS_SHOWN = 720
NUMBERS_WIDTH = 16

Part = str | tuple[str, str]


class Known(NamedTuple):
    """All that is known of a breaker. `detail` is the relay's answer, `trouble` why there is none."""

    key: Key
    row: BreakerRow
    points: Sequence[MetricsPoint] = ()
    transitions: Sequence[TransitionRow] = ()
    detail: Mapping[str, Any] | None = None
    trouble: str = ""


# The parts of a breaker in full, from top to bottom.
SECTIONS = ("sentences", "window", "algorithms", "over-time", "transitions", "policy")


def sections_due(known: Known, before: Known | None) -> tuple[str, ...]:
    """Return the parts that may say something else than before; the time alone changes the sentences."""
    if before is None or known.key != before.key:
        return SECTIONS
    row = known.row is not before.row
    points, transitions = known.points is not before.points, known.transitions != before.transitions
    answer = known.detail is not before.detail or known.trouble != before.trouble
    due = (True, row or points or answer, answer, points, transitions, answer)
    return tuple(name for name, is_due in zip(SECTIONS, due, strict=True) if is_due)


def section_content(name: str, known: Known, now_unix_s: float, width: int, *, ascii_only: bool) -> Content:
    """Return a part of a breaker in full, drawn in so many letters."""
    match name:
        case "sentences":
            parts = _sentences(known, now_unix_s, ascii_only=ascii_only)
        case "window":
            parts = _window(known, width, ascii_only=ascii_only)
        case "algorithms":
            parts = _algorithms(known)
        case "over-time":
            parts = _over_time(known, width, ascii_only=ascii_only)
        case "transitions":
            parts = _transitions(known, ascii_only=ascii_only)
        case _:
            parts = _policy(known)
    return Content.assemble(*parts).rstrip("\n")


def _title(text: str) -> tuple[str, str]:
    return f"\n{text}\n", styled("notice", "bold")


def _label(text: str, tone: Tone = "faint") -> tuple[str, str]:
    return f"{text:<{LABEL_WIDTH}} ", styled(tone)


def _sentences(known: Known, now_unix_s: float, *, ascii_only: bool) -> list[Part]:
    row = known.row
    told = sentences(row, now_unix_s, known.transitions)
    evidence = row.evidence
    parts: list[Part] = [
        (f"{row.name}\n", "bold"),
        (shown_state(row, ascii_only=ascii_only), styled(tone_of(row), "bold")),
        f"  {told.since}\n",
        (f"relay {known.key.relay}, policy {row.policy}, {row.transitions} transitions\n", styled("faint")),
        ("why  ", styled("faint")), f"{told.why}\n",
    ]  # fmt: skip
    if told.first:
        parts.append(f"     {told.first}\n")
    if evidence.limit:
        measured = f"{evidence.detector}: {evidence.measured:.4g}, limit {evidence.limit:.4g}"
        calls = f", over {evidence.calls} calls" if evidence.calls else ""
        parts.append((f"     {measured}{calls}\n", styled("faint")))
    return [*parts, ("next ", styled("faint")), f"{told.next}\n"]


def _window(known: Known, width: int, *, ascii_only: bool) -> list[Part]:
    row = known.row
    room = max(8, width - LABEL_WIDTH - 1 - NUMBERS_WIDTH)
    whole = max(1, row.calls, row.rejected)
    slow = round(row.slow_rate * row.calls)
    parts: list[Part] = [_title("Window")]
    counted: tuple[tuple[str, int, Tone], ...] = (
        ("succeeded", row.calls - row.failures, "good"),
        ("failed", row.failures, "bad"),
        ("slow", slow, "trying"),
        ("rejected", row.rejected, "held"),
    )
    for name, count, tone in counted:
        drawn = bar(count / whole, room, ascii_only=ascii_only)
        share = f"{count / row.calls:.0%}" if row.calls and name != "rejected" else ""
        parts += [_label(name), (drawn, styled(tone)), f" {count:>7,} {share:>5}\n"]
    return [*parts, *_latencies(known, room, ascii_only=ascii_only)]


def _latencies(known: Known, room: int, *, ascii_only: bool) -> list[Part]:
    newest = known.points[-1] if known.points else None
    if newest is None or newest.latency_ms_p99 is None:
        return [_label("latency"), f"mean {figure(known.row.latency_ms_mean)} ms\n"]
    slow_s = (known.detail or {}).get("explanation", {}).get("slow_over_s")
    slow_ms = slow_s * 1000 if isinstance(slow_s, int | float) else None
    percentiles = (
        ("p50", newest.latency_ms_p50),
        ("mean", newest.latency_ms_mean),
        ("p95", newest.latency_ms_p95),
        ("p99", newest.latency_ms_p99),
    )
    longest = max((value for _, value in percentiles if value is not None), default=0.0) or 1.0
    parts: list[Part] = []
    for name, value in percentiles:
        over = slow_ms is not None and value is not None and value > slow_ms
        drawn = bar((value or 0.0) / longest, room, ascii_only=ascii_only)
        slow = " slow" if over else ""
        tone: Tone = "trying" if over else "notice"
        parts += [_label(f"latency {name}"), (drawn, styled(tone)), f" {figure(value):>7} ms{slow}\n"]
    return parts


def _algorithms(known: Known) -> list[Part]:
    parts: list[Part] = [_title("Algorithms: what each sees, and its limit")]
    if known.detail is None:
        said = known.trouble or "asking the relay ..."
        return [*parts, (f"{said}\n", styled("bad" if known.trouble else "faint"))]
    for line in algorithm_lines(known.detail):
        mark = "! " if line.reached else "  "
        now_style = styled("bad", "bold") if line.reached else styled("plain")
        parts += [(mark, styled("bad", "bold")), (f"{line.name:<11} ", styled("faint"))]
        parts += [(f"{line.now:<22} ", now_style), (f"{line.limit}\n", styled("faint"))]
    for name, score, said in health_parts(known.detail):
        parts += [(f"    {name:<15} ", styled("faint")), f"{score:.2f}", (f"  {said}\n", styled("faint"))]
    if known.trouble:
        parts.append((f"{known.trouble}; what is above was said before\n", styled("bad")))
    return parts


def _over_time(known: Known, width: int, *, ascii_only: bool) -> list[Part]:
    points = known.points
    if not points:
        return [_title("Over time"), ("no figures yet: they come each 5 s\n", styled("faint"))]
    room = max(8, width - LABEL_WIDTH - 1 - NUMBERS_WIDTH)
    shown = points[max(0, len(points) - room) :]
    first, last = unix_s(shown[0].at), unix_s(shown[-1].at)
    span = f"the last {age(last - first)}" if first is not None and last is not None else "over time"
    parts: list[Part] = [_title(f"Over time ({span})")]
    series: tuple[tuple[str, list[float | None], float | None, str], ...] = (
        ("failures", [point.failure_rate * 100 for point in shown], 100.0, "%"),
        ("calls/s", [point.calls_per_s for point in shown], None, ""),
        ("p95", [point.latency_ms_p95 for point in shown], None, " ms"),
        ("health", [point.health for point in shown], 1.0, ""),
    )
    for name, values, greatest, unit in series:
        drawn = sparkline(values, room, greatest=greatest, ascii_only=ascii_only)
        newest = values[-1]
        said = "-" if newest is None else (f"{newest:.2f}" if name == "health" else f"{figure(newest)}{unit}")
        parts += [_label(name), (drawn, styled("notice")), f" {said}\n"]
    return [*parts, _label("state"), *_timeline(shown, room), "\n"]


def _timeline(points: Sequence[MetricsPoint], room: int) -> list[Part]:
    """Return a letter for each point: o open, h half open, F forced, and a dot where it was closed."""
    letters = {"closed": ".", "open": "O", "half_open": "h", "force_open": "F", "force_close": "f"}
    parts: list[Part] = [" " * max(0, room - len(points))]
    parts += [(letters[point.state], styled(STATE_WORDS[point.state].tone)) for point in points]
    return parts


def _transitions(known: Known, *, ascii_only: bool) -> list[Part]:
    parts: list[Part] = [_title("Transitions, newest first")]
    newest = list(known.transitions)[-TRANSITIONS_SHOWN:]
    if not newest:
        return [*parts, ("none was seen\n", styled("faint"))]
    for row in reversed(newest):
        parts += transition_parts(row, ascii_only=ascii_only)
    return parts


def transition_parts(row: TransitionRow, *, ascii_only: bool, indent: str = "  ") -> list[Part]:
    """Return a transition as a line: when, from what to what, and, behind `indent`, what for."""
    arrow = (ASCII_SHAPES if ascii_only else UNICODE_SHAPES).arrow
    shadow = " (in shadow)" if row.shadow else ""
    return [
        (f"{clock_time(row.at)} ", styled("faint")),
        f"{STATE_WORDS[row.from_state].word} {arrow} ",
        (state_text(row.to_state, ascii_only=ascii_only), styled(STATE_WORDS[row.to_state].tone, "bold")),
        f"{shadow}{indent}{row.evidence.text}\n",
    ]


def _policy(known: Known) -> list[Part]:
    config = (known.detail or {}).get("config")
    if not isinstance(config, Mapping):
        return []
    laid = (known.detail or {}).get("laid_over")
    fields = laid.get("fields") if isinstance(laid, Mapping) else None
    parts: list[Part] = [_title(f"Policy {config.get('name', '')}")]
    if fields:
        parts.append((f"laid over by an operator: {fields}\n", styled("trying")))
    for name, value in config.items():
        if isinstance(value, Mapping):
            if value.get("enabled") is False:
                said = "off"
            else:
                said = ", ".join(f"{each} {_said(what)}" for each, what in value.items() if each != "enabled")
            parts += [(f"{name:<20} ", styled("faint")), f"{said}\n"]
        elif name != "name":
            parts += [(f"{name:<20} ", styled("faint")), f"{_said(value)}\n"]
    return parts


def _said(value: object) -> str:
    if value is None:
        return "none"
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
