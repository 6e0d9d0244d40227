"""The faults of a load test: as they are asked for, `latency:latency_ms=200,jitter_ms=50`, and what they did.

They are the fault proxy's toxics with its words. Where a fault says nothing of it, its direction is
downstream, so that a latency of 200 ms makes an answer 200 ms later and not 400, and its share of connections
is the failure rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import toxic_of
from sprint.core.faultproxy.toxics import (
    KINDS,
    TOXICS_PER_PROXY_MAX,
    Direction,
    Kind,
    Toxic,
)

FAULT_LENGTH_MAX = 500
_COUNTED = ("connections_met", "connections_reset", "connections_closed", "bytes_delayed", "bytes_dropped")
_FORM = "write it as KIND:KEY=VALUE,KEY=VALUE, as latency:latency_ms=200,jitter_ms=50"


class FaultDone(msgspec.Struct, frozen=True, kw_only=True):
    """A fault on the way to the target, and what it did.

    `share` of the connections had it, 0 to 1; `ttl_ms` after the proxy's start it was gone, null if it
    stayed.
    """

    name: str
    kind: str
    direction: str
    share: float
    ttl_ms: int | None
    figures: dict[str, int]
    connections_met: int
    connections_reset: int
    connections_closed: int
    bytes_delayed: int
    bytes_dropped: int


def parse_faults(texts: Sequence[str], share: float | None) -> tuple[Toxic, ...]:
    """Read what `--fault` was given; `share` is the failure rate, None where it was not given.

    ConfigError names the fault and what would be right.
    """
    if len(texts) > TOXICS_PER_PROXY_MAX:
        raise ConfigError(f"--fault: {len(texts)} of them, limit {TOXICS_PER_PROXY_MAX}")
    found: list[Toxic] = []
    for text in texts:
        try:
            found.append(_fault(text, share, [each.name for each in found]))
        except ConfigError as error:
            raise ConfigError(f"--fault {text[:FAULT_LENGTH_MAX]!r}: {error}") from error
    if found and share is not None and not any(KINDS[each.kind].one_way for each in found):
        raise ConfigError(
            f"--failure-rate {share:g}: the fault `down` is of the whole target, it has no share of the "
            "connections; leave the rate out, or take `--fault reset`"
        )
    return tuple(found)


def reset_fault(share: float) -> Toxic:
    """Return the fault of `--chaos` alone: so many of the connections are reset."""
    return toxic_of({"kind": "reset", "direction": "downstream", "toxicity": share})


def fields_of(fault: Toxic) -> dict[str, Any]:
    """Return a fault in the words of the fault proxy's API."""
    fields: dict[str, Any] = {
        "name": fault.name,
        "kind": str(fault.kind),
        "direction": str(fault.direction),
        "toxicity": fault.toxicity,
    }
    return fields | ({} if fault.ttl_ms is None else {"ttl_ms": fault.ttl_ms}) | fault.figures


def fault_text(fault: Toxic) -> str:
    """Return a fault in words: `latency (latency_ms 200), downstream, on 0.1 of connections`."""
    figures = dict(fault.figures) | ({} if fault.ttl_ms is None else {"ttl_ms": fault.ttl_ms})
    shown = ", ".join(f"{name} {value}" for name, value in figures.items())
    text = f"{fault.kind} ({shown})" if shown else str(fault.kind)
    if not KINDS[fault.kind].one_way:
        return text
    share = "all" if fault.toxicity == 1 else f"{fault.toxicity:.3g} of"
    return f"{text}, {way_text(fault.direction)}, on {share} connections"


def way_text(direction: str) -> str:
    """Return a direction as a reader knows it."""
    return "both ways" if direction == Direction.BOTH else str(direction)


def fault_done(row: Mapping[str, Any]) -> FaultDone:
    """Return what a fault did, as a report tells it, of its row in the fault proxy's API."""
    return FaultDone(
        share=row["toxicity"],
        **{name: row[name] for name in ("name", "kind", "direction", "ttl_ms", "figures")},
        **{name: row["counts"][name] for name in _COUNTED},
    )


def _fault(text: str, share: float | None, taken: Sequence[str]) -> Toxic:
    """Read one fault; without a name of its own it has that of its kind, numbered where that is taken."""
    if len(text) > FAULT_LENGTH_MAX:
        raise ConfigError(f"{len(text)} characters, limit {FAULT_LENGTH_MAX}")
    kind, _, rest = text.partition(":")
    fields: dict[str, Any] = {"kind": kind.strip()}
    for part in rest.split(",") if rest else ():
        key, equals, value = (word.strip() for word in part.partition("="))
        if not (key and equals and value):
            raise ConfigError(f"{part.strip()!r} is no figure; {_FORM}")
        if key in fields:
            raise ConfigError(f"{key} is said twice; {_FORM}")
        fields[key] = _value(key, value)
    if fields["kind"] in list(Kind) and KINDS[Kind(fields["kind"])].one_way:
        fields = {"direction": "downstream", "toxicity": 1.0 if share is None else share} | fields
    fault = toxic_of(fields)
    if "name" not in fields and fault.name in taken:
        number = next(n for n in range(2, len(taken) + 3) if f"{fault.name}-{n}" not in taken)
        fault = msgspec.structs.replace(fault, name=f"{fault.name}-{number}")
    if fault.name in taken:
        raise ConfigError(f"name: {fault.name!r} is taken by another fault")
    return fault


def _value(key: str, value: str) -> str | int | float:
    """Return a value as the API has it: a whole number, a share, or a word."""
    if key == "name":
        return value
    try:
        return float(value) if key == "toxicity" else int(value)
    except ValueError:
        return value  # which whoever reads it refuses with what is wanted
