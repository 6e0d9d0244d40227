"""What an operator does from the terminal: orders, figures, alerts, and recordings. Each is asked first.

Keys that ask a question have priority: such a key is answered before the next one is looked at, so that what
is typed right behind it goes to the question. Without that it goes to the list, as commands.
"""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from sprint.core.errors import SprintError
from sprint.core.monitor.board import Key
from sprint.tools.monitor.tui.alert_dialogs import (
    AlertDialog,
    Asked,
    fields_of_acknowledgement,
    fields_of_silence,
)
from sprint.tools.monitor.tui.breaker_table import BreakerTable
from sprint.tools.monitor.tui.dialogs import ORDERS, OrderDialog
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.figures_dialog import AskingScreen, FiguresDialog, LayOverQuestion
from sprint.tools.monitor.tui.tape_line import PLAYER_KEYS
from sprint.tools.monitor.tui.typed_ahead import TypedAhead

Answer = TypeVar("Answer")
_ASKING = frozenset({"filter", "order", "figures"})
# Textual's own, which ends it whatever is on the screen.
QUIT_KEY = "ctrl+q"


class OperatedApp(App[None]):
    """A terminal whose keys do something in a relay, on the alerts' desk, or with a recording."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Find", key_display="/", priority=True),
        Binding("s", "sort", "Sort", show=False),
        Binding("f", "order('force_open')", "Force open", priority=True),
        Binding("c", "order('force_close')", "Force closed", priority=True),
        Binding("l", "order('release')", "Release", priority=True),
        Binding("r", "order('reset')", "Reset", priority=True),
        Binding("e", "figures", "Figures", show=False, priority=True),
        Binding("w", "record", "Record", show=False),
        Binding("plus,equals_sign", "speed(1)", "Faster", show=False),
        Binding("minus", "speed(-1)", "Slower", show=False),
        Binding("full_stop", "jump(10)", "On 10 s", show=False),
        Binding("comma", "jump(-10)", "Back 10 s", show=False),
        Binding("greater_than_sign", "jump(60)", "On 60 s", show=False),
        Binding("less_than_sign", "jump(-60)", "Back 60 s", show=False),
    ]
    monitor: MonitorFace
    table: BreakerTable

    @abstractmethod
    def look_now(self) -> None:
        """Draw at once."""

    @property
    @abstractmethod
    def now_unix_s(self) -> float:
        """The time that is shown, in seconds since 1970."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ahead = TypedAhead(self, super().on_event)

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed while a relay is asked for figures, before a screen about to go has it."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded and self.screen_stack:
            asking = self.screen_stack[-1]
            leaves = isinstance(event, events.Key) and event.key == "escape"
            quits = isinstance(event, events.Key) and event.key == QUIT_KEY
            if isinstance(asking, AskingScreen) and leaves:
                self._ahead.forget()
                asking.dismiss()
                return
            if (isinstance(asking, AskingScreen) or self._ahead.keeps) and not quits:
                self._ahead.take(event)
                return
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell whether a key is a command now: typed into a field, or under a question, it is none."""
        if action in _ASKING and (self.screen.is_modal or isinstance(self.focused, Input)):
            return False
        return super().check_action(action, parameters)

    # -- breakers

    async def action_order(self, action: str) -> None:
        """Ask whether to give an order to the chosen breaker."""
        key = self._chosen()
        if key is None:
            return

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._order(key, action, reason)

        await self.push_screen(OrderDialog(key, action), answered)

    async def action_figures(self) -> None:
        """Ask for the figures of the chosen breaker, to be changed."""
        key = self._chosen()
        if key is not None:
            asking = AskingScreen(key)
            await self.push_screen(asking)
            self._ask_and_lay_over(key, asking)

    def _may_change(self) -> bool:
        """Tell whether anything may be changed from here; say why where nothing is."""
        if self.monitor.replay is not None:
            self.notify(
                f"this is a recording: nothing of it can be changed; {PLAYER_KEYS}", severity="warning"
            )
            return False
        if self.monitor.read_only:
            self.notify("started with --read-only: nothing is changed from here", severity="warning")
            return False
        return True

    def _chosen(self) -> Key | None:
        """Return the breaker that something is to be told, or say why nothing is."""
        if not self._may_change():
            return None
        if self.table.chosen is None:
            self.notify("there is no breaker to tell", severity="warning")
        return self.table.chosen

    @work(group="order")
    async def _order(self, key: Key, action: str, reason: str) -> None:
        word = ORDERS[action][2]
        try:
            changed = await self.monitor.order(key, action, reason)
        except SprintError as error:
            self._refused(f"{word} of {key.breaker}", error)
            return
        self._said(f"{word}: {key.breaker}" if changed else f"{key.breaker} was so already")

    @work(group="order")
    async def _ask_and_lay_over(self, key: Key, asking: AskingScreen) -> None:
        """Ask the relay, and the operator, above a screen that keeps what is typed in between."""
        try:
            detail = await self.monitor.detail(key)
            if asking.is_current:
                asking.answered()
                await self._lay_over(key, detail, asking)
        except SprintError as error:
            self._ahead.forget()
            self._refused(f"the figures of {key.breaker}", error)
        finally:
            if asking.is_current:
                await self._over(asking)

    async def _lay_over(self, key: Key, detail: dict[str, Any], asking: AskingScreen) -> None:
        """Show the form, then the changes, until they are laid over or left; what was typed stays."""
        typed, trouble = dict[str, str](), ""
        while True:
            form = FiguresDialog(key, detail, typed, trouble)
            plan = await self._asked(form, asking)
            if plan is None:
                return
            typed, trouble = form.typed, ""
            if not await self._asked(LayOverQuestion(key, plan), asking):
                continue
            try:
                await self.monitor.lay_over(key, plan.fields)
            except SprintError as error:
                # What was typed meanwhile was not for the form, which nobody expected again.
                self._ahead.forget()
                trouble = str(error)
                continue
            back = "laid over" if plan.fields else "as the config has them again"
            self._said(f"figures of {key.breaker} are {back}")
            return

    async def _asked(self, question: Screen[Answer], asking: AskingScreen) -> Answer | None:
        """Return the answer to a question, which is given first what was typed before it was there."""
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        if asking.is_current:
            self._ahead.keeps = True
            await self.push_screen(question, answer.set_result)
            await self._type_again()
            return await answer
        return None

    async def _over(self, asking: AskingScreen) -> None:
        """Take the last screen away; what was typed on it is for the page below."""
        self._ahead.keeps = True
        asking.dismiss()
        await self._type_again()

    async def _type_again(self) -> None:
        try:
            await self._ahead.type_again(AskingScreen)
        finally:
            self._ahead.keeps = False

    # -- alerts

    async def ask_about_alert(self, what: str, chosen: Mapping[str, Any]) -> None:
        """Ask whether to acknowledge or silence an alert, or to end a silence."""
        if not self._may_change() or self.monitor.alerts is None:
            return

        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._tell_of_alert(what, chosen, given)

        about = str(chosen.get("text") or f"silence of {chosen.get('breaker')}: {chosen.get('why')}")
        title, asked, word = _QUESTIONS[what]
        await self.push_screen(AlertDialog(title, about, asked(), word), answered)

    @work(group="order")
    async def _tell_of_alert(self, what: str, chosen: Mapping[str, Any], given: Mapping[str, str]) -> None:
        desk, word = self.monitor.alerts, _QUESTIONS[what][2]
        try:
            if what == "acknowledge":
                await desk.acknowledge(str(chosen.get("id")), given["by"])
            elif what == "silence":
                await desk.silence(silence_fields(chosen, given))
            else:
                await desk.end_silence(str(chosen.get("id")))
        except SprintError as error:
            self._refused(word, error)
            return
        self._said(f"{word}: done")
        self.look_now()

    # -- recordings

    async def action_record(self) -> None:
        """Begin to record what happens, or stop it."""
        recorder = self.monitor.recorder
        if recorder is None:
            self.notify("a recording is shown: there is nothing to record", severity="warning")
            return
        try:
            if recorder.path is None:
                self._said(f"recording to {recorder.start(self.now_unix_s)}")
            else:
                self._said(f"recorded: {await recorder.stop()}")
        except SprintError as error:
            self._refused("recording", error)
        self.look_now()

    def action_speed(self, steps: int) -> None:
        """Show a recording faster, or slower."""
        if self.monitor.replay is not None:
            self.monitor.replay.change_speed(steps)
            self.look_now()

    def action_jump(self, seconds: int) -> None:
        """Go on, or back, in a recording."""
        if self.monitor.replay is not None:
            self.monitor.replay.jump(float(seconds))
            self.look_now()

    def _said(self, text: str) -> None:
        self.notify(text, markup=False)

    def _refused(self, what: str, error: SprintError) -> None:
        self.notify(f"{what} was refused: {error}", severity="error", markup=False)


def _nothing() -> tuple[Asked, ...]:
    return ()


_QUESTIONS = {
    "acknowledge": ("Acknowledge this alert?", fields_of_acknowledgement, "Acknowledge"),
    "silence": ("Silence this alert?", fields_of_silence, "Silence"),
    "end": ("End this silence?", _nothing, "End silence"),
}


def silence_fields(alert: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return what the desk wants for a silence of one alert alone: names stand for themselves."""
    named = {name: str(alert.get(name) or "") for name in ("rule", "relay", "breaker")}
    return {**{name: literal(value) for name, value in named.items() if value}, **given}


def literal(name: str) -> str:
    """Return the glob that fits one name and nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", name)
