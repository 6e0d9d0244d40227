"""What a relay's admin listener says of its breakers and sources, for tests that wait for it."""

from __future__ import annotations

from typing import Any, Self

import httpx

from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

TIMEOUT_S = 10.0


class RelayBreakers:
    """The admin API of one relay, as far as breakers and sources go."""

    def __init__(self, relay: RelayProcess) -> None:
        assert relay.serving.admin is not None
        self._client = httpx.Client(base_url=relay.serving.admin, timeout=TIMEOUT_S)

    def __repr__(self) -> str:
        return f"RelayBreakers({self._client.base_url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def source(self, name: str) -> dict[str, Any]:
        """What `/api/sources` says of one source."""
        chains = self._client.get("/api/sources").json()["sources"]
        (found,) = [each for sources in chains.values() for each in sources if each["name"] == name]
        return dict(found)

    def explain(self, breaker: str) -> dict[str, Any]:
        answer = self._client.get(f"/api/breakers/{breaker}")
        assert answer.status_code == httpx.codes.OK, answer.text
        return dict(answer.json())

    def order(self, breaker: str, action: str) -> None:
        body = {"action": action, "reason": "a test"}
        answer = self._client.post(f"/api/breakers/{breaker}/state", json=body)
        assert answer.status_code == httpx.codes.OK, answer.text

    def wait_for_state(self, breaker: str, state: str, timeout_s: float) -> dict[str, Any]:
        what = f"{breaker} is {state}"
        wait_until(lambda: self.explain(breaker)["state"] == state, what, timeout_s=timeout_s)
        return self.explain(breaker)

    def history(self, breaker: str) -> list[dict[str, Any]]:
        return list(self._client.get(f"/api/breakers/{breaker}/history").json()["transitions"])
