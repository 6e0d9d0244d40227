"""A fault proxy as a process of its own in front of one port, told over HTTP as a user tells it.

    with FaultProxyProcess(devnet.port) as proxy:
        proxy.add(kind="latency", latency_ms=200)

It ends with the `with` block, and with whoever started it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Self

import httpx

from tests.integration.real_servers import HOST

NAME = "node"
STOP_TIMEOUT_S = 10.0


class FaultProxyProcess:
    """One running proxy. `port` is where it listens, `control_url` where it is told."""

    def __init__(self, target_port: int, *, seed: str = "0") -> None:
        command = [sys.executable, "-m", "sprint.tools.faultproxy", "--until-eof", "--seed", seed]
        self._process = subprocess.Popen(
            [*command, "--proxy", f"{NAME}={HOST}:{target_port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.port = int(told["proxies"][NAME].rpartition(":")[2])
        self.control_url = str(told["control"])
        self._client = httpx.Client(base_url=self.control_url, trust_env=False, timeout=STOP_TIMEOUT_S)

    def __repr__(self) -> str:
        return f"FaultProxyProcess(port={self.port}, exit_code={self._process.poll()})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def add(self, **fields: Any) -> dict[str, Any]:
        """Put a toxic on; its row."""
        return self._asked("POST", f"/api/proxies/{NAME}/toxics", fields)["toxic"]  # type: ignore[no-any-return]

    def remove(self, name: str) -> dict[str, Any]:
        """Take a toxic off; its row, with all that it has done."""
        return self._asked("DELETE", f"/api/proxies/{NAME}/toxics/{name}")["toxic"]  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Take all toxics off."""
        self._asked("POST", "/api/faults/reset", {})

    def view(self) -> dict[str, Any]:
        """The proxy as it is shown."""
        return self._asked("GET", f"/api/proxies/{NAME}")

    def _asked(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._client.request(method, path, json=fields)
        assert answer.is_success, answer.text
        return dict(answer.json())
