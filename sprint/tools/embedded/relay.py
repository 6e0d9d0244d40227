"""A relay as a child: `sprint relay` on free ports, found by the line that says where it serves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from sprint.tools.embedded.child import Child, ChildFailed, always

_COMMAND = (sys.executable, "-m", "sprint.cli.main", "relay")
# What a command starts for itself leaves the host as it is.
_UNTUNED = ("--optimize", "basic")
_OPTIONS = ("--metrics-port", "0", "--log-format", "json", "--quiet", *_UNTUNED)


class _Listener(msgspec.Struct, frozen=True):
    url: str


class _Serving(msgspec.Struct, frozen=True):
    listeners: tuple[_Listener, ...]
    admin: str


class RelayPorts(NamedTuple):
    """Where a relay listens; 0 takes a free one."""

    tier: int = 0
    admin: int = 0


class RelayChild:
    """A running relay of one tier. `api_url` is the tier's port, `admin_url` the operator's."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        tier: str = "turbo",
        ports: RelayPorts | None = None,
        is_wanted: Callable[[], bool] = always,
    ) -> None:
        ports = ports or RelayPorts()
        where = ("--port", str(ports.tier), "--admin-port", str(ports.admin), "--tier", tier)
        command = [*_COMMAND, *where, *_OPTIONS, *arguments]
        self.child = Child("the embedded relay", command, folder=folder, is_wanted=is_wanted)
        try:
            serving = msgspec.convert(self.child.first_line, _Serving)
            self.api_url, self.admin_url = serving.listeners[0].url, serving.admin
        except (msgspec.ValidationError, IndexError) as error:
            self.child.end()
            raise ChildFailed(f"the embedded relay does not say where it serves: {error}") from error

    def __repr__(self) -> str:
        return f"RelayChild({self.api_url}, {self.child!r})"

    @property
    def ports(self) -> RelayPorts:
        """Where it listens, to start another one there after it."""
        return RelayPorts(urlsplit(self.api_url).port or 0, urlsplit(self.admin_url).port or 0)
