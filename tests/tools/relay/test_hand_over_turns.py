"""One event to many is handed over in turns of the loop, and whoever comes or goes between has each once."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.tools.relay.delivery import OFFERS_PER_TURN
from sprint.tools.relay.place import StartAsked
from tests.tools.relay.serving import Relay
from tests.tools.relay.test_delivery import ALL, Recorder, everything

SUBSCRIBERS = 1_000
SOME = 3 * OFFERS_PER_TURN


async def join(relay: Relay, subscriber: Recorder, start: str = "latest") -> None:
    place = await relay.delivery.locate(StartAsked(ALL, "latest" if start == "latest" else (start,)))
    assert await relay.delivery.follow(subscriber, everything(), place)


def test_no_turn_of_the_loop_writes_to_more_than_a_few_of_a_thousand_subscribers() -> None:
    async def main() -> None:
        relay, order = Relay(), list[Recorder]()
        subscribers = [Recorder(order=order) for _ in range(SUBSCRIBERS)]
        for subscriber in subscribers:
            await join(relay, subscriber)
        relay.block(1)
        in_turns = [len(order)]
        while len(order) < SUBSCRIBERS:
            await asyncio.sleep(0)
            in_turns.append(len(order) - sum(in_turns))
        assert max(in_turns) == OFFERS_PER_TURN
        assert order == subscribers
        relay.delivery.close()

    asyncio.run(main())


def test_finish_hands_over_all_that_was_published() -> None:
    async def main() -> None:
        relay = Relay()
        subscribers = [Recorder() for _ in range(SOME)]
        for subscriber in subscribers:
            await join(relay, subscriber)
        bodies = [relay.block(height).body for height in range(1, 6)]
        assert subscribers[-1].bodies == []
        relay.delivery.finish()
        assert [subscriber.bodies for subscriber in subscribers] == [bodies] * SOME
        await asyncio.sleep(0)
        assert subscribers[0].bodies == bodies
        relay.delivery.close()

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.integers(1, 3)),
            st.tuples(st.just("turns"), st.integers(1, 4)),
            st.tuples(st.sampled_from(("leave", "latest", "resume")), st.integers(0, SOME - 1)),
        ),
        max_size=25,
    )
)
def test_who_leaves_or_comes_back_amid_a_hand_over_has_every_event_once_and_in_order(
    steps: list[tuple[str, int]],
) -> None:
    """One that came back with a cursor could be given an event by its replay and by the turn under way."""

    async def main() -> None:
        relay = Relay()
        subscribers = [Recorder() for _ in range(SOME)]
        missed: list[set[int]] = [set() for _ in subscribers]
        left_at: dict[int, int] = {}
        for subscriber in subscribers:
            await join(relay, subscriber)
        published = 0
        for step, number in steps:
            if step == "publish":
                for _ in range(number):
                    published += 1
                    relay.block(published)
            elif step == "turns":
                for _ in range(number):
                    await asyncio.sleep(0)
            else:
                subscriber = subscribers[number]
                if relay.delivery.unsubscribe(subscriber):
                    left_at[number] = published if not relay.delivery._backlog else relay.delivery.position
                if step != "leave":
                    start = subscriber.cursor if step == "resume" and subscriber.cursor else "latest"
                    upto = relay.delivery.position
                    await join(relay, subscriber, start)
                    if start == "latest":
                        missed[number] |= set(range(left_at[number] + 1, upto + 1))
                    del left_at[number]
        relay.delivery.finish()
        for number, subscriber in enumerate(subscribers):
            last = left_at.get(number, published)
            expected = [each for each in range(1, last + 1) if each not in missed[number]]
            assert [seq for _, seq in subscriber.positions] == expected
        relay.delivery.close()

    asyncio.run(main())
