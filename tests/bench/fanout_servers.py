"""The servers of the fan-out benchmark, each a process of its own: ours, and its peers.

    python -m tests.bench.fanout_servers NAME --clients N --events N --size BYTES --window N --burst N

Each prints its port, waits for all its clients and for a byte on standard input, and then publishes: `burst`
events a turn of its loop, at most `window` ahead of what the clients have acknowledged, a byte an event. At
the end it prints the CPU time that took. `send_loop.c` is another such server, without a WebSocket library.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from sprint.core.relay.event_log import LoggedEvent
from tests.tools.relay.serving import Relay, policy, until

HOST = "127.0.0.1"


class Plan(argparse.Namespace):
    """How many clients, and what they are sent."""

    clients: int
    events: int
    size: int
    window: int
    burst: int


def payload(size: int) -> bytes:
    return b'{"type":"block","data":"' + b"x" * (size - 26) + b'"}'


class Acknowledged:
    """Counts what the clients have told on standard input."""

    def __init__(self) -> None:
        self.events = -1  # the first byte says go
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def _read(self) -> None:
        self.events += len(os.read(sys.stdin.fileno(), 4_096))
        self._changed.set()

    async def reach(self, events: int) -> None:
        while self.events < events:
            self._changed.clear()
            await self._changed.wait()


async def publish_all(publish: Callable[[int, int], None], plan: Plan) -> None:
    """Call `publish(first, count)` within the window, and print the CPU time it took."""
    acknowledged = Acknowledged()
    await acknowledged.reach(0)
    started = time.process_time()
    for number in range(0, plan.events, plan.burst):
        await acknowledged.reach(number - plan.window)
        publish(number, plan.burst)
        await asyncio.sleep(0)
    await acknowledged.reach(plan.events)
    print(time.process_time() - started, flush=True)


async def serve_sprint(plan: Plan) -> None:
    relay = Relay()
    body = payload(plan.size)
    async with relay.listening(policy(connections_max=plan.clients)) as listener:
        print(listener.port, flush=True)
        await until(lambda: relay.delivery.subscriber_count == plan.clients)

        def publish(first: int, count: int) -> None:
            relay.delivery.publish(
                [
                    LoggedEvent(number + 1, "bitcoin", number + 1, "block", "c" * 48, body)
                    for number in range(first, first + count)
                ]
            )

        await publish_all(publish, plan)


async def serve_broadcast(plan: Plan) -> None:
    connections: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    text = payload(plan.size).decode()

    def publish(first: int, count: int) -> None:
        for _ in range(count):
            broadcast(connections, text)

    async with serve_websockets(keep, HOST, 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await until(lambda: len(connections) == plan.clients)
        await publish_all(publish, plan)


async def serve_picows(plan: Plan) -> None:
    picows: Any = import_module("picows")  # only scripts/bench installs it
    transports: list[Any] = []

    class Keep(picows.WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            transports.append(transport)

    body = payload(plan.size)

    def publish(first: int, count: int) -> None:
        for _ in range(count):
            for transport in transports:
                transport.send(picows.WSMsgType.TEXT, body)

    server = await picows.ws_create_server(lambda _: Keep(), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await until(lambda: len(transports) == plan.clients)
    await publish_all(publish, plan)
    server.close()


SERVERS: dict[str, Callable[[Plan], Awaitable[None]]] = {
    "sprint": serve_sprint,
    "websockets": serve_broadcast,
    "picows": serve_picows,
}


def allow_descriptors(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=tuple(SERVERS))
    for field in Plan.__annotations__:
        parser.add_argument(f"--{field}", type=int, required=True)
    plan = parser.parse_args(namespace=Plan())
    allow_descriptors(2 * plan.clients + 512)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(SERVERS[plan.name](plan))  # type: ignore[arg-type]  # each is a coroutine


if __name__ == "__main__":
    main()
