"""Opens a connection to the target: a socket that never blocks, with TLS where it is spoken."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

from sprint.tools.loadtest.target_url import TargetUrl


class Place(NamedTuple):
    """A target, its address as it was looked up beforehand, and how TLS is spoken there if it is."""

    url: TargetUrl
    address: str
    port: int
    tls: ssl.SSLContext | None


async def open_socket(place: Place) -> socket.socket:
    """Return a connected socket that never blocks. OSError where there is none to be had, also of TLS."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(0)
        # A request goes out when it is written, not when the answer before it has been acknowledged.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(opened, (place.address, place.port))
        if place.tls is not None:
            opened = place.tls.wrap_socket(
                opened, do_handshake_on_connect=False, server_hostname=place.url.host
            )
            await _shake_hands(opened)
    except BaseException:
        opened.close()
        raise
    return opened


async def _shake_hands(opened: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            opened.do_handshake()
        except ssl.SSLWantReadError:
            await _until_ready(opened, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _until_ready(opened, loop.add_writer, loop.remove_writer)
        else:
            return


async def _until_ready(
    opened: socket.socket,
    watch: Callable[[int, Callable[[], object]], object],
    forget: Callable[[int], object],
) -> None:
    descriptor, ready = opened.fileno(), asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        forget(descriptor)
