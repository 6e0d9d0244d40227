"""The object that a body is: read strictly, so that nothing of it is passed over in silence."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from sprint.core.errors import RequestError

SHOWN_LENGTH_MAX = 40


def object_of(body: bytes) -> dict[str, Any]:
    """Read an object, or nothing at all; RequestError where it is neither, or where a key stands twice.

    Of a key that stands twice a reader takes the first or the last, so that another may have been meant.
    """
    if not body.strip():
        return {}
    try:
        found = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RequestError("bad_json", f"the body: {_said(error, body)}") from error
    if not isinstance(found, dict):
        raise RequestError("bad_json", f"the body is a JSON {_kind(found)}; want an object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {ascii(key)[:SHOWN_LENGTH_MAX]} stands twice; leave one of them out")
        seen.add(key)
    return dict(pairs)


def _said(error: ValueError | RecursionError, body: bytes) -> str:
    """Say what is wrong; half of a pair of escapes is told by the reader as a body that ends too soon."""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as half:
        escape = ascii(half.object[half.start])[1:-1]
        return f"{escape} alone is no character: it is half of a pair; escape both or neither"
    except (ValueError, RecursionError):
        return str(error)
    return str(error)


def _kind(value: object) -> str:
    kinds = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
