"""A relay's tuning asked for over its admin listener: what is said where something else answers."""

from __future__ import annotations

import httpx
import pytest

from sprint.tools.optimize.status import NoRelay, RelayTuning


def answering(status: int, text: str = "") -> RelayTuning:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    return RelayTuning("http://127.0.0.1:8335", transport=transport)


@pytest.mark.parametrize(("status", "text", "said"), [
    (404, '{"type":"/problems/not_found"}', "has no /api/optimize: it is no relay's admin listener"),
    (200, "<html>", "is no relay's admin listener"),
    (500, "out of order", "answers 500: out of order"),
])  # fmt: skip
def test_what_is_no_admin_listener_is_told_as_that(status: int, text: str, said: str) -> None:
    """The tier's own port, which stands first in the relay's output, gave a problem's JSON as a message."""
    with answering(status, text) as relay, pytest.raises(NoRelay, match=said):
        relay.told()
