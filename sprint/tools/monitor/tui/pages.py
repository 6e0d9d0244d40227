"""The pages beside the list: relays with their chains and sources, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from textual.content import Content

from sprint.core.monitor.board import Board, RelaySeen
from sprint.core.monitor.words import Tone, age, unix_s
from sprint.tools.monitor.tui.detail import Part, transition_parts
from sprint.tools.monitor.tui.looks import ASCII_SHAPES, UNICODE_SHAPES, styled

# Lines that a page holds at most; the filter and the list are for more.
PARTS_MAX = 4_000
HAPPENED_SHOWN = 300
SOURCES_HEADING = f"  {'SOURCE':<20} {'STATE':<10} {'BREAKER':<11}    HEIGHT BEHIND LAG ms SCORE\n"
_STANDING_COLUMNS = (("height", 9), ("behind_blocks", 6), ("lag_ms", 6), ("score", 5))

_TONES: Mapping[str, Tone] = {
    "live": "good", "connecting": "trying", "lost": "bad",
    "ok": "good", "degraded": "trying", "failing": "bad", "stalled": "bad",
    "ready": "good", "syncing": "trying", "waiting": "trying", "blocked": "bad", "paused": "held",
    "closed": "good", "open": "bad", "half_open": "trying", "force_open": "held", "force_close": "notice",
}  # fmt: skip


def relays_content(board: Board, now_unix_s: float, *, ascii_only: bool) -> Content:
    """Return each relay with its health, its chains, and their sources."""
    if not board.relays:
        return Content.styled("no relay is followed", styled("faint"))
    parts = list(islice(_relays(board, now_unix_s, ascii_only=ascii_only), PARTS_MAX))
    if len(parts) == PARTS_MAX:
        parts.append(("\n... more than a page holds", styled("faint")))
    return Content.assemble(*parts)


def _relays(board: Board, now_unix_s: float, *, ascii_only: bool) -> Iterator[Part]:
    shapes = ASCII_SHAPES if ascii_only else UNICODE_SHAPES
    for relay in board.relays.values():
        mark = {"live": shapes.live, "lost": shapes.lost}.get(relay.connection, shapes.connecting)
        since = unix_s(relay.since)
        ago = "" if since is None else f" for {age(now_unix_s - since)}"
        tone = _TONES[relay.connection]
        word = relay.connection.upper() if relay.connection == "lost" else relay.connection
        yield f"{mark} {word}", styled(tone, "bold")
        yield f"  {relay.name}", "bold"
        yield f"  {relay.url}{ago}\n"
        if relay.reason:
            yield f"  {relay.reason}\n", styled("bad")
        yield from _health(relay)
        if relay.sources:
            yield SOURCES_HEADING, styled("faint")
        for chain, sources in relay.sources.items():
            yield f"  {chain}", "bold"
            yield from _chain(relay, chain)
            for source in sources:
                yield from _source(source)
        yield "\n"


def _health(relay: RelaySeen) -> Iterator[Part]:
    health = relay.health
    if not health:
        return
    status = str(health.get("status", "?"))
    yield "  health ", styled("faint")
    yield status, styled(_TONES.get(status, "plain"), "bold")
    yield f"  version {health.get('version', '?')}"
    store = health.get("store")
    if isinstance(store, Mapping):
        yield f"  store {store.get('status', '?')} {store.get('reason', '')}"
    for listener in _records(health.get("listeners")):
        yield f"  {listener.get('tier', '?')}: {listener.get('subscribers', '?')} subscribers"
    yield "\n"
    for reason in _several(health.get("reasons")):
        yield f"  {reason}\n", styled("trying")


def _chain(relay: RelaySeen, chain: str) -> Iterator[Part]:
    chains = relay.health.get("chains")
    told = chains.get(chain) if isinstance(chains, Mapping) else None
    if isinstance(told, Mapping):
        status = str(told.get("status", "?"))
        yield f"  {status}", styled(_TONES.get(status, "plain"))
        yield f"  {told.get('sources_ready', '?')} of {told.get('sources', '?')} sources ready"
        if told.get("reason"):
            yield f"  {told['reason']}"
    yield "\n"


def _source(source: Mapping[str, Any]) -> Iterator[Part]:
    state = str(source.get("state", "?"))
    yield f"  {str(source.get('name', '?'))[:20]:<20} "
    yield f"{state:<10} ", styled(_TONES.get(state, "plain"))
    breaker = source.get("breaker")
    held = str(breaker.get("state", "-")) if isinstance(breaker, Mapping) else "-"
    yield f"{held.replace('_', ' '):<11} ", styled(_TONES.get(held, "faint"))
    standing = source.get("standing")
    if isinstance(standing, Mapping):
        yield " ".join(figure_text(standing.get(name)).rjust(width) for name, width in _STANDING_COLUMNS)
    yield "\n"
    if source.get("reason"):
        yield f"    {source['reason']}\n", styled("trying")
    for note in _several(source.get("notes")):
        yield f"    {note}\n", styled("faint")


def figure_text(value: object) -> str:
    """Return a number as text, "-" for what is none: a source that always wins has no lag behind a winner."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else "-"


def _several(value: object) -> Iterator[str]:
    """Yield what another process says is a list; nothing where it is none."""
    if isinstance(value, list | tuple):
        yield from map(str, value)


def _records(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, Mapping))


def log_content(board: Board, *, ascii_only: bool) -> Content:
    """Return what happened, the newest first."""
    if not board.recent:
        return Content.styled("nothing has happened since this was opened", styled("faint"))
    parts: list[Part] = []
    for happened in islice(reversed(board.recent), HAPPENED_SHOWN):
        row = happened.transition
        first, *rest = transition_parts(row, ascii_only=ascii_only, indent=f"\n{'':<9}")
        relay = f"{happened.relay}/" if len(board.relays) > 1 else ""
        parts += [first, (f"{relay}{row.breaker}  ", "bold"), *rest]
    return Content.assemble(*parts)
