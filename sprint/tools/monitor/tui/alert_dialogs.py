"""What is asked before an alert is acknowledged, or silenced: who, for how long, and why."""

from __future__ import annotations

import os
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

FIELD_LENGTH_MAX = 200
SILENCE_DEFAULT = "2h"


class Asked(NamedTuple):
    """A field: its name, what it asks for, and what stands in it at first."""

    name: str
    asks: str
    value: str = ""


def fields_of_acknowledgement() -> tuple[Asked, ...]:
    """Return what an acknowledgement wants."""
    return (Asked("by", "who has it in hand", who()),)


def fields_of_silence() -> tuple[Asked, ...]:
    """Return what a silence wants."""
    return (
        Asked("for", "how long: 30m, 2h, 7d", SILENCE_DEFAULT),
        Asked("why", "why nobody needs to be told"),
        Asked("by", "who says so", who()),
    )


def who() -> str:
    """Return what the operator is called on this machine; empty where that is not known."""
    return os.environ.get("LOGNAME") or os.environ.get("USER") or ""


class AlertDialog(ModalScreen[dict[str, str] | None]):
    """Asks for some fields; the answer is what stands in them, None for no."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, about: str, asked: tuple[Asked, ...], word: str) -> None:
        super().__init__()
        self._title_text = title
        self._about = about
        self._asked = asked
        self._word = word

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(id="dialog"):
            yield Static(Content.assemble((self._title_text, "bold"), f"\n{self._about}"))
            for asked in self._asked:
                yield Static(asked.asks, classes="asks")
                yield Input(asked.value, placeholder=asked.asks, name=asked.name, max_length=FIELD_LENGTH_MAX)
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="no")
                yield Button(f"{self._word}  Enter", id="yes", variant="primary")

    def on_mount(self) -> None:
        """Begin at the first field that is empty."""
        inputs = list(self.query(Input))
        last = inputs[-1] if inputs else self.query_one("#yes")
        self.set_focus(next((each for each in inputs if not each.value), last))

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Take Enter as yes."""
        self._answer()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the button's word."""
        if event.button.id == "yes":
            self._answer()
        else:
            self.dismiss(None)

    def _answer(self) -> None:
        self.dismiss({str(each.name): each.value.strip() for each in self.query(Input)})
