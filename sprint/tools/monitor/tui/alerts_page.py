"""The page of alerts: those that stand, those that are over, and silences, with a cursor to act on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sprint.core.monitor.words import Tone, clock_time
from sprint.tools import runtime
from sprint.tools.monitor.tui.detail import Part
from sprint.tools.monitor.tui.looks import LEVEL_TONES, styled

ALERTS_SHOWN = 300
# So often a desk is asked for all that lies on it.
LOOK_INTERVAL_S = 0.5
_ALERT, _SILENCE = "alert:", "silence:"


class AlertsPage(OptionList):
    """Lists a desk's alerts; keys act on the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # These ask a question, which takes what is typed next (see operating.py on priority).
        Binding("a", "act('acknowledge')", "Acknowledge", priority=True),
        Binding("z", "act('silence')", "Silence", priority=True),
        Binding("x", "act('end')", "End silence", priority=True),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def __init__(self, asks: Callable[[str, Mapping[str, Any]], Awaitable[None]]) -> None:
        """Take what is called where an operator wants something of an alert, or of a silence."""
        super().__init__(id="alerts")
        self._asks = asks
        self._known: dict[str, Mapping[str, Any]] = {}
        self._said: list[tuple[str | None, Content]] = []
        self._look_at = 0.0

    def look_next(self) -> None:
        """Have the next look at the desk not wait for its turn."""
        self._look_at = 0.0

    def tell(self, desk: Any) -> None:
        """Draw what lies on a desk, where it is other than before."""
        if runtime.clock() < self._look_at:
            return
        self._look_at = runtime.clock() + LOOK_INTERVAL_S
        view = {} if desk is None else desk.view()
        self._known, lines = {}, list[tuple[str | None, Content]]()
        for key, shown, content in _lines_of(view, told=desk is not None):
            if shown is not None and key is not None:
                self._known[key] = shown
            lines.append((key, content))
        same = len(lines) == len(self._said) and all(
            key == known and content.is_same(said)
            for (key, content), (known, said) in zip(lines, self._said, strict=True)
        )
        if same:
            return
        self._said = lines
        self._draw_lines(lines)

    async def action_act(self, what: str) -> None:
        """Ask for something to be done with what the cursor is on."""
        option = None if self.highlighted is None else self.get_option_at_index(self.highlighted)
        chosen = None if option is None or option.id is None else self._known.get(option.id)
        if option is None or chosen is None:
            return
        of_silence = str(option.id).startswith(_SILENCE)
        if of_silence == (what == "end"):
            await self._asks(what, chosen)

    def _draw_lines(self, lines: list[tuple[str | None, Content]]) -> None:
        at = self.highlighted
        before = None if at is None else self.get_option_at_index(at).id
        self.clear_options()
        self.add_options([Option(content, id=key, disabled=key is None) for key, content in lines])
        places = {key: place for place, (key, _) in enumerate(lines) if key is not None}
        if places:
            self.highlighted = places.get(before or "", min(places.values()))


def _lines_of(
    view: Mapping[str, Any], *, told: bool
) -> Iterator[tuple[str | None, Mapping[str, Any] | None, Content]]:
    """Yield lines: their key where one can be acted on, what they are of, and their text."""
    if not told:
        yield None, None, alerts_absent()
        return
    silences = list(_records(view.get("silences")))
    alerts = list(islice(_records(view.get("alerts")), ALERTS_SHOWN))
    if not alerts:
        yield None, None, Content("no alert stands")
    for number, alert in enumerate(alerts):
        key = f"{_ALERT}{alert.get('id', number)}{' over' if alert.get('resolved_at') else ''}:{number}"
        yield key, alert, alert_content(alert)
    if silences:
        yield None, None, Content.styled("silences", styled("faint"))
    for silence in silences:
        yield f"{_SILENCE}{silence.get('id', '?')}", silence, silence_content(silence)


def alerts_absent() -> Content:
    """Return what is said where no alerts are raised."""
    return Content.assemble(
        ("no alerts are raised here\n", "bold"), "start with --alerts to have rules look at every breaker"
    )


def alert_content(alert: Mapping[str, Any]) -> Content:
    """Return an alert as a line, and what became of it as a second; a field that it lacks is left out."""
    level, over = str(alert.get("level", "?")), alert.get("resolved_at") is not None
    tone: Tone = "faint" if over else LEVEL_TONES.get(level, "plain")
    breaker, text = str(alert.get("breaker", "")), str(alert.get("text", ""))
    of = f"{alert.get('relay', '')} {'' if breaker in text else breaker}".strip()
    parts: list[Part] = [
        (f"{clock_time(str(alert.get('at', '')))} ", styled("faint")),
        (f"{'over' if over else level.upper():<10}", styled(tone, "bold")),
        f"{of}  {text}",
    ]
    notes = list(_notes(alert, over=over))
    if notes:
        parts.append((f"\n{'':<19}{'; '.join(notes)}", styled("faint")))
    return Content.assemble(*parts)


def silence_content(silence: Mapping[str, Any]) -> Content:
    """Return a silence as a line."""
    of = "/".join(str(silence.get(name, "*")) for name in ("rule", "relay", "breaker"))
    until = str(silence.get("until", ""))
    said = (
        f"until {until[:10]} {clock_time(until)}  {of}  by {silence.get('by', '?')}: {silence.get('why', '')}"
    )
    return Content.assemble((f"{'SILENCE':<10}", styled("held", "bold")), said)


def _notes(alert: Mapping[str, Any], *, over: bool) -> Iterator[str]:
    if alert.get("rule"):
        yield f"rule {alert['rule']}"
    silenced = alert.get("silenced")
    if isinstance(silenced, Mapping):
        yield f"silenced until {clock_time(str(silenced.get('until', '')))} by {silenced.get('by', '?')}"
    if alert.get("acknowledged_at"):
        yield f"acknowledged by {alert.get('acknowledged_by') or '?'}"
    if alert.get("escalated_to"):
        yield f"gone up to {alert['escalated_to']}: nobody acknowledged it"
    if alert.get("escalates_at") and not over:
        yield f"goes a level up at {clock_time(str(alert['escalates_at']))} unless it is acknowledged"


def _records(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, Mapping))
