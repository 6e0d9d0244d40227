"""The terminal of `cb-monitor`: which breaker is open, why, since when, and what comes next, on one screen.

It looks at the board up to thirty times a second and draws what has changed. A key's answer doesn't wait for
that.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Input

from sprint.core.errors import ConfigError
from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.early import early_delta
from sprint.core.monitor.query import EVERYTHING, parse_query
from sprint.core.monitor.rows import BreakerRow
from sprint.core.monitor.table import SORT_KEYS
from sprint.core.monitor.words import sentences
from sprint.tools import runtime
from sprint.tools.monitor.tui.alerts_page import AlertsPage
from sprint.tools.monitor.tui.breaker_table import BreakerTable
from sprint.tools.monitor.tui.detail_pane import DetailPane
from sprint.tools.monitor.tui.dialogs import ORDERS, HelpScreen
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.ground import BlankRow, BlankScreen, BlankSwitcher
from sprint.tools.monitor.tui.headline import Headline
from sprint.tools.monitor.tui.looks import DARK, LIGHT, PLAIN, Appearance, theme_variables, themes
from sprint.tools.monitor.tui.operating import OperatedApp
from sprint.tools.monitor.tui.pages import log_content, relays_content
from sprint.tools.monitor.tui.palette import BreakerProvider
from sprint.tools.monitor.tui.picture import Picture
from sprint.tools.monitor.tui.quiet_text import QuietText
from sprint.tools.monitor.tui.screenshot import save_screenshot
from sprint.tools.monitor.tui.tape_line import TapeLine
from sprint.tools.monitor.tui.title import PAGES, Situation, TitleLine
from sprint.tools.monitor.tui.trouble_line import TroubleLine

DRAWS_PER_S = 30
# While nothing changes it looks less often: thirty looks a second alone cost half a per cent of a core.
LOOKS_PER_S = 10
# A drawing takes at most this share of the time: the rest is for keys and for what relays say.
DRAWING_SHARE_MAX = 0.25
# With the detail beside it the list still has what comes next in full.
WIDE_COLUMNS = 140


class MonitorApp(OperatedApp):
    """Draws a monitor's board and takes an operator's keys."""

    TITLE = "sprint cb-monitor"
    CSS_PATH = Path(__file__).with_name("monitor.tcss")
    COMMANDS: ClassVar[Any] = OperatedApp.COMMANDS | {BreakerProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "turn_round", "Turn round", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("escape", "back", "Back", show=False),
        Binding("space", "hold", "Hold", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("p", "picture", "Picture", show=False),
        Binding("t", "light_or_dark", "Light or dark", show=False),
        *(Binding(str(at), f"page('{name}')", show=False) for at, (name, _) in enumerate(PAGES, 1)),
    ]

    def __init__(
        self,
        monitor: MonitorFace,
        appearance: Appearance = PLAIN,
        clock: Callable[[], float] = runtime.wall_clock,
    ) -> None:
        # NO_COLOR: with the terminal's own colours Textual takes all colour away; else it makes them grey.
        super().__init__(ansi_color=bool(os.environ.get("NO_COLOR")))
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_COLUMNS, "-wide")]
        ascii_only = appearance.ascii_only
        self.monitor = monitor
        self.ascii_only = ascii_only
        self.picture = Picture(monitor.board, clock)
        self.held = False
        self.draws = 0
        self._pictures = appearance.pictures
        self._flags = appearance.flags
        self._drawn_second = -1
        self._next_draw_at = 0.0
        self._soon: asyncio.TimerHandle | None = None
        for theme in themes():
            self.register_theme(theme)
        self.theme = LIGHT if appearance.light else DARK
        self.table = BreakerTable(ascii_only=ascii_only)
        self._title_line = TitleLine()
        self._headline = Headline(ascii_only=ascii_only)
        self._detail = DetailPane(monitor, ascii_only=ascii_only)
        self._tape = TapeLine(ascii_only=ascii_only)
        self._alerts = AlertsPage(self.ask_about_alert)
        self._page_texts = {name: QuietText(f"{name}-text") for name in ("relays", "log")}
        self._trouble = TroubleLine()
        self._pages = BlankSwitcher(initial="breakers", id="pages")

    def get_default_screen(self) -> Screen[Any]:
        """Return the page that all is laid on."""
        return BlankScreen(id="_default")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the tones, for a theme that has none of its own."""
        return theme_variables(dark=True)

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        yield self._title_line
        yield self._tape
        yield self._headline
        with self._pages:
            with BlankRow(id="breakers"):
                yield self.table
                yield self._detail
            yield self._alerts
            for name, text in self._page_texts.items():
                with VerticalScroll(id=name, classes="page"):
                    yield text
        yield self._trouble
        yield Input(
            placeholder="filter: words, state:open, chain:..., fail>50   Esc takes it away", id="filter"
        )
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to draw."""
        self.set_class(self.ascii_only, "-ascii")
        self.set_class(bool(os.environ.get("NO_COLOR")), "-no-color")
        self.table.focus()
        self._draw()
        self._watch()
        self.monitor.listen(self._happened)

    def _happened(self, happened: Happened) -> None:
        """Lay a transition over its row at once: the relay tells the row up to 250 ms later."""
        board = self.monitor.board
        row = board.rows.get(Key(happened.relay, happened.transition.breaker))
        early = None if row is None else early_delta(row, happened.transition)
        if early is not None:
            board.told(happened.relay, early, self.picture.now)

    # -- drawing

    def _watch(self) -> None:
        """Look whether there is something to draw, again and again, at less cost than a timer of Textual."""
        if self.is_running:
            asyncio.get_running_loop().call_later(1 / LOOKS_PER_S, self._watch)
            if not self.held and self.picture.is_due(self._drawn_second):
                self.call_later(self._look)

    def _look(self) -> None:
        """Draw where there is something new, unless the last drawing took long."""
        if not self._pages.is_attached:
            return  # the timer may fire once more when the page is already taken down
        started = runtime.clock()
        if self.held:
            return
        if started < self._next_draw_at:
            self._look_soon()
            return
        drew = self._draw()
        took = runtime.clock() - started
        self._next_draw_at = started + took / DRAWING_SHARE_MAX
        if drew:
            self._look_soon(took)

    def _look_soon(self, passed_s: float = 0.0) -> None:
        """Look before the next of the regular looks: where something changed, more may."""
        if self._soon is None and not self.held:
            wait_s = max(0.0, 1 / DRAWS_PER_S - passed_s)
            after_s = wait_s or 1 / DRAWS_PER_S
            self._soon = asyncio.get_running_loop().call_later(after_s, self._look_again)

    def _look_again(self) -> None:
        self._soon = None
        if self.is_running and self.picture.is_due(self._drawn_second):
            self.call_later(self._look)

    def _draw(self) -> bool:
        """Draw what differs; True where something has changed, and not only the time."""
        changed = self.picture.renew()
        second = int(self.picture.now)
        if not changed and second == self._drawn_second:
            return False
        self._drawn_second = second
        self.draws += 1
        board = self.monitor.board
        if changed:
            self.table.put_in_order(self.picture.order, len(board.relays))
        self.table.show(self.picture.line)
        self._headline.tell(board, self.picture.now)
        self._title_line.tell(
            Situation(self.page, self.picture.counts(), self.picture.now, self._flags_now())
        )
        self._tape.tell(self.monitor.recorder, self.monitor.replay, self.picture.now)
        self._trouble.drawn(self.page, self._draw_page)
        return changed

    def _flags_now(self) -> tuple[str, ...]:
        flags = ["DEMO"] if self.monitor.demo else []
        flags += list(self._flags)
        # Of a recording the line below says so, and what may be done.
        if self.monitor.read_only and self.monitor.replay is None:
            flags.append("READ-ONLY")
        if self.monitor.board.left_out:
            flags.append(f"{self.monitor.board.left_out:,} LEFT OUT")
        if self.held:
            flags.append("HELD")
        if self.picture.query.text:
            flags.append(f"/{self.picture.query.text}")
        if self.picture.sorted_by != "worst" or self.picture.backwards:
            flags.append(f"by {self.picture.sorted_by}{' turned' if self.picture.backwards else ''}")
        return tuple(flags)

    @property
    def page(self) -> str:
        """Which page is shown."""
        return self._pages.current or "breakers"

    @property
    def detail_seen(self) -> bool:
        """Whether a breaker's detail is on the screen."""
        base = self.screen_stack[0]
        return self.page == "breakers" and (base.has_class("-wide") or base.has_class("-detail"))

    def _draw_page(self) -> None:
        board, now = self.monitor.board, self.picture.now
        match self.page:
            case "relays":
                self._page_texts["relays"].say(relays_content(board, now, ascii_only=self.ascii_only))
            case "log":
                self._page_texts["log"].say(log_content(board, ascii_only=self.ascii_only))
            case "alerts":
                self._alerts.tell(self.monitor.alerts)
            case _:
                if self.detail_seen:
                    self._detail.tell(self.table.chosen, now)

    def on_detail_pane_answered(self, _: DetailPane.Answered) -> None:
        """Have what a relay has said of the breaker that is shown drawn."""
        self._draw_soon()

    def _draw_soon(self) -> None:
        if self.held:
            self.look_now()
        self._drawn_second = -1

    def look_now(self) -> None:
        """Draw at once, also while the picture is held: the operator's own doing is always shown."""
        self._drawn_second = -1
        self._alerts.look_next()
        self._draw()

    @property
    def now_unix_s(self) -> float:
        """The time that is shown, in seconds since 1970."""
        return self.picture.now

    # -- what the operator does

    def on_breaker_table_chosen(self, _: BreakerTable.Chosen) -> None:
        """Have the detail of the breaker that the cursor came to drawn, after the cursor itself."""
        self._draw_soon()

    def on_breaker_table_opened(self, _: BreakerTable.Opened) -> None:
        """Show the detail, where it isn't seen, in place of the list."""
        self.screen_stack[0].add_class("-detail")
        self._detail.focus()
        self.call_after_refresh(self.look_now)

    async def action_back(self) -> None:
        """Go back from the detail to the list, and from a filter to all."""
        base = self.screen_stack[0]
        if base.has_class("-filtering") or self.picture.query.text:
            base.remove_class("-filtering")
            self._filter("")
        elif self.page != "breakers":
            self.action_page("breakers")
        base.remove_class("-detail")
        self.table.focus()

    def action_page(self, page: str) -> None:
        """Show another page."""
        self.query_one("#pages", ContentSwitcher).current = page
        (self.table if page == "breakers" else self.query_one(f"#{page}")).focus()
        self.look_now()

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self._pages.current = "breakers"
        self.screen_stack[0].remove_class("-detail")
        self.screen_stack[0].add_class("-filtering")
        # At once: what is typed right behind the key is of the filter.
        self.screen_stack[0].set_focus(self.query_one("#filter", Input))
        self.look_now()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        if event.input.id == "filter":
            self._filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the list."""
        if event.input.id == "filter":
            self.screen_stack[0].remove_class("-filtering")
            self.table.focus()

    def _filter(self, text: str) -> None:
        try:
            self.picture.query = parse_query(text) if text else EVERYTHING
            self._trouble.tell("filter")
        except ConfigError as error:
            self._trouble.tell("filter", str(error))
        if not text:
            with self.prevent(Input.Changed):
                self.query_one("#filter", Input).value = ""
        self.look_now()

    def action_sort(self) -> None:
        """Sort by the next of the columns."""
        at = SORT_KEYS.index(self.picture.sorted_by)
        self.picture.sorted_by = SORT_KEYS[(at + 1) % len(SORT_KEYS)]
        self.look_now()

    def action_turn_round(self) -> None:
        """Turn the order round."""
        self.picture.backwards = not self.picture.backwards
        self.look_now()

    def action_hold(self) -> None:
        """Hold the picture still, or go on; of a recording the recording itself."""
        if self.monitor.replay is not None:
            self.monitor.replay.pause()
        else:
            self.held = not self.held
        self.look_now()

    def action_help(self) -> None:
        """Show keys, states and filters."""
        self.push_screen(HelpScreen(ascii_only=self.ascii_only))

    def action_light_or_dark(self) -> None:
        """Change between the light and the dark theme."""
        self.theme = LIGHT if self.theme == DARK else DARK

    def action_copy(self) -> None:
        """Put what the chosen breaker says on the clipboard."""
        row = None if self.table.chosen is None else self.monitor.board.rows.get(self.table.chosen)
        if row is not None:
            told = sentences(row, self.picture.now)
            text = f"{row.name}: {told.what} {told.since}. {told.why}. Next: {told.next}."
            self.copy_to_clipboard(text)
            self.notify("copied, where the terminal allows it")

    async def action_picture(self) -> None:
        """Save the screen as SVG."""
        try:
            path = await save_screenshot(
                self.export_screenshot(title=self.TITLE), self._pictures, self.picture.now
            )
        except OSError as error:
            self.notify(f"no picture was saved in {self._pictures}: {error}", severity="error", markup=False)
        else:
            self.notify(f"saved {path}", markup=False)

    # -- the palette

    def breakers(self) -> Iterator[tuple[Key, BreakerRow]]:
        """Yield all breakers."""
        yield from self.monitor.board.rows.items()

    def go_to(self, key: Key) -> None:
        """Show a breaker, whatever the filter."""
        self.action_page("breakers")
        if not self.table.go_to(key):
            self._filter("")
            self.table.go_to(key)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer what keys do; themes of others have none of the tones."""
        del screen
        for name, label in PAGES:
            yield SystemCommand(label, f"Show the page {label}", lambda name=name: self.action_page(name))
        for action, (asked, does, _) in ORDERS.items():
            yield SystemCommand(asked, does, lambda action=action: self.action_order(action))
        yield SystemCommand("Help", "Keys, states and filters", self.action_help)
        yield SystemCommand("Light or dark", "Change the colours", self.action_light_or_dark)
        yield SystemCommand("Hold", "Hold the picture still, or go on", self.action_hold)
        yield SystemCommand("Quit", "End the monitor", self.exit)
