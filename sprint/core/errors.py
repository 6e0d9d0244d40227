"""Every error that Sprint raises on purpose, in one tree.

    SprintError                     code, what to do; one of these is never a bug by itself
    ├── ConfigError                 a setting or an option that cannot be (exit 2)
    ├── ProtocolError               a peer broke a rule; carries the penalty its score pays
    │   └── WireError               bytes that do not parse: truncated, oversized, malformed
    ├── RuleError                   a block breaks a rule of its chain; carries the check's name
    ├── CursorError                 a place in the event log that cannot be resumed from
    │   ├── CursorExpired           older than what is kept
    │   ├── CursorForeign           of another log
    │   └── CursorUnknown           malformed, or ahead of the log
    ├── StoreError                  the store cannot be used (exit 3)
    │   ├── StoreForeign            bound to another genesis block
    │   ├── StoreMismatch           its schema is newer than known, not migrated, or edited
    │   ├── MigrationFailed         a statement of a migration that the database refuses; carries its place
    │   └── StoreFailing            the disk refuses: full, read-only, failing
    ├── ListenError                 an address or port that cannot be listened on (exit 3)
    ├── UpstreamError               a source that cannot be reached or is not what it should be
    ├── RequestError                a request that is refused; carries the code of its problem
    ├── ClientError                 an answer of a relay that the client cannot use; carries its code
    ├── FaultError                  a fault of `cb-chaos` that could not be put on; nothing of it is on
    │   └── UndoFailed              one that could not be taken off; says what remains
    ├── CircuitOpenError            a call that a breaker did not let through; carries when to try again
    └── KernelError                 compiled kernels cannot be had, or give other answers than plain Python

Messages give the actual value and the limit. Foreign exceptions are mapped to these at the boundary
where they arise.
"""

from __future__ import annotations


class SprintError(Exception):
    """Root of the tree. `code` is stable and may be matched by programs."""

    code = "error"


class ConfigError(SprintError):
    """A setting or an option that cannot be."""

    code = "bad_config"


class ProtocolError(SprintError):
    """A peer broke a rule of its protocol.

    `penalty` is in score points; a session that has collected 100 is closed.
    """

    code = "protocol"

    def __init__(self, message: str, *, penalty: int = 100) -> None:
        super().__init__(message)
        self.penalty = penalty


class WireError(ProtocolError):
    """Bytes that do not parse. `kind` is the reason that is counted."""

    code = "wire"

    def __init__(self, message: str, *, kind: str = "malformed", penalty: int = 100) -> None:
        super().__init__(message, penalty=penalty)
        self.kind = kind


class RuleError(SprintError):
    """A block that breaks a rule of its chain.

    `check` names the rule. `mutated` is true where the body does not belong to the header, so that
    another source may still have the true body; false where the block itself can never be valid.
    `early` is true of a header that is only ahead of its time.
    """

    code = "rule"

    def __init__(self, check: str, message: str, *, mutated: bool = False, early: bool = False) -> None:
        super().__init__(message)
        self.check = check
        self.mutated = mutated
        self.early = early


class CursorError(SprintError):
    """A place in the event log that cannot be resumed from."""

    code = "cursor"


class CursorExpired(CursorError):
    """Older than what is kept. `earliest` is the oldest cursor that still resolves."""

    code = "cursor_expired"

    def __init__(self, message: str, *, earliest: str) -> None:
        super().__init__(message)
        self.earliest = earliest


class CursorForeign(CursorError):
    """Of another log."""

    code = "cursor_foreign"


class CursorUnknown(CursorError):
    """Malformed, or ahead of the log."""

    code = "cursor_unknown"


class StoreError(SprintError):
    """The store cannot be used."""

    code = "store"


class StoreForeign(StoreError):
    """The store is bound to another genesis block."""

    code = "store_foreign"


class StoreMismatch(StoreError):
    """The schema is newer than this version knows, not migrated, or an applied file was edited."""

    code = "store_mismatch"


class MigrationFailed(StoreError):
    """A statement of a migration that the database refuses, or a verify section that does not hold.

    `place` is statement, line and column within `file`, each from 1. `then` says what became of the rest.
    """

    code = "migration_failed"

    def __init__(self, file: str, reason: str, place: tuple[int, int, int], then: str = "") -> None:
        statement, line, column = place
        where = f"{file}: statement {statement} at line {line}, column {column}"
        super().__init__(f"{where}: {reason}" + (f"; {then}" if then else ""))
        self.file = file
        self.reason = reason
        self.place = place
        self.then = then

    def ended(self, then: str) -> MigrationFailed:
        """Return the same failure with what became of the rest."""
        return MigrationFailed(self.file, self.reason, self.place, then)


class StoreFailing(StoreError):
    """The disk or the database refuses: full, read-only, failing, not reached."""

    code = "store_failing"


class ListenError(SprintError):
    """An address or port that cannot be listened on."""

    code = "listen"


class UpstreamError(SprintError):
    """A source that cannot be reached or is not what it should be."""

    code = "upstream"


class RequestError(SprintError):
    """A request that is refused. `code` is one of the problems that `/problems` lists."""

    code = "bad_request"

    def __init__(self, code: str, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers


class ClientError(SprintError):
    """An answer of a relay that the client cannot use."""

    code = "client"

    def __init__(self, message: str, *, code: str = "client") -> None:
        super().__init__(message)
        self.code = code


class FaultError(SprintError):
    """A fault that could not be put on. What had been done of it was undone, or is named as what remains."""

    code = "fault"


class UndoFailed(FaultError):
    """A fault that could not be taken off. The message says what remains."""

    code = "undo_failed"


class CircuitOpenError(SprintError):
    """A call that a breaker did not let through.

    `retry_after_s` is in seconds; None where the breaker was forced open and only an operator ends that.
    """

    code = "circuit_open"

    def __init__(self, breaker: str, state: str, reason: str, retry_after_s: float | None) -> None:
        super().__init__(breaker, state, reason, retry_after_s)
        self.breaker = breaker
        self.state = state
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        if self.retry_after_s is None:
            then = "an operator has to release it"
        else:
            then = f"try again in {self.retry_after_s:.3g} s"
        return f"breaker {self.breaker!r} is {self.state}: {self.reason}; {then}"


class KernelError(SprintError):
    """Compiled kernels cannot be had on this machine, or give other answers than plain Python."""

    code = "kernel"
