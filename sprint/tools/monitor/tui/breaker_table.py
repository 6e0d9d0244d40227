"""The list of breakers: a heading, and of thousands of lines those that are seen, drawn when they change.

The cursor stays with its breaker while others pass it. Until it is moved it stays on the first line, which is
the worst one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sprint.core.monitor.board import Key
from sprint.core.monitor.table import Line, Look, SortKey, look_for
from sprint.tools.monitor.tui.looks import ASCII_SHAPES, TONES, UNICODE_SHAPES, Shapes

HEADING_LINES = 1
# The cursor's sign and a space before each line.
MARGIN = 2

# Drawn lines are kept, so that one that moved isn't drawn anew.
STRIPS_KEPT_MAX = 500

# None of a breaker that is gone since the list was put in order.
LineOf = Callable[[Key, Look], Line | None]


class BreakerTable(ScrollView, can_focus=True):
    """Draws lines of a list; who holds it says which and in which order."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--cursor",
        "table--lost",
        *(f"table--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "top", "First", show=False),
        Binding("end,G", "bottom", "Last", show=False),
        Binding("enter", "open", "Detail", key_display="Enter"),
    ]

    class Chosen(Message):
        """The cursor is on another breaker."""

        def __init__(self, key: Key | None) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """A breaker is to be shown in detail."""

        def __init__(self, key: Key) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__(id="table")
        self.order: Sequence[Key] = ()
        self.chosen: Key | None = None
        self.follows_first = True
        self.sorted_by: SortKey = "worst"
        self._places: dict[Key, int] = {}
        self._line_of: LineOf | None = None
        self._look = look_for(80, relays=1, ascii_only=ascii_only)
        self._relays = 1
        self._ascii_only = ascii_only
        self._shapes: Shapes = ASCII_SHAPES if ascii_only else UNICODE_SHAPES
        self._drawn: dict[int, tuple[Line | None, bool]] = {}
        self._drawn_from = 0
        self._drawn_heading: Strip | None = None
        self._strips: dict[tuple[Line | None, bool], Strip] = {}
        self._styles: dict[tuple[str, bool], Style] = {}

    @property
    def cursor(self) -> int:
        """The place of the chosen breaker in the list; 0 where none is."""
        return 0 if self.chosen is None else self._places.get(self.chosen, 0)

    @property
    def rows_seen(self) -> int:
        """How many breakers are seen at once."""
        return max(1, self.size.height - HEADING_LINES)

    def put_in_order(self, order: Sequence[Key], relays: int) -> None:
        """Take another order; the cursor stays with its breaker, or at its place where that is gone."""
        place = self.cursor
        self.order = order
        self._places = {key: at for at, key in enumerate(order)}
        self._relays = relays
        self._fit()
        gone = self.chosen is None or self.chosen not in self._places
        if self.follows_first or gone:
            self._choose(0 if self.follows_first else place)
        self.virtual_size = Size(self.size.width, len(order) + HEADING_LINES)
        if not self.follows_first:
            self._keep_in_sight()

    def show(self, line_of: LineOf) -> None:
        """Draw the lines that differ from what is drawn; those below each other are one piece of work."""
        self._line_of = line_of
        self._follow_scrolling()
        first = None
        height, top = self.size.height, self._drawn_from
        for y in range(HEADING_LINES, height + 1):
            differs = y < height and self._differs(y)
            if differs and first is None:
                first = y
            elif not differs and first is not None:
                self.refresh_lines(first + top, y - first)
                first = None

    def on_resize(self, _: events.Resize) -> None:
        self._fit()
        self._forget_drawn()
        self.virtual_size = Size(self.size.width, len(self.order) + HEADING_LINES)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        place = event.y - HEADING_LINES + self.scroll_offset.y
        if event.y >= HEADING_LINES and place < len(self.order):
            self.follows_first = False
            self._choose(place)
            if event.chain > 1 and self.chosen is not None:
                self.post_message(self.Opened(self.chosen))

    def notify_style_update(self) -> None:
        """Forget the styles of the theme before."""
        super().notify_style_update()
        self._styles = {}
        self._forget_drawn()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines of what is seen. Textual's own way looks for borders of each; none is here."""
        self._follow_scrolling()
        strips = [self.render_line(y) for y in crop.line_range]
        _, ground = self.background_colors
        for each in self.get_line_filters():
            strips = [strip.apply_filter(each, ground) for strip in strips]
        whole = crop.column_span == (0, self.size.width)
        return strips if whole else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """Return one line of what is seen, as it was when the list was shown: what is on the screen."""
        if y < HEADING_LINES:
            if self._drawn_heading is None:
                self._drawn_heading = self._heading()
            return self._drawn_heading
        if y not in self._drawn:
            self._drawn[y] = self._at(y)
        said = self._drawn[y]
        if said not in self._strips:
            if len(self._strips) >= STRIPS_KEPT_MAX:
                self._strips.clear()
            self._strips[said] = self._strip_of(said)
        return self._strips[said]

    def _strip_of(self, said: tuple[Line | None, bool]) -> Strip:
        line, is_chosen = said
        if line is None:
            return Strip.blank(self.size.width, self._style(""))
        style = plain = self._style("table--lost", is_chosen=is_chosen)
        if not line.lost:
            style = self._style(f"table--{line.tone}", is_chosen=is_chosen)
            plain = self._style("table--plain", is_chosen=is_chosen)
        mark = self._shapes.cursor if is_chosen else " "
        # Cells that look alike are one piece: a terminal's program does its work by the piece.
        looks = (column.name in ("state", "trend", "next") for column in self._look.columns)
        cells = [(True, f"{mark} "), *zip(looks, (f"{cell} " for cell in line.cells), strict=False)]
        segments = [
            Segment("".join(text for _, text in pieces), style if toned else plain)
            for toned, pieces in groupby(cells, key=itemgetter(0))
        ]
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def action_move(self, lines: int) -> None:
        """Move the cursor by so many lines."""
        self._go(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self._go(self.cursor + pages * max(1, self.rows_seen - 1))

    def action_top(self) -> None:
        """Go to the first line and stay there, whichever breaker it is."""
        self._go(0)
        self.follows_first = True

    def action_bottom(self) -> None:
        """Go to the last line."""
        self._go(len(self.order) - 1)

    def action_open(self) -> None:
        """Show the chosen breaker in detail."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def go_to(self, key: Key) -> bool:
        """Put the cursor on a breaker; False where the list doesn't have it."""
        if key not in self._places:
            return False
        self._go(self._places[key])
        return True

    def _go(self, place: int) -> None:
        self.follows_first = False
        self._choose(place)
        self._keep_in_sight()

    def _choose(self, place: int) -> None:
        before = self.chosen
        self.chosen = self.order[max(0, min(place, len(self.order) - 1))] if self.order else None
        if self.chosen != before:
            self.post_message(self.Chosen(self.chosen))
            for key in (before, self.chosen):
                if key is not None and key in self._places:
                    line = self._places[key] + HEADING_LINES
                    self._drawn.pop(line - self.scroll_offset.y, None)
                    self.refresh_lines(line)

    def _differs(self, y: int) -> bool:
        """Tell whether a line is another than what is drawn there, and take it as what is."""
        said = self._at(y)
        if said == self._drawn.get(y):
            return False
        self._drawn[y] = said
        return True

    def _follow_scrolling(self) -> None:
        """Forget which line is drawn where, when others have come into sight: all are drawn then."""
        if self._drawn_from != self.scroll_offset.y:
            self._drawn_from = self.scroll_offset.y
            self._drawn = {}

    def _forget_drawn(self) -> None:
        self._drawn, self._strips, self._drawn_heading = {}, {}, None

    def _keep_in_sight(self) -> None:
        top, place = self.scroll_offset.y, self.cursor
        if place < top:
            self.scroll_to(y=place, animate=False, force=True)
        elif place >= top + self.rows_seen:
            self.scroll_to(y=place - self.rows_seen + 1, animate=False, force=True)

    def _fit(self) -> None:
        width = max(1, self.size.width - MARGIN)
        look = look_for(width, relays=self._relays, ascii_only=self._ascii_only)
        # The same object while it is the same: lines are kept by it.
        if look != self._look:
            self._look = look
            self._forget_drawn()
            self.refresh()

    def _at(self, y: int) -> tuple[Line | None, bool]:
        place = y - HEADING_LINES + self._drawn_from
        if self._line_of is None or not 0 <= place < len(self.order):
            return None, False
        key = self.order[place]
        return self._line_of(key, self._look), key == self.chosen

    def _heading(self) -> Strip:
        style = self._style("table--heading")
        cells = [
            column.heading.rjust(column.width) if column.to_the_right else column.heading.ljust(column.width)
            for column in self._look.columns
        ]
        text = " " * MARGIN + " ".join(cells)
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, style)

    def _style(self, name: str, *, is_chosen: bool = False) -> Style:
        """Return the style of a part of the list on its ground, "" for the ground, kept until it changes."""
        known = self._styles.get((name, is_chosen))
        if known is None:
            known = self.rich_style
            for part in (name, "table--cursor" if is_chosen else ""):
                if part:
                    known += self.get_component_rich_style(part, partial=True)
            self._styles[name, is_chosen] = known
        return known
