"""The problems a request can meet: one published list of codes, and the RFC 9457 bodies made from it.

A code is the same on HTTP (`type` is `/problems/{code}`) and on WebSocket (`code` of an error message).
The list is served at `/problems`; a code is never renamed or given another meaning.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from sprint.core.errors import CursorError, CursorExpired, RequestError, SprintError

CONTENT_TYPE = "application/problem+json"


class ProblemKind(msgspec.Struct, frozen=True):
    """One entry of the list. `advice` says what to do about it."""

    code: str
    status: int
    title: str
    advice: str


PROBLEMS: dict[str, ProblemKind] = {
    kind.code: kind
    for kind in (
        ProblemKind("bad_request", 400, "Not an HTTP request", "Send well-formed HTTP/1.1."),
        ProblemKind("bad_query", 400, "A value cannot be used", "Correct the value that `detail` names."),
        ProblemKind("bad_json", 400, "Not a JSON object", "Send one JSON object per message or body."),
        ProblemKind("bad_op", 400, "Unknown or incomplete op", "Use subscribe, unsubscribe, ping or ack."),
        ProblemKind("too_many", 400, "Too many names in one list", "Ask for fewer, or leave it out for all."),
        ProblemKind("unknown_type", 400, "No such event type", "Use the types that `detail` lists."),
        ProblemKind("cursor_unknown", 400, "Not a cursor of this log", "Take one from an event's `cursor`."),
        ProblemKind("key_refused", 401, "No key, or another one", "Send `Authorization: Bearer KEY`."),
        ProblemKind("origin_refused", 403, "A page of another origin", "Call from the origin asked."),
        ProblemKind(
            "read_only", 403, "Nothing is changed here", "Ask one that is live and not `--read-only`."
        ),
        ProblemKind("not_found", 404, "No such path", "See the API reference for the paths."),
        ProblemKind("unknown_chain", 404, "No such chain here", "`/api/v1/chains` lists those served."),
        ProblemKind("unknown_breaker", 404, "No such breaker here", "`GET /api/breakers` lists them."),
        ProblemKind("unknown_source", 404, "No such source here", "`GET /api/sources` lists them."),
        ProblemKind("unknown_relay", 404, "No such relay here", "`GET /api/breakers` lists them."),
        ProblemKind("unknown_alert", 404, "No such alert stands", "`GET /api/alerts` lists them."),
        ProblemKind("unknown_silence", 404, "No such silence", "`GET /api/silences` lists them."),
        ProblemKind("block_not_found", 404, "No such block delivered", "Check the hash, or wait for it."),
        ProblemKind("method_not_allowed", 405, "Not with this method", "Use a method that `Allow` lists."),
        ProblemKind("which_relay", 409, "Several relays have it", "Say which with `?relay=NAME`."),
        ProblemKind("no_alerts", 409, "No alerts are raised here", "Start the monitor with `--alerts`."),
        ProblemKind("last_source", 409, "The last source", "Add another one first, or stop the relay."),
        ProblemKind("source_refused", 409, "A source that can't be had now", "See what `detail` says."),
        ProblemKind("run_going_on", 409, "A run goes on already", "Stop it, or wait for its end."),
        ProblemKind("cursor_foreign", 409, "A cursor of another log", "Start from `earliest` or `latest`."),
        ProblemKind("cursor_expired", 410, "Older than what is kept", "Start from the cursor in `earliest`."),
        ProblemKind("length_required", 411, "A body of untold length", "Send it with Content-Length."),
        ProblemKind("body_too_large", 413, "A body that is not read here", "Send none, or a shorter one."),
        ProblemKind("target_too_long", 414, "The request target is too long", "Shorten the query."),
        ProblemKind("not_json", 415, "A body that isn't JSON", "Send it as `application/json`."),
        ProblemKind(
            "host_refused", 421, "A Host that is not served", "Use 127.0.0.1, or the host it serves at."
        ),
        ProblemKind("upgrade_required", 426, "This path is a WebSocket", "Open it with a WebSocket client."),
        ProblemKind("headers_too_large", 431, "The request head is too big", "Send fewer, shorter headers."),
        ProblemKind("internal", 500, "The relay failed", "Try again; if it stays, report it with the log."),
        ProblemKind("relay_lost", 502, "The relay can't be asked", "See that it runs, and try again."),
        ProblemKind("too_many_connections", 503, "The connection limit is reached", "Close some, or wait."),
        ProblemKind("not_ready", 503, "The relay is not ready", "Try again shortly."),
        ProblemKind("slow", 503, "The reader was too slow", "Read faster; resume from the cursor given."),
    )
}


def problem_body(code: str, detail: str, **members: str | None) -> bytes:
    """Encode one problem; `members` are extension members, left out where None."""
    kind = PROBLEMS[code]
    return msgspec.json.encode(
        {
            "type": f"/problems/{code}",
            "title": kind.title,
            "status": kind.status,
            "code": code,
            "detail": detail,
            "advice": kind.advice,
            **{name: value for name, value in members.items() if value is not None},
        }
    )


def code_of(error: SprintError) -> str:
    """Return the problem code of an error that a request may raise; `internal` for any other."""
    known = isinstance(error, RequestError | CursorError) and error.code in PROBLEMS
    return error.code if known else "internal"


def body_of(error: SprintError) -> bytes:
    """Encode an error as a problem, with the earliest cursor where that is what to do next."""
    code = code_of(error)
    if code == "internal":
        return problem_body(code, "an error that is not the request's; the relay's log has it")
    earliest = error.earliest if isinstance(error, CursorExpired) else None
    return problem_body(code, str(error), earliest=earliest)


def raw_response(body: bytes, status: int, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Write a whole HTTP response that ends its connection, for where no request could be made out."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body


def raw_problem(code: str, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Write a problem as a whole HTTP response that ends its connection."""
    return raw_response(problem_body(code, detail), PROBLEMS[code].status, headers)
