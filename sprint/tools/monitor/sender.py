"""Sends what waits for one sink, the oldest first, under a breaker, until the sink has confirmed it.

A message is forgotten when it is confirmed. Where the process dies between the two, or a confirmation is
lost, it is sent again: a receiver tells it by the alert's `id` and `number`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sprint.core.breaker.policy import BackoffPolicy, Policy, WindowPolicy
from sprint.core.errors import CircuitOpenError, StoreError
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.monitor.alert_store import AlertStore, Waiting
from sprint.tools.monitor.sinks.sink import Sink, SinkFailed, SinkRefused

RETRY_S_MIN = 0.25
RETRY_S_MAX = 30.0
ATTEMPTS_COUNTED_MAX = 16
FAILURES_TO_OPEN = 5

log = logging.getLogger(__name__)


class Sender:
    """One sink's way out of the outbox. `failed` counts attempts, the other numbers alerts."""

    def __init__(self, sink: Sink, store: AlertStore, waiting: int = 0) -> None:
        self.sink = sink
        self.sent = 0
        self.refused = 0
        self.failed = 0
        self.waiting = waiting
        self.failure = ""
        self._store = store
        self._more = asyncio.Event()
        self._batch_max = sink.batch_max
        self._settled: list[Waiting] = []
        self._attempts = 0
        policy = Policy(
            name="alert_sink",
            failures_to_open=FAILURES_TO_OPEN,
            failure_rate_max=None,
            slow_rate_max=None,
            half_open_calls=1,
            backoff=BackoffPolicy(base_s=RETRY_S_MIN, longest_s=RETRY_S_MAX),
            window=WindowPolicy(),
        )
        self.breaker = CircuitBreaker(f"alerts:{sink.kind}:{sink.where}", policy)

    def __repr__(self) -> str:
        return f"Sender({self.sink!r})"

    def shown(self) -> dict[str, Any]:
        """Return how it does: alerts that it sent and that were refused since the start, and that wait."""
        return {
            "kind": self.sink.kind,
            "where": self.sink.where,
            "sent": self.sent,
            "refused": self.refused,
            "failed": self.failed,
            "waiting": self.waiting,
            "failure": self.failure,
            "breaker": self.breaker.state,
        }

    def wake(self, more: int) -> None:
        """Say that there is so much more to send."""
        self.waiting += more
        if more:
            self._more.set()

    async def run(self) -> None:
        """Send until it is cancelled."""
        while True:
            self._more.clear()
            try:
                if self._settled:
                    await self._forget(self._settled)
                batch = await asyncio.to_thread(self._store.waiting, self.sink.name, self._batch_max)
                if batch:
                    await self._send(batch)
                else:
                    await self._more.wait()
            except StoreError as error:
                await self._failed(str(error))
            except Exception as error:  # a mistake of ours must not end the way of all that comes after it
                log.exception("alerts wait: %r failed", self.sink)
                await self._failed(f"{type(error).__name__}; the log has it")

    async def _send(self, batch: list[Waiting]) -> None:
        try:
            async with self.breaker:
                await self.sink.send([each.alert for each in batch])
        except CircuitOpenError as error:
            await asyncio.sleep(max(RETRY_S_MIN, min(error.retry_after_s or RETRY_S_MAX, RETRY_S_MAX)))
        except SinkFailed as error:
            await self._failed(str(error))
        except SinkRefused as error:
            await self._refused(batch, str(error))
        else:
            self.sent += len(batch)
            self.failure, self._attempts, self._batch_max = "", 0, self.sink.batch_max
            await self._forget(batch)

    async def _failed(self, why: str) -> None:
        """Wait before the next attempt; what is said of the first holds for those that follow."""
        if not self.failure:
            log.warning("alerts wait: %s", why)
        self.failure = why
        self.failed += 1
        self._attempts = min(self._attempts + 1, ATTEMPTS_COUNTED_MAX)
        await asyncio.sleep(min(RETRY_S_MIN * 2 ** (self._attempts - 1), RETRY_S_MAX))

    async def _refused(self, batch: list[Waiting], why: str) -> None:
        """Give up the one message that is refused; where it is one of several, find it first."""
        if len(batch) > 1:
            self._batch_max = 1
            return
        alert = batch[0].alert
        log.error("alert %s #%d is given up: %s", alert.id, alert.number, why)
        self.refused += 1
        await self._forget(batch)

    async def _forget(self, batch: list[Waiting]) -> None:
        """Forget what is settled, also where we are cancelled meanwhile: it would be sent again.

        Where the disk does not take that down it is tried again, before anything else is sent.
        """
        self._settled = batch
        forgotten = asyncio.ensure_future(asyncio.to_thread(self._store.done, batch))
        try:
            await asyncio.shield(forgotten)
        except asyncio.CancelledError:
            await forgotten
            raise
        self._settled = []
        self.waiting = max(0, self.waiting - len(batch))
