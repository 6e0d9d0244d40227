"""The timeline of a run as HTML: a bar for each lane, blocks as columns, faults around all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sprint.core.chaos.timeline import Delivered, Lane, Timeline
from sprint.core.report_page import marked_up
from sprint.tools.chaos.reports.figures import lane_name, seconds_text

_WIDTH = 1000.0
_HEIGHT = 18
_BLOCKS_HEIGHT = 40
_STYLE_OF_STATE = {
    "ok": "well", "ready": "well", "closed": "well", "force_close": "half", "degraded": "half",
    "half_open": "half", "connecting": "half", "syncing": "half", "waiting": "half", "open": "open",
    "force_open": "open", "failing": "open", "blocked": "open", "no answer": "open", "on": "fault",
}  # fmt: skip
_LEGEND = (
    ("well", "ready, closed, ok"),
    ("half", "half open, waiting, degraded"),
    ("open", "open, failing, no answer"),
    ("odd", "other"),
    ("fault", "a fault is on"),
    ("block", "blocks"),
)


class _Bar(NamedTuple):
    """A rectangle over a time. `title` is what a browser shows of it under the pointer."""

    from_s: float
    to_s: float
    style: str
    title: str = ""
    height: float = _HEIGHT


def timeline_html(timeline: Timeline, short: Callable[[str], str]) -> str:
    """Return the figure, names as `short` makes them; nothing where there is no time to show."""
    if timeline.to_s <= timeline.from_s:
        return ""
    legend = "".join(f'<span><i class="{style}"></i>{text}</span>' for style, text in _LEGEND)
    rows = [_lane(lane, timeline, short(lane_name(lane))) for lane in timeline.lanes]
    rows += [_blocks(each, timeline) for each in timeline.delivered]
    ends = f"<span>0 s</span><span>{seconds_text(timeline.to_s - timeline.from_s)}</span>"
    axis = f'<div class="lane dim"><span></span><div class="axis">{ends}</div></div>'
    left = ""
    if timeline.lanes_left_out:
        left = f'<p class="dim">{timeline.lanes_left_out:,} further lanes are not shown.</p>'
    return f"<figure><figcaption>Over time{legend}</figcaption>{''.join(rows)}{axis}{left}</figure>"


def _lane(lane: Lane, timeline: Timeline, name: str) -> str:
    bars = [
        _Bar(
            span.from_s,
            span.to_s,
            _STYLE_OF_STATE.get(span.state, "odd"),
            f"{span.state} {seconds_text(span.from_s)} to {seconds_text(span.to_s)}"
            + (f": {span.text}" if span.text else ""),
        )
        for span in lane.spans
    ]
    around = [] if lane.kind == "fault" else _faults(timeline, _HEIGHT)
    return _row(name, _drawn(timeline, [*bars, *around], _HEIGHT), "", _HEIGHT)


def _blocks(delivered: Delivered, timeline: Timeline) -> str:
    most = max(delivered.counts, default=0) or 1
    bars = []
    for place, count in enumerate(delivered.counts):
        begin_s = timeline.from_s + place * timeline.width_s
        end_s = min(begin_s + timeline.width_s, timeline.to_s)
        if count:
            title = f"{count} blocks from {seconds_text(begin_s)} on"
            bars.append(_Bar(begin_s, end_s, "block", title, _BLOCKS_HEIGHT * count / most))
    name = f"blocks of {delivered.chain}, {most} at most in {timeline.width_s:g} s"
    drawn = _drawn(timeline, [*bars, *_faults(timeline, _BLOCKS_HEIGHT)], _BLOCKS_HEIGHT)
    return _row(name, drawn, "bars", _BLOCKS_HEIGHT)


def _faults(timeline: Timeline, height: float) -> list[_Bar]:
    return [
        _Bar(span.from_s, span.to_s, "around", "", height)
        for lane in timeline.lanes
        if lane.kind == "fault"
        for span in lane.spans
    ]


def _drawn(timeline: Timeline, bars: Iterable[_Bar], height: float) -> str:
    scale = _WIDTH / (timeline.to_s - timeline.from_s)
    rects = []
    for bar in bars:
        x, width = (bar.from_s - timeline.from_s) * scale, max((bar.to_s - bar.from_s) * scale, 1.0)
        told = f"<title>{marked_up(bar.title)}</title>" if bar.title else ""
        place = f'x="{x:.1f}" y="{height - bar.height:g}" width="{width:.1f}" height="{bar.height:g}"'
        rects.append(f'<rect class="{bar.style}" {place}>{told}</rect>')
    return "".join(rects)


def _row(name: str, content: str, style: str, height: int) -> str:
    box = f'viewBox="0 0 {_WIDTH:g} {height}" preserveAspectRatio="none" role="img"'
    svg = f'<svg class="{style}" {box} aria-label="{marked_up(name)}">{content}</svg>'
    return f'<div class="lane"><span>{marked_up(name)}</span>{svg}</div>'
