"""How many sockets a process may have, raised as far as it goes without privileges."""

from __future__ import annotations

import resource

from sprint.core.errors import SprintError

RESERVED = 64  # for pipes, the loop, modules


class TooFewDescriptors(SprintError):
    """The process may not open as many sockets as were asked for."""

    code = "descriptors"


def sockets_for(wanted: int) -> int:
    """Raise the soft limit for so many sockets; return how many can be had, at most what is wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - RESERVED))


def need_sockets(wanted: int) -> None:
    """Raise the limit for so many sockets; TooFewDescriptors says what is missing."""
    had = sockets_for(wanted)
    if had < wanted:
        raise TooFewDescriptors(
            f"{wanted:,} connections need {wanted + RESERVED:,} open files, and the hard limit of this "
            f"process allows {had + RESERVED:,}: raise it (`ulimit -Hn`, LimitNOFILE=), ask for fewer "
            "--connections, or share them among more --processes"
        )
