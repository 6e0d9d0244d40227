"""Setting a key in a TOML text: the result says exactly that, and everything else of the text stays."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config.toml_text import document, literal, set_in_text, with_value

FILE = """\
# The relay of rack 4.
[relay]
tiers = ["free", "business"]   # two of them
host = "127.0.0.1"

[[chains.bitcoin.sources]]     # the first
url = "p2p://127.0.0.1:8333"

[chains.bitcoin]
quorum = 1

[log]
level = "info" # not "debug" # yet
"""


def edited(path: str, value: Any, text: str = FILE) -> str:
    result = set_in_text(text, path.split("."), value)
    assert result.kept
    assert tomllib.loads(result.text) == with_value(tomllib.loads(text), path.split("."), value)
    return result.text


def test_a_value_is_replaced_in_its_line_and_the_comment_stays() -> None:
    assert edited("log.level", "error") == FILE.replace('level = "info"', 'level = "error"')
    assert edited("relay.tiers", ("turbo",)) == FILE.replace('["free", "business"]', '["turbo"]')


def test_a_new_key_goes_to_the_end_of_its_table() -> None:
    assert edited("chains.bitcoin.gap_after_s", 5.0) == FILE.replace(
        "quorum = 1\n", "quorum = 1\ngap_after_s = 5.0\n"
    )
    assert edited("relay.data_dir", "/x") == FILE.replace(
        'host = "127.0.0.1"\n', 'host = "127.0.0.1"\ndata_dir = "/x"\n'
    )


def test_a_new_table_goes_to_the_end() -> None:
    assert edited("admin.port", 0) == FILE + "\n[admin]\nport = 0\n"
    assert edited("admin.port", 0, "") == "[admin]\nport = 0\n"


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    text = '[relay]\ntiers = [\n  "free", # one\n  "turbo",\n] # two\nhost = "::1"\n'
    assert edited("relay.tiers", ("free",), text) == '[relay]\ntiers = ["free"] # two\nhost = "::1"\n'


def test_a_hash_in_a_string_is_no_comment() -> None:
    text = '[relay]\ndata_dir = "/a#b"  # c\n'
    assert edited("relay.data_dir", "/d#e", text) == '[relay]\ndata_dir = "/d#e"  # c\n'


def test_a_quoted_key_and_a_quoted_table_are_found() -> None:
    assert edited("log.level", "error", '["log"]\n"level" = "info"\n') == '["log"]\nlevel = "error"\n'


@pytest.mark.parametrize(
    "text",
    [
        "log = { level = 'info' }\n",
        "log.level = 'info'\n",
        "[relay]\nhost = '''\n[log]\nlevel = 1\n'''\n[log]\nlevel = 'info'\n",
    ],
)
def test_what_no_line_can_be_found_for_is_written_anew_or_edited_rightly(text: str) -> None:
    result = set_in_text(text, ["log", "level"], "error")
    assert tomllib.loads(result.text) == with_value(tomllib.loads(text), ["log", "level"], "error")


def test_a_file_that_was_written_anew_says_so() -> None:
    assert not set_in_text("log = { level = 'info' } # x\n", ["log", "level"], "error").kept


names = st.sampled_from(("a", "b", "c d", "é"))
leaves = st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=6) | st.lists(st.text(max_size=3))
tables = st.recursive(
    st.dictionaries(names, leaves, max_size=3),
    lambda inner: st.dictionaries(names, inner | leaves, max_size=3),
)


@given(tables, names, names, leaves, st.sampled_from(("", "# x\n", "\n\n")))
def test_any_text_reads_as_itself_with_the_one_key_set(
    table: dict[str, Any], section: str, field: str, value: Any, before: str
) -> None:
    if not isinstance(table.get(section, {}), dict):
        table = {**table, section: {}}
    result = set_in_text(before + document(table), [section, field], value)
    assert tomllib.loads(result.text) == with_value(table, [section, field], value)


@given(leaves)
def test_a_literal_is_one_line_that_reads_as_the_value(value: Any) -> None:
    assert "\n" not in literal(value)
    assert tomllib.loads(f"v = {literal(value)}") == {"v": value}


def test_sources_are_written_under_headings_of_their_own() -> None:
    source = {"name": "a", "url": "p2p://127.0.0.1:1"}
    table = {"chains": {"litecoin-regtest": {"quorum": 2, "sources": [source, source]}}, "log": {}}
    assert tomllib.loads(document(table)) == table
    assert document(table).count("[[chains.litecoin-regtest.sources]]") == 2


def test_null_is_a_word_of_breakers_and_nothing_elsewhere() -> None:
    """YAML and JSON have it; the conversion of a config with one had ended in a traceback."""
    table = {
        "relay": {"data_dir": None, "host": "::1"},
        "log": None,
        "chains": {"btc": {"no_block_alarm_s": None, "sources": [{"url": "x", "name": None}]}},
        "breakers": {"store": {"failures_to_open": None, "latency": {"baseline_s": None}}},
    }
    assert tomllib.loads(document(table)) == {
        "relay": {"host": "::1"},
        "chains": {"btc": {"sources": [{"url": "x"}]}},
        "breakers": {"store": {"failures_to_open": "none", "latency": {"baseline_s": "none"}}},
    }
