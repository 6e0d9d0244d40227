"""The form that lays figures over a breaker's policy, and the question that shows what would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from sprint.core.errors import ConfigError
from sprint.core.monitor.board import Key
from sprint.core.monitor.figures_form import (
    TEXT_LENGTH_MAX,
    Figure,
    Plan,
    figures,
    laid_in,
    plan_of,
    said,
    values_in,
)
from sprint.tools.monitor.tui.looks import styled

NAME_WIDTH = 30


class AskingScreen(ModalScreen[None]):
    """Lies below form and question; what is typed while it is on top is kept for them, see typed_ahead.py."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def compose(self) -> ComposeResult:
        """Say who is asked."""
        yield Static(f"asking relay {self.key.relay} for the figures of {self.key.breaker}", markup=False)

    def answered(self) -> None:
        """Say no more: the form follows."""
        self.query_one(Static).display = False


class FiguresDialog(ModalScreen[Plan | None]):
    """Takes an operator's figures; the answer is what they ask for, None for nothing.

    `detail` is the relay's answer, `typed` what stood in the fields before, `trouble` why that was refused.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        # With priority: else the list of fields takes them to scroll.
        Binding("up", "app.focus_previous", "Field before", show=False, priority=True),
        Binding("down", "app.focus_next", "Next field", show=False, priority=True),
        Binding("f8", "take_all_back", "Take all back"),
    ]

    def __init__(self, key: Key, detail: Mapping[str, Any], typed: Mapping[str, str], trouble: str) -> None:
        super().__init__()
        self.key = key
        self._detail = detail
        self._typed = typed
        self._trouble = trouble
        config = detail.get("config")
        self._now = values_in(config) if isinstance(config, Mapping) else {}
        self._laid = laid_in(detail)

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        with Vertical(id="dialog", classes="figures"):
            yield Static(Content.assemble(("Figures of ", "bold"), (self.key.breaker, "bold")))
            yield Static(
                f"on relay {self.key.relay}; from the next call on, until it is restarted", classes="faint"
            )
            with VerticalScroll(id="fields"):
                for figure in figures():
                    yield from self._field(figure)
            yield Static(self._trouble, id="refused", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="no")
                if self._laid:
                    yield Button("Take all back  F8", id="back")
                yield Button("Changes  Enter", id="yes", variant="primary")

    def on_mount(self) -> None:
        """Begin at the field that was refused, or at the first."""
        refused = [each for each in self._inputs() if self._trouble.startswith(str(each.name))]
        self.set_focus((refused or list(self._inputs()))[0])

    @property
    def typed(self) -> dict[str, str]:
        """What stands in the fields, by the figures' names."""
        return {str(each.name): each.value for each in self._inputs()}

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Take Enter as done."""
        self._answer()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the button's word."""
        if event.button.id == "no":
            self.dismiss(None)
        elif event.button.id == "back":
            self.action_take_all_back()
        else:
            self._answer()

    def action_take_all_back(self) -> None:
        """Ask for nothing to be laid over any more."""
        if self._laid:
            changes = (f"{name}: {said(self._now.get(name))} is taken back" for name in self._laid)
            self.dismiss(Plan({}, tuple(changes)))

    def _answer(self) -> None:
        refused = self.query_one("#refused", Static)
        try:
            plan = plan_of(self._detail, self.typed)
        except ConfigError as error:
            refused.update(str(error))
            return
        if plan.changes:
            self.dismiss(plan)
        else:
            refused.update("nothing differs from what holds now")

    def _inputs(self) -> Iterator[Input]:
        yield from self.query("#fields Input").results(Input)

    def _field(self, figure: Figure) -> ComposeResult:
        value = self._typed.get(figure.name, said(self._now.get(figure.name)))
        laid = figure.name in self._laid
        wants = f"{figure.wants}; laid over, empty: as configured" if laid else figure.wants
        with Horizontal(classes="figure"):
            yield Static(figure.name.ljust(NAME_WIDTH), classes="figure-name laid" if laid else "figure-name")
            yield Input(value, name=figure.name, max_length=TEXT_LENGTH_MAX, select_on_focus=False)
            yield Static(wants, classes="figure-wants")


class LayOverQuestion(ModalScreen[bool]):
    """Shows what would change, and asks whether to."""

    AUTO_FOCUS = "#yes"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", "Back")]

    def __init__(self, key: Key, plan: Plan) -> None:
        super().__init__()
        self.key = key
        self.plan = plan

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(id="dialog"):
            yield Static(
                Content.assemble(
                    (f"Change {self.key.breaker}?", "bold"), (f"\non relay {self.key.relay}", styled("faint"))
                )
            )
            yield Static("\n".join(self.plan.changes), id="does", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Back  Esc", id="no")
                yield Button("Lay over  Enter", id="yes", variant="error")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the button's word."""
        self.dismiss(event.button.id == "yes")
