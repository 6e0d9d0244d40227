"""A relay's admin API as the monitor asks it, against servers that are none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sprint.tools.monitor.relay_api import ANSWER_TIMEOUTS_MAX, RelayApi, RelayLost
from tests.tools.monitor.alert_receivers import dripping


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_who_drips_an_answer_is_lost_in_some_times_the_timeout(first: bytes) -> None:
    async def scene(port: int) -> None:
        api = RelayApi(f"http://127.0.0.1:{port}", timeout_s=0.1)
        try:
            with pytest.raises(RelayLost, match=rf"no whole answer in {ANSWER_TIMEOUTS_MAX * 0.1:g} s"):
                await api.get("/api/health", dict[str, Any])
        finally:
            await api.close()

    with dripping(first, b"X: b\r\n") as port:
        asyncio.run(scene(port))
