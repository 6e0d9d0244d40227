"""Who is told of transitions: in order, outside of every lock, and without being able to break a call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

from sprint.core.breaker.transitions import Transition
from sprint.core.errors import ConfigError

Listener = Callable[[Transition], object]

LISTENERS_MAX = 64
# Transitions that wait while a listener is being told; the oldest are dropped beyond it, and counted.
WAITING_MAX = 256

_logger = logging.getLogger(__name__)


class Listeners:
    """The listeners of one breaker. `errors` counts what they raised, `dropped` what came too fast."""

    def __init__(self) -> None:
        self.errors = 0
        self.dropped = 0
        self._listeners: tuple[Listener, ...] = ()
        self._waiting: deque[Transition] = deque(maxlen=WAITING_MAX)
        self._telling = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Tell a listener of every transition from now on. It is called by whoever caused the transition."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise ConfigError(f"{LISTENERS_MAX} listeners are the limit; let one tell the others")
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tell a listener no more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def queue(self, news: Iterable[Transition]) -> None:
        """Let transitions wait to be told; called under the breaker's lock, so that they are in order."""
        for transition in news:
            self.dropped += len(self._waiting) == WAITING_MAX
            self._waiting.append(transition)

    def tell(self) -> None:
        """Tell what waits. One thread tells at a time; what a listener causes is told after it."""
        while self._waiting and self._telling.acquire(blocking=False):
            try:
                while self._waiting:
                    self._tell_one(self._waiting.popleft())
            finally:
                self._telling.release()

    def _tell_one(self, transition: Transition) -> None:
        for listener in self._listeners:
            try:
                listener(transition)
            except Exception:  # what a listener does wrong must not become an error of the guarded call
                self.errors += 1
                _logger.exception("breaker %r: the listener %r failed", transition.breaker, listener)
