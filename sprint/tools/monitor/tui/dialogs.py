"""What is laid over the page: the question before an order, and the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from sprint.core.monitor.board import Key
from sprint.core.monitor.orders import REASON_LENGTH_MAX
from sprint.core.monitor.words import HELD_CLOSED, STATE_WORDS
from sprint.tools.monitor.tui.looks import styled

# action: what is asked, what it does, the word on the button
ORDERS = {
    "force_open": ("Hold open", "No call goes through until release or reset.", "Force open"),
    "force_close": (
        "Hold closed",
        "Every call goes through, whatever fails, until release or reset.",
        "Force closed",
    ),
    "release": (
        "Release",
        "The breaker decides by itself again; one that was held open tries at once.",
        "Release",
    ),
    "reset": ("Reset", "Closed, with fresh statistics and the shortest delay.", "Reset"),
}
STORE = "store"


class OrderDialog(ModalScreen[str | None]):
    """Asks whether to give an order, and why; the answer is the reason, perhaps empty, or None for no."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, key: Key, action: str) -> None:
        super().__init__()
        self.key = key
        self.action = action

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        asked, does, word = ORDERS[self.action]
        warning = ""
        if self.action == "force_open" and self.key.breaker == STORE:
            warning = "\nThis stops the whole relay: nothing is logged or delivered."
        with Vertical(id="dialog"):
            yield Static(
                Content.assemble((f"{asked} {self.key.breaker}?", "bold"), f"\non relay {self.key.relay}")
            )
            yield Static(Content.assemble(does, (warning, styled("bad", "bold"))), id="does")
            yield Input(
                placeholder="why (kept in the relay's log)", max_length=REASON_LENGTH_MAX, id="reason"
            )
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="no")
                yield Button(f"{word}  Enter", id="yes", variant="error")

    def on_mount(self) -> None:
        """Let the reason be typed at once."""
        self.set_focus(self.query_one("#reason", Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take Enter as yes."""
        self.dismiss(event.value.strip())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the button's word."""
        yes = event.button.id == "yes"
        self.dismiss(self.query_one("#reason", Input).value.strip() if yes else None)


_KEYS = (
    ("up down j k PgUp PgDn", "move; g: stay on the first line, G: last"),
    ("Enter, Esc", "the breaker in detail, and back"),
    ("1 2 3 4", "breakers, alerts, relays, what happened"),
    ("/", "filter; Esc takes it away"),
    ("s, S", "sort by the next column; S turns it round"),
    ("f, c", "force the breaker open, or closed (asks first)"),
    ("l, r", "release it, or reset it (asks first)"),
    ("e", "change its figures (asks first)"),
    ("a, z, x", "alerts: acknowledge, silence, end a silence"),
    ("space", "hold the picture still; again to go on"),
    ("w", "record into a file of this folder; again to stop"),
    ("+ - , . < >", "a replay: speed, 10 s, 60 s back and on"),
    ("y", "copy what the breaker says"),
    ("p", "save the screen as SVG into this folder"),
    ("t", "dark or light"),
    ("ctrl+p", "all commands, and breakers by name"),
    ("q", "quit"),
)
_COLUMNS = (
    ("FAIL", "share of the calls in the breaker's window that failed"),
    ("LAT ms", "mean time of those calls, in milliseconds"),
    ("HLTH", "health score: 1 is well, 0 is not; - while no call goes through"),
    ("TREND", "FAIL over the last 30 s, a bar for each 5 s"),
    ("SINCE", "for how long it has been in its state"),
    ("NEXT", "when a trial call comes; trying; by hand; held"),
)
_FILTERS = (
    ("alice", "in name, relay, policy or reason; -alice: not that"),
    ("state:open", "open, half_open, closed, forced, withheld, shadow, bad"),
    ("chain: kind: relay: source: policy: why:", "hold a part of that"),
    ("fail>50 lat>100 health<0.8 calls>0", "per cent, ms, 0 to 1, a count"),
)


class HelpScreen(ModalScreen[None]):
    """Keys, the shapes of states, and what a filter may be."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss(None)", "Close")]

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        """Lay out the help."""
        with VerticalScroll(id="help"):
            yield Static(help_content(ascii_only=self._ascii_only))


def help_content(*, ascii_only: bool) -> Content:
    """Return the help as text."""
    meanings = (
        (STATE_WORDS["closed"], "calls go through"),
        (STATE_WORDS["half_open"], "a few calls go through as trials"),
        (STATE_WORDS["open"], "calls are refused; a trial comes by itself"),
        (STATE_WORDS["force_open"], "an operator holds it open"),
        (STATE_WORDS["force_close"], "an operator holds it closed, whatever fails"),
        (HELD_CLOSED, "it would be open, but nothing can stand in for it"),
    )
    parts: list[str | tuple[str, str]] = [("Keys", "bold"), "\n"]
    for keys, does in _KEYS:
        parts += [(f"{keys:<23}", styled("notice")), f"{does}\n"]
    parts += ["\n", ("States", "bold"), "\n"]
    for words, meaning in meanings:
        shown = words.ascii if ascii_only else f"{words.glyph} {words.word}"
        parts += [(f"{shown:<23}", styled(words.tone)), f"{meaning}\n"]
    parts += ["\n", ("Columns", "bold"), "\n"]
    for column, means in _COLUMNS:
        parts += [(f"{column:<23}", styled("notice")), f"{means}\n"]
    parts += ["\n", ("Filter: words that must all hold", "bold"), "\n"]
    for example, means in _FILTERS:
        parts += [(f"{example}\n", styled("notice")), f"{'':<23}{means}\n"]
    return Content.assemble(*parts)
