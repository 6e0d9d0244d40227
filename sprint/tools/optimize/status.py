"""What is set on this host now, without changing anything; and what a running relay says of itself.

rows = untried_rows(fields, facts, "self")
relay = RelayTuning("http://127.0.0.1:8081")
told = relay.told()
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import msgspec

from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LevelFields
from sprint.core.optimize.permitted import refused_beforehand
from sprint.core.optimize.plan import TargetKind, plan
from sprint.core.optimize.setting import Setting, Value
from sprint.core.optimize.told import Row, Told, untried_row
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.python_runtime import PythonRuntime

PATH = "/api/optimize"
TIMEOUT_S = 10.0
ANSWER_SIZE_MAX = 8 << 20
_INTERRUPTS = Path("/proc/interrupts")
Decoded = TypeVar("Decoded")
WHERE = "start one by `sprint relay`, or say --pid N, or a command after --"


class NoRelay(UpstreamError):
    """Nothing answers where a relay's admin listener was looked for."""

    code = "no_relay"


def untried_rows(fields: LevelFields, facts: HostFacts, kind: TargetKind, pid: int) -> tuple[Row, ...]:
    """Return a row for each setting of a level as it is now in a process; nothing is changed."""
    actuators: Mapping[str, Actuator] = {**SYSTEM_ACTUATORS, **PythonRuntime().actuators()}
    return tuple(_untried(setting, facts, actuators, pid) for setting in plan(fields, facts, kind))


def _untried(setting: Setting, facts: HostFacts, actuators: Mapping[str, Actuator], pid: int) -> Row:
    actuator = actuators.get(setting.key)
    found: Value | None = None
    if actuator is not None and not setting.unsupported:
        try:
            found = actuator.read(pid)
        except OSError:
            found = None
    kept = actuator is not None and found is not None and actuator.meets(setting.value, found)
    return untried_row(setting, found, refused_beforehand(setting, facts), as_wanted=kept)


def read_interrupts() -> str:
    """Return /proc/interrupts; nothing where there is none."""
    try:
        return _INTERRUPTS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


class RelayTuning:
    """The tuning of a running relay, by its admin listener. NoRelay where none answers.

    ConfigError where its URL is none.
    """

    def __init__(self, admin_url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = admin_url.rstrip("/")
        try:
            self._client = httpx.Client(
                base_url=self.url, trust_env=False, timeout=TIMEOUT_S, transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigError(f"{admin_url!r} is no URL of an admin listener: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def told(self) -> Told:
        """Return how it is tuned."""
        return _decoded(self._ask("GET"), Told, self.url)

    def order(self, level: str, changes: Mapping[str, Any], origin: str, *, fallback: bool) -> Told:
        """Have it take a level; return what came of it."""
        body = {"level": level, "changes": changes, "origin": origin, "fallback": fallback}
        return _decoded(self._ask("PUT", body), Told, self.url)

    def take_back(self) -> tuple[Row, ...]:
        """Have it restore all that it has set."""
        return _decoded(self._ask("DELETE"), tuple[Row, ...], self.url)

    def metrics(self) -> str:
        """Return its metrics as Prometheus reads them."""
        return self._get("/metrics").decode()

    def _ask(self, method: str, body: object = None) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        return self._send(method, PATH, content)

    def _get(self, path: str) -> bytes:
        return self._send("GET", path, None)

    def _send(self, method: str, path: str, content: bytes | None) -> bytes:
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            answer = self._client.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise NoRelay(f"no relay answers at {self.url} ({error}); {WHERE}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NoRelay(f"{self.url} has no {path}: it is no relay's admin listener, whose port is 8081")
        if answer.status_code != httpx.codes.OK:
            raise NoRelay(f"{self.url}{path} answers {answer.status_code}: {answer.text[:500]}")
        if len(answer.content) > ANSWER_SIZE_MAX:
            raise NoRelay(
                f"{self.url}{path}: an answer of {len(answer.content)} bytes, limit {ANSWER_SIZE_MAX}"
            )
        return answer.content


def _decoded(content: bytes, kind: type[Decoded], url: str) -> Decoded:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise NoRelay(f"{url} is no relay's admin listener ({error})") from error
