"""What problems say, whoever answers with them."""

from __future__ import annotations

import pytest

from sprint.tools.web.problems import PROBLEMS

# Of what the HTTP server itself refuses: relay, monitor and chaos have one.
OF_EVERY_SERVER = ("bad_request", "key_refused", "origin_refused", "read_only", "not_found", "host_refused")


@pytest.mark.parametrize("code", OF_EVERY_SERVER)
def test_what_every_server_refuses_speaks_of_no_relay(code: str) -> None:
    told = PROBLEMS[code]
    assert "relay" not in told.title + told.advice
