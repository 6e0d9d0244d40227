"""Tells a node in its initial block download from one that hangs, where both leave a `getheaders` unanswered.

Until its newest block is less than a day old, and has the work that its software knows of, a node passes over
`getheaders` and announces nothing (Bitcoin Core before 24, and with it Litecoin 0.21 and Dogecoin 1.14:
net_processing.cpp, "Ignoring getheaders … in initial block download"; bcoin the same until it is synced).
A node handles what one peer sends in its order, so a pong to a ping that went out behind the `getheaders`
shows that it was read and passed over; one that hangs sends no pong. Once out of it a node is out of it for
good, so one that has announced a block or answered on this connection and then is silent has failed.
"""

from __future__ import annotations


class InitialDownload:
    """What one connection has shown of it."""

    def __init__(self) -> None:
        self.possible = True
        self.active = False
        self._shown_by_ping: int | None = None  # the number of the first ping behind the request

    def __repr__(self) -> str:
        return f"InitialDownload(possible={self.possible}, active={self.active})"

    def asked(self, pings_sent: int) -> None:
        """Note a `getheaders` that went out behind so many pings and is now waited for."""
        self._shown_by_ping = pings_sent + 1

    def is_shown(self, ping: int) -> bool:
        """Tell whether the pong to a ping, by its number, shows that what was asked is passed over."""
        shown = self.possible and self._shown_by_ping is not None and ping >= self._shown_by_ping
        self.active = self.active or shown
        return shown

    def over(self) -> None:
        """Note that the node has given headers or named a block: it is not, or no longer, in it."""
        self.possible = self.active = False


def initial_download_words(start_height: int) -> str:
    """Say of a node what it means for its operator; its height is that at the connection's beginning."""
    where = "has only its genesis block" if start_height <= 0 else f"was at height {start_height}"
    return (
        f"still syncing: it {where} and answers pings, but no getheaders, "
        "as a node does in its initial block download, until its newest block is less than a day old"
    )
