"""Records that are published: what is written is read back, and what isn't one is named."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.errors import ConfigError
from sprint.core.published import decode_record, encode_record, schema_of

WANTED = "measure of ours; write one with --json"


class Measure(msgspec.Struct, frozen=True):
    """So much,

    and when.
    """

    amount: int
    at: str = ""


def read(data: bytes, size_max: int = 1_000) -> Measure:
    return decode_record(Measure, data, name="one.json", size_max=size_max, wanted=WANTED)


def test_what_is_written_is_read_back() -> None:
    assert read(encode_record(Measure(3, "now"))) == Measure(3, "now")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"amount": "3"}', b"\xff"])
def test_what_is_none_is_refused_with_its_file_and_how_to_have_one(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"one\.json: no measure of ours .*; write one with --json"):
        read(data)


def test_one_byte_over_the_limit_is_not_read() -> None:
    data = encode_record(Measure(3))
    assert read(data, len(data)) == Measure(3)
    with pytest.raises(ConfigError, match=f"{len(data)} bytes, the limit of a measure is {len(data) - 1}"):
        read(data, len(data) - 1)


def test_a_schema_says_its_name_and_its_records_on_one_line() -> None:
    schema = schema_of(Measure, "measure.schema.json", "Measure")
    assert (schema["$id"], schema["title"]) == ("measure.schema.json", "Measure")
    assert schema["$defs"]["Measure"]["description"] == "So much, and when."
