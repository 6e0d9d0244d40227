"""A block event as JSON, beside json and orjson; and how often it is encoded for 1,000 subscribers.

    python -m tests.bench.bench_json [--rounds N]

Each is given the event in its own best form, made beforehand: the struct for us, a dict of the same names and
values for the others; all write the same members. `EventLog.append` is the whole step: number, cursor and
encoding. The last figure counts how often bytes are made of an event that 1,000 WebSocket subscribers take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from unittest.mock import patch

import msgspec
import orjson

from sprint.core.model import BlockEvent, EventData
from sprint.core.relay import event_log
from sprint.core.relay.event_log import EventLog
from sprint.core.relay.fanout import Subscription
from sprint.tools.relay import delivery, hand_over
from sprint.tools.relay.hand_over import Encode
from sprint.tools.relay.place import Place
from sprint.tools.web.websocket import encode_text_frame
from tests.bench.figures import environment
from tests.bench.rows import tell
from tests.bench.side_by_side import Run, lines, measure, tell_ratio, timed
from tests.tools.relay.serving import LOG_ID, Relay, block_data, policy

CALLS = 2_000
SUBSCRIBERS = 1_000
EVENTS = 20
OURS, APPEND = "msgspec, the struct", "EventLog.append: number, cursor, encoding"


class Counting:
    """A WebSocket subscriber that only counts."""

    window = None

    def __init__(self, encode: Encode) -> None:
        self.encode = encode
        self.taken = 0

    def offer(self, frame: bytes, cursor: str) -> bool:
        self.taken += 1
        return True

    def offer_run(self, frames: Sequence[bytes], cursors: Sequence[str], joined: bytes) -> bool:
        self.taken += len(frames)
        return True

    async def drained(self) -> bool:
        return True

    def close_slow(self) -> None:
        raise AssertionError("nothing here is slow")


def again(call: Callable[[], object]) -> Run:
    def work() -> None:
        for _ in range(CALLS):
            call()

    return lambda _: timed(work, CALLS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of an event's JSON")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    data: EventData = block_data(840_000)
    log = EventLog(LOG_ID, 0, {})
    logged = log.append("bitcoin", data)
    event = msgspec.json.decode(logged.body, type=BlockEvent)
    members = json.loads(logged.body)
    compact = json.JSONEncoder(separators=(",", ":"))
    encoder = msgspec.json.Encoder()
    same(members, encoder.encode(event), orjson.dumps(members))
    runs = {
        "json": again(lambda: compact.encode(members).encode()),
        "orjson": again(partial(orjson.dumps, members)),
        OURS: again(partial(encoder.encode, event)),
        APPEND: again(partial(log.append, "bitcoin", data)),
    }
    print(environment())
    taken = measure(runs, options.rounds)
    print(f"{len(logged.body)} bytes")
    print(*lines(taken), sep="\n")
    for peer in ("json", "orjson"):
        tell_ratio(f"JSON of a block event / {peer}", taken, OURS, peer)
    made = asyncio.run(encodings())
    tell("encodings of an event for 1,000 subscribers", made, ours=f"{made:g} as JSON, {made:g} as a frame")


def same(members: object, *encoded: bytes) -> None:
    for each in encoded:
        if json.loads(each) != members:
            raise AssertionError("an encoder writes another event")


async def encodings() -> float:
    """Return how often an event was encoded, as JSON and as a frame alike, for all its subscribers."""
    calls: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., bytes]) -> Callable[..., bytes]:
        def count(value: object) -> bytes:
            calls[name] += 1
            return call(value)

        return count

    frame = counted("frame", encode_text_frame)
    with (
        patch.object(delivery, "encode_text_frame", frame),
        patch.object(hand_over, "encode_text_frame", frame),
        patch.object(event_log, "_encode", counted("json", event_log._encode)),
    ):
        relay = Relay()
        subscribers = [Counting(frame) for _ in range(SUBSCRIBERS)]
        place = Place.of_log(LOG_ID, ("bitcoin",), 0)
        wanted = Subscription(frozenset({"bitcoin"}), frozenset({"block"}), policy())
        for subscriber in subscribers:
            await relay.delivery.follow(subscriber, wanted, place)
        for height in range(1, EVENTS + 1):
            relay.block(height)
            relay.delivery.finish()
        relay.delivery.close()
    if any(subscriber.taken != EVENTS for subscriber in subscribers) or calls["json"] != calls["frame"]:
        raise AssertionError(f"{calls} for {EVENTS} events")
    return calls["frame"] / EVENTS


if __name__ == "__main__":
    main()
