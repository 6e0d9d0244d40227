"""Records that are published as JSON with a schema: reports of load tests, results of experiments."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from sprint.core.errors import ConfigError

Record = TypeVar("Record", bound=msgspec.Struct)


def encode_record(record: msgspec.Struct) -> bytes:
    """Return a record as JSON, indented, with a line end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode_record(kind: type[Record], data: bytes, *, name: str, size_max: int, wanted: str) -> Record:
    """Read a record; ConfigError, with the file's name, where it is too long, or not `wanted` or of later."""
    what, _, how = wanted.partition("; ")
    if len(data) > size_max:
        raise ConfigError(f"{name}: {len(data)} bytes, the limit of a {what.split()[0]} is {size_max}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: no {what} that this version reads: {error}; {how}") from error


def schema_of(kind: type[msgspec.Struct], schema_id: str, title: str) -> dict[str, Any]:
    """Return the JSON schema of a record, as plain JSON data."""
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind)))
    for record in schema["$defs"].values():
        # Its lines are indented by one Python and not by another.
        record["description"] = " ".join(record["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id,
        "title": title,
        **schema,
    }
