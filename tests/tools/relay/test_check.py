"""`relay check` of a port that takes a connection and says nothing."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sprint.core.relay.source_url import parse_source
from sprint.tools.relay import check


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("p2p", "is the port not its P2P one?"),
        ("rpc", "is the port not its RPC one?"),
        ("zmq", "a node that was asked for ZMQ but has none?"),
    ],
)
def test_a_port_that_stays_silent_is_told_with_what_may_be_wrong(
    monkeypatch: pytest.MonkeyPatch, scheme: str, said: str
) -> None:
    monkeypatch.setattr(check, "CHECK_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        (found,) = asyncio.run(check.check_sources([parse_source(f"bitcoin:regtest={url}")]))
    assert not found.usable
    assert found.reason.startswith("no answer within 0 s: ")
    assert said in found.reason
