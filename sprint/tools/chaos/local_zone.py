"""The machine's own time zone with its rules, so that a schedule knows when clocks will be set.

`datetime.now().astimezone()` has the offset of today: what it says of five o'clock is an hour off for the
first day on which clocks were set.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

LOCAL_TIME = Path("/etc/localtime")


def local_now() -> datetime:
    """Return the time in the machine's zone."""
    return datetime.now(local_zone())


def local_zone(file: Path = LOCAL_TIME) -> tzinfo:
    """Return the zone that $TZ names, else the one that the machine is set to, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name:
        # One that is no name, as `CET-1CEST`, is rare, and is left to the machine's.
        with suppress(ValueError, OSError, KeyError):
            return ZoneInfo(name)
    with suppress(ValueError, OSError), file.open("rb") as rules:
        return ZoneInfo.from_file(rules, key=str(file))
    return UTC
