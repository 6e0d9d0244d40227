"""Configs in YAML and JSON: those of the project's first papers as they are, and what none may hold."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config import Layers, resolve
from sprint.core.config.foreign import left_out_lines, translate
from sprint.core.config.formats import table_of_json, table_of_toml
from sprint.core.config.resolve import try_resolve
from sprint.core.config.yaml_text import YAML_SIZE_MAX, table_of_yaml
from sprint.core.errors import ConfigError
from sprint.tools.breaker.registry import packaged_texts

VECTORS = Path(__file__).resolve().parent.parent.parent / "vectors" / "config"
PACKAGED = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")
CHAINS = ("bitcoin", "dogecoin", "litecoin")


def read(name: str) -> dict[str, Any]:
    text = (VECTORS / name).read_text(encoding="utf-8")
    return table_of_json(text, name) if name.endswith(".json") else table_of_yaml(text, name)


def test_the_papers_chains_become_sources_and_a_chain_that_is_not_there_is_said() -> None:
    translated = translate(read("chains.yaml"), CHAINS.__contains__)
    assert translated.table == {
        "chains": {
            "bitcoin": {
                "validation": "full",
                "sources": [{"url": "rpc://bitcoin-node:8332"}, {"url": "zmq://bitcoin-node:28332"}],
            }
        }
    }
    resolve(Layers(table=translated.table, tiers_text=PACKAGED, policies=packaged_texts()))
    assert translated.notes == ("chains.ethereum counts for nothing: there is no such chain in this version",)


def test_the_papers_cache_is_left_out_key_by_key() -> None:
    translated = translate(read("cache.yaml"), CHAINS.__contains__)
    assert translated.table == {}
    assert len(translated.left_out) == 14
    assert translated.left_out[2][:2] == ("cache.default_ttl", "30s")
    assert len(translated.notes) == 1


def test_the_papers_tuning_names_the_tier_and_fields_of_a_level() -> None:
    translated = translate(read("performance.json"), CHAINS.__contains__)
    assert translated.table == {
        "relay": {"tiers": ["enterprise"]},
        "optimize": {
            "gc_percent": 25,
            "cpus_pinned_max": 0,
            "realtime": "required",
            "cpus_pinned": "wanted",
            "cpus_pinned_from_cpus": 1,
            "preallocate_buffers": True,
            "system": True,
        },
    }
    assert translated.left_out == ()


def test_a_word_of_the_papers_tuning_that_is_none_of_theirs_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"performance_optimizations\.gc_precent; did you mean gc_percent"):
        translate({"performance_optimizations": {"gc_precent": 25}}, CHAINS.__contains__)
    with pytest.raises(ConfigError, match=r"\.gc_percent = True: want a whole number"):
        translate({"performance_optimizations": {"gc_percent": True}}, CHAINS.__contains__)


def test_a_chain_that_is_not_enabled_is_left_out() -> None:
    table = {
        "chains": {"bitcoin": {"enabled": False, "rpc_url": "http://a:1"}, "litecoin": {"enabled": True}}
    }
    assert translate(table, CHAINS.__contains__).table == {"chains": {"litecoin": {}}}


def test_tables_of_this_version_stay_as_they_are() -> None:
    source = {"name": "a", "url": "p2p://127.0.0.1:1"}
    table = {"log": {"level": "debug"}, "chains": {"bitcoin": {"quorum": 2, "sources": [source]}}}
    translated = translate(table, CHAINS.__contains__)
    assert (translated.table, translated.left_out) == (table, ())


def test_the_tiers_of_a_section_stand_over_the_one_word() -> None:
    table = {"tier": "free", "relay": {"tiers": ["turbo"], "host": "::1"}}
    assert translate(table, CHAINS.__contains__).table == {"relay": {"tiers": ["turbo"], "host": "::1"}}


def test_comments_of_what_is_left_out_are_one_line_each_and_no_config() -> None:
    table = {"cache": {"a": "x\ny = 1\n", "b": "z" * 1000}}
    lines = left_out_lines(translate(table, CHAINS.__contains__))
    assert len(lines) == 2
    assert table_of_toml("\n".join(lines), "test") == {}
    assert max(map(len, lines)) < 200


DEEP = "[" * 20_000
WRONG_YAML = [
    ("a: &x [1]\nb: *x\n", "not valid YAML: line 1 is used again by an alias"),
    ("a: &x\n  b: *x\n", "used again by an alias"),
    ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands twice"),
    ("a:\n  1: x\n", "line 2: a key is no text; quote it"),
    ("off: true\n", "a key is no text; quote it"),
    ("a: [1\n", "not valid YAML"),
    ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ("- a\n", "want a mapping, got list"),
    ("a: 1\n---\nb: 2\n", "not valid YAML"),
    ("a: 2020-13-45\n", "not valid YAML"),
    (DEEP, "nested too deeply"),
    ("#" * (YAML_SIZE_MAX + 1), f"characters of YAML, limit {YAML_SIZE_MAX}"),
]


@pytest.mark.parametrize(("text", "said"), WRONG_YAML, ids=[said for _, said in WRONG_YAML])
def test_yaml_that_could_be_read_in_two_ways_or_for_ever_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        table_of_yaml(text, "old.yaml")
    assert str(refused.value).startswith("old.yaml: ")
    assert said in str(refused.value)


def test_yaml_at_its_limit_and_an_empty_one_are_read() -> None:
    assert table_of_yaml("#" * YAML_SIZE_MAX, "old.yaml") == {}
    assert table_of_yaml("a: 1\n", "old.yaml") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "key 'a' stands twice"),
        ('{"a": {"b": 1, "b": 1}}', "key 'b' stands twice"),
        ("[1]", "want an object, got list"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_is_no_config_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"old\.json: ") as refused:
        table_of_json(text, "old.json")
    assert said in str(refused.value)


def test_toml_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        table_of_toml("a = " + "[" * 100_000, "sprint.toml")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=6,
)
WORDS = ("tier", "chains", "cache", "relay", "bitcoin", "enabled", "rpc_url", "sources", "x")


@given(st.dictionaries(st.sampled_from(WORDS), values | st.dictionaries(st.sampled_from(WORDS), values)))
def test_any_table_is_translated_and_then_taken_or_refused(table: dict[str, Any]) -> None:
    translated = translate(table, CHAINS.__contains__)
    assert all("\n" not in line for line in left_out_lines(translated))
    resolved, problems = try_resolve(
        Layers(table=translated.table, name="old", tiers_text=PACKAGED, policies=packaged_texts())
    )
    assert (resolved is None) == bool(problems)


def test_a_section_that_is_no_table_is_refused_and_not_tripped_over() -> None:
    for table in ({"relay": None, "tier": "free"}, {"chains": {"bitcoin": {"sources": 1, "rpc_url": "x"}}}):
        translated = translate(table, CHAINS.__contains__)
        with pytest.raises(ConfigError, match="table"):
            resolve(
                Layers(table=translated.table, name="old", tiers_text=PACKAGED, policies=packaged_texts())
            )
