"""Bodies that change something: only as JSON that says so, which no form on a page can send."""

from __future__ import annotations

from typing import Any

from sprint.core.errors import RequestError
from sprint.tools.web.router import JSON_TYPE, Request

SHOWN_LENGTH_MAX = 64


async def json_body(request: Request) -> dict[str, Any]:
    """Read the object that a request's body is; RequestError where its type or content is another.

    A page of any origin may have a browser send a form or plain text without being asked; for JSON the
    browser asks first, and is refused.
    """
    given = [value for name, value in request.scope["headers"] if name == b"content-type"]
    kind = given[0].decode("latin-1") if len(given) == 1 else ""
    if kind.partition(";")[0].strip().lower() != JSON_TYPE:
        shown = ascii(kind[:SHOWN_LENGTH_MAX]) if given else "none"
        raise RequestError("not_json", f"Content-Type {shown}; want {JSON_TYPE}")
    if not any(name == b"content-length" and value.strip(b"0") for name, value in request.scope["headers"]):
        raise RequestError("bad_json", "no body; want a JSON object, {} where nothing is to be said")
    return await request.json_object()
