"""What a generator has told is with the system when it ends, however slow its parent is to read."""

from __future__ import annotations

import asyncio
import os

import pytest

from sprint.tools import runtime
from sprint.tools.loadtest.generator import handed_over

LEFT_SIZE = 10_000  # less than a transport holds before it says that it has enough
TURNS = 20


@pytest.mark.parametrize("run", [runtime.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_the_end_of_what_was_told_is_not_lost_with_the_generator(run: object) -> None:
    """The last seconds of a run were missing, as lost with a generator that had ended with code 0."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(writing, "wb")
        )
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        os.set_blocking(reading, False)
        try:
            size = fill(writer)
            handing = asyncio.create_task(handed_over(writer))
            for _ in range(TURNS):
                await asyncio.sleep(0)
            was_done = handing.done()
            async with asyncio.timeout(10):
                await all_read(reading, size)
                await handing
        finally:
            transport.abort()
            os.close(reading)
        assert not was_done

    assert callable(run)
    run(main())


def fill(writer: asyncio.StreamWriter) -> int:
    """Write until so much as `LEFT_SIZE` at least is left with us; return how much was written."""
    size = 0
    while writer.transport.get_write_buffer_size() < LEFT_SIZE:
        writer.write(bytes(LEFT_SIZE))
        size += LEFT_SIZE
    return size


async def all_read(reading: int, size: int) -> None:
    while size:
        try:
            size -= len(os.read(reading, size))
        except BlockingIOError:
            await asyncio.sleep(0)
