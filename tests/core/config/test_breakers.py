"""`[breakers]`: figures laid over packaged policies, by file and variable, refused with key and reason."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_set import PolicySet
from sprint.core.config import BreakerSettings, Layers, Resolved, resolve
from sprint.core.config.breaker_keys import POLICY_SECTIONS, POLICY_TEXTS, policy_fields
from sprint.core.config.breakers import check_breaker_names, figures
from sprint.core.config.environment import variable_of
from sprint.core.config.formats import key_text, table_of_json, table_of_toml
from sprint.core.config.keys import find_key
from sprint.core.config.resolve import try_resolve
from sprint.core.errors import ConfigError
from sprint.tools.breaker.registry import packaged_texts

TIERS = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")
ALICE = "source:litecoin-regtest:alice"


def layers(table: dict[str, Any], environment: dict[str, str] | None = None) -> Layers:
    return Layers(
        table=table,
        name="sprint.toml",
        environment=environment or {},
        tiers_text=TIERS,
        policies=packaged_texts(),
    )


def read(text: str, environment: dict[str, str] | None = None) -> Resolved:
    return resolve(layers(table_of_toml(text, "sprint.toml"), environment))


def policies(text: str, environment: dict[str, str] | None = None) -> PolicySet:
    return read(text, environment).policies


def test_without_any_key_the_packaged_figures_hold() -> None:
    found = read("")
    assert found.breakers == BreakerSettings()
    assert list(found.policies.in_use) == ["enterprise", "source", "store"]


def test_one_breaker_is_laid_over_what_is_called_and_that_over_the_tier() -> None:
    found = policies(
        "[breakers.enterprise]\ntrial_lease_s = 9\nfailure_rate_max = 0.25\n"
        "[breakers.source]\nfailures_to_open = 4\nbackoff.base_s = 2\n"
        f'[breakers."{ALICE}"]\nbackoff.longest_s = 7\n'
    )
    alice, others = found.own[ALICE], found.named["source"]
    assert (alice.name, others.name) == (ALICE, "source")
    packaged = policies("").named["source"]
    assert (alice.backoff.longest_s, others.backoff.longest_s) == (7, packaged.backoff.longest_s)
    assert {policy.backoff.base_s for policy in (alice, others)} == {2}
    assert {policy.failures_to_open for policy in (alice, others)} == {4}
    assert {policy.failure_rate_max for policy in (alice, others, found.named["store"])} == {0.25}
    assert {policy.trial_lease_s for policy in (alice, others)} == {packaged.trial_lease_s}


def test_the_tier_below_is_the_highest_that_is_served() -> None:
    text = "[breakers.free]\nfailure_rate_max = 0.9\n"
    assert policies(text).named["source"].failure_rate_max == 0.5
    assert policies(text + "[relay]\ntiers = ['free']\n").named["source"].failure_rate_max == 0.9


def test_a_detector_is_switched_off_by_a_word_and_in_json_by_null() -> None:
    found = policies("[breakers.store]\nfailures_to_open = 'none'\nbackoff.jitter = 'none'\n").named["store"]
    assert (found.failures_to_open, found.backoff.jitter) == (None, "none")
    table = table_of_json('{"breakers": {"store": {"failures_to_open": null}}}', "sprint.json")
    assert resolve(layers(table)).policies.named["store"].failures_to_open is None


def test_variables_go_over_the_file_and_leave_its_table_alone() -> None:
    table = table_of_toml("[breakers.source.backoff]\nbase_s = 2\nlongest_s = 9\n", "sprint.toml")
    environment = {
        "SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S": "3",
        "SPRINT_BREAKERS__SOURCE__FAILURES_TO_OPEN": "none",
        "SPRINT_BREAKERS__GROUP_EJECTED_PERCENT_MAX": "40",
        "SPRINT_BREAKERS__INTERVALS__STATE_S": "1.5",
    }
    found = resolve(layers(table, environment))
    source = found.policies.named["source"]
    assert (source.backoff.base_s, source.backoff.longest_s, source.failures_to_open) == (3, 9, None)
    assert (found.breakers.group_ejected_percent_max, found.breakers.intervals.state_s) == (40, 1.5)
    assert str(found.origin("breakers.source.backoff.base_s")) == (
        "environment SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S"
    )
    assert table["breakers"]["source"]["backoff"] == {"base_s": 2, "longest_s": 9}


def test_the_origin_of_a_figure_is_the_highest_layer_that_has_it() -> None:
    found = read(f'[breakers.enterprise]\nshadow = true\n[breakers."{ALICE}"]\nfailures_to_open = 8\n')
    origins = {
        (name, figure): str(found.figure_origin(name, figure))
        for name, figure in (
            (ALICE, "failures_to_open"),
            (ALICE, "backoff.base_s"),
            (ALICE, "shadow"),
            ("store", "shadow"),
            ("store", "failure_rate_max"),
            ("enterprise", "half_open_calls"),
        )
    }
    assert list(origins.values()) == [
        *("file sprint.toml", "default", "file sprint.toml", "file sprint.toml"),
        *("tier enterprise", "tier enterprise"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("breakers = 1\n", "breakers is not a table; want [breakers"),
        ("[breakers]\nsource = 1\n", "breakers.source is not a table; want [breakers.source]"),
        ("[breakers.sorce]\nshadow = true\n", "breakers.sorce: no such policy; there are free, developer"),
        ("[breakers.gold]\n", "breakers.gold: no such policy"),
        ("[breakers.source]\nbackof = 1\n", "key breakers.source.backof; did you mean breakers.source."),
        (
            "[breakers.source.backoff]\nbse_s = 1\n",
            "unknown key breakers.source.backoff.bse_s; did you mean breakers.source.backoff.base_s?",
        ),
        ("[breakers.source]\nbackoff = 1\n", "source.backoff is not a table; want [breakers.source.backoff]"),
        ("[breakers.source]\nhalf_open_calls = 0\n", "source.half_open_calls = 0: Expected `int` >= 1"),
        ("[breakers.source]\nhalf_open_calls = 2\n", "breakers.source.half_open_calls = 2; want 1: a source"),
        (f'[breakers."{ALICE}"]\nhalf_open_calls = 2\n', f'breakers."{ALICE}".half_open_calls = 2; want 1'),
        ("[breakers.source]\nshadow = 'none'\n", "source.shadow = 'none': Expected `bool`, got `str`"),
        ("[breakers.source]\nname = 'x'\n", "unknown key breakers.source.name"),
        ("[breakers]\ngroup_ejected_percent_max = 101\n", "percent_max = 101: Expected `float` <= 100.0"),
        ("[breakers.intervals]\nstate_s = 0\n", "breakers.intervals.state_s = 0: Expected `float` >= 0.1"),
        ("[breakers.intervals]\nidle_s = 0.000001\n", "idle_s = 1e-06: Expected `float` >= 0.1"),
        ("[breakers.source]\nbackoff.longest_s = inf\n", "longest_s = inf: Expected `float` <= 604800.0"),
        ("[breakers.source]\nbackoff.base_s = 1e12\n", "base_s = 1000000000000.0: Expected `float` <= 6048"),
        ("[breakers.source]\ntrial_lease_s = inf\n", "trial_lease_s = inf: Expected `float` <= 604800.0"),
        ("[breakers.source]\nhalf_open_longest_s = inf\n", "longest_s = inf: Expected `float` <= 604800.0"),
        ("[breakers.source]\nwindow.span_s = inf\n", "span_s = inf: Expected `float` <= 604800.0"),
        ("[breakers.store]\nfailures_to_open = 1000001\n", "failures_to_open = 1000001: Expected `int` <= 1"),
        ("[breakers.source]\nslow_rate_max = 'nome'\n", 'got `str`; want a number or "none"'),
        ("[breakers]\nnope = 1\n", "unknown key breakers.nope; there are group_ejected_percent_max and [br"),
        ("[breakers]\nnope = 1\n", "[breakers.source], [breakers.store], a tier's [breakers.TIER] and a"),
        ("[breakers]\nsorce = 1\n", "unknown key breakers.sorce; did you mean source?"),
        ("[breakers.intervals]\nstat_s = 1\n", "stat_s; did you mean breakers.intervals.state_s?"),
        ("[breakers]\nintervals = 1\n", "breakers.intervals is not a table; want [breakers.intervals]"),
        (
            f'[breakers."{ALICE}"]\nhalf_open_calls = 0\n',
            f'breakers."{ALICE}".half_open_calls = 0: Expected `int` >= 1',
        ),
        (f'[breakers."{ALICE}".backoff]\nlongest_s = 0.5\n', f'"{ALICE}".backoff.longest_s = 0.5 is below'),
        ("[breakers.store.backoff]\nlongest_s = 0.1\n", "longest_s = 0.1 is below backoff.base_s = 0.5"),
        ('[breakers."sink:x"]\n', 'breakers."sink:x": a breaker\'s name begins with what it calls'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_file_key_and_reason(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert str(refused.value).startswith("sprint.toml: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SPRINT_BREAKERS__SOURCE__BACKOFF__BSE_S", "did you mean SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S?"),
        ("SPRINT_BREAKERS__INTERVALS__STATES_S", "did you mean SPRINT_BREAKERS__INTERVALS__STATE_S?"),
        (
            "SPRINT_BREAKERS__SOURCE__FAILURES_TO_OPEN",
            "SPRINT_BREAKERS__SOURCE__FAILURES_TO_OPEN='x': Expected",
        ),
    ],
)
def test_a_wrong_variable_is_named_itself(variable: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^environment: ") as refused:
        read("", {variable: "x"})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("source:bitcoin", 'want breakers."source:CHAIN:NAME"'),
        ("source::x", 'want breakers."source:CHAIN:NAME"'),
        ("store:x:y", 'want breakers."source:CHAIN:NAME"'),
        ("source:bitconi:x", "no chain bitconi"),
        ("source:btc:p2p:127.0.0.1:1", 'breakers."source:bitcoin:p2p:127.0.0.1:1"'),
    ],
)
def test_a_single_breaker_has_the_name_that_a_source_of_a_chain_would_give_it(name: str, said: str) -> None:
    def id_of(chain: str) -> str:
        if chain not in ("btc", "bitcoin"):
            raise ConfigError(f"no chain {chain}")
        return "bitcoin"

    with pytest.raises(ConfigError) as refused:
        check_breaker_names(BreakerSettings(overrides={name: {}}), id_of)
    assert said in str(refused.value)
    check_breaker_names(BreakerSettings(overrides={"source:bitcoin:x": {}, "store": {}}), id_of)


def test_every_figure_of_a_policy_is_a_key_with_a_text_and_a_variable() -> None:
    paths = [path for path, _ in figures(Policy()) if path != "name"]
    assert [field.path for field in policy_fields()] == paths == list(POLICY_TEXTS)
    for path in paths:
        assert find_key(f"breakers.source.{path}").at_once
        assert variable_of(f"breakers.source.{path}") == (
            "SPRINT_BREAKERS__SOURCE__" + path.replace(".", "__").upper()
        )
    assert variable_of(f'breakers."{ALICE}".shadow') is None
    assert find_key('breakers."source:x:p2p:127.0.0.1:1".backoff.base_s').field == "backoff.base_s"
    with pytest.raises(ConfigError, match=r"did you mean breakers\.source\.shadow"):
        find_key("breakers.source.shadwo")


@given(st.text(min_size=1, max_size=20))
def test_any_name_stands_in_toml_as_its_key(name: str) -> None:
    scalar = "".join(character for character in name if not 0xD800 <= ord(character) < 0xE000)
    assert table_of_toml(f"{key_text(scalar)} = 1\n", "test") == {scalar: 1}


FIGURES = st.sampled_from([path for path, _ in figures(Policy()) if path != "name"])
VALUES = st.one_of(
    st.integers(-1, 400),
    st.floats(allow_nan=True),
    st.booleans(),
    st.sampled_from(["none", "full", "count", {}]),
)


@given(
    st.dictionaries(FIGURES, VALUES, max_size=4), st.sampled_from(["source", "turbo", "enterprise", ALICE])
)
def test_any_figures_come_to_a_policy_that_says_them_or_are_refused(given: dict[str, Any], name: str) -> None:
    fields: dict[str, Any] = {}
    for path, value in given.items():
        record, _, field = path.rpartition(".")
        (fields.setdefault(record, {}) if record else fields)[field] = value
    resolved, problems = try_resolve(layers({"breakers": {name: fields}}))
    if resolved is None:
        assert problems
        assert all(problem.startswith("sprint.toml: ") for problem in problems)
        return
    policy = resolved.policies.own.get(name) or resolved.policies.named[name]
    said = dict(figures(policy))
    for path, value in given.items():
        wanted = None if value == "none" and path != "backoff.jitter" else value
        assert said[path] == wanted
    assert msgspec.convert(msgspec.to_builtins(policy), Policy) == policy


@pytest.mark.parametrize(
    ("file", "variables", "said"),
    [
        (
            "",
            {"SORCE__FAILURES_TO_OPEN": "3"},
            "environment: SPRINT_BREAKERS__SORCE__FAILURES_TO_OPEN: breakers",
        ),
        (
            "[breakers.source]\nshadow = true\n",
            {"SOURCE__BACKOFF__BASE_S": "900"},
            "sprint.toml and environment: SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S: breakers.source.backoff",
        ),
        (
            "[breakers.store]\nshadow = true\n",
            {"SOURCE__BACKOFF__BASE_S": "900", "SOURCE__SHADOW": "true"},
            "environment: SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S, SPRINT_BREAKERS__SOURCE__SHADOW: b",
        ),
        ("[breakers.gold]\n", {"SOURCE__SHADOW": "true"}, "sprint.toml: breakers.gold: no such policy"),
    ],
)
def test_a_variable_that_sets_a_wrong_figure_is_blamed_and_not_the_defaults(
    file: str, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(file, {f"SPRINT_BREAKERS__{name}": value for name, value in variables.items()})
    assert str(refused.value).startswith(said)


def test_the_policies_that_a_message_names_are_those_of_what_is_called() -> None:
    assert tuple(tomllib.loads(packaged_texts().callees)) == POLICY_SECTIONS
