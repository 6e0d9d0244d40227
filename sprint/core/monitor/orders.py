"""What an operator may tell a breaker: read from the body of a request, refused with key and reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from sprint.core.errors import ConfigError

Action = Literal["force_open", "force_close", "release", "reset"]
ACTIONS: tuple[Action, ...] = get_args(Action)
# Who it was, in logs, histories and the evidence of transitions.
OPERATOR = "operator via admin API"
REASON_LENGTH_MAX = 200
SHOWN_LENGTH_MAX = 40


class Order(msgspec.Struct, frozen=True):
    """One word of an operator and why."""

    action: str
    reason: str


def order_of(fields: Mapping[str, Any], actions: tuple[str, ...] = ACTIONS) -> Order:
    """Read `{"action": …, "reason": …}`; `ConfigError` names the key and what would be right."""
    refuse_unknown(fields, "action", "reason")
    action = fields.get("action")
    if action not in actions:
        raise ConfigError(f"action: {shown(action)}; want one of {', '.join(actions)}")
    return Order(str(action), reason_of(fields))


def reason_of(fields: Mapping[str, Any]) -> str:
    """Return the reason of some fields, empty where there is none. It goes into logs, so it is one line."""
    reason = fields.get("reason", "")
    if isinstance(reason, str) and reason.isspace():
        raise ConfigError("reason: blank; say why, or leave it out")
    if not isinstance(reason, str) or not reason.isprintable() or len(reason) > REASON_LENGTH_MAX:
        what = f"{len(reason)} characters" if isinstance(reason, str) else shown(reason)
        raise ConfigError(f"reason: {what}; want one line of up to {REASON_LENGTH_MAX} printable characters")
    return reason


def refuse_unknown(fields: Mapping[str, Any], *known: str) -> None:
    """Refuse a key that is not known: a misspelt one must not be passed over."""
    unknown = next((key for key in fields if key not in known), None)
    if unknown is not None:
        there_is = f"there is {', '.join(known)}" if known else "none is taken here"
        raise ConfigError(f"no key {shown(unknown)}; {there_is}")


def shown(value: object) -> str:
    """Return a value as a message may repeat it."""
    return "nothing" if value is None else ascii(value)[:SHOWN_LENGTH_MAX]
