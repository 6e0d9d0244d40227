"""The config: precedence, and refusals that name file or variable, key, value and what would be right."""

from __future__ import annotations

import contextlib
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config import (
    ENVIRONMENT_RESERVED,
    Config,
    Layers,
    Origin,
    Resolved,
    Setting,
    resolve,
    sections_by_chain,
    sources_of,
)
from sprint.core.config.formats import table_of_toml
from sprint.core.config.resolve import try_resolve
from sprint.core.errors import ConfigError
from sprint.tools.breaker.registry import packaged_texts

ORIGIN = "sprint.toml"
PACKAGED = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")
FULL = """
[relay]
tiers = ["turbo"]
host = "127.0.0.1"
data_dir = "data"
durability = "disk"

[chains.litecoin-regtest]
catch_up_blocks_max = 10
gap_after_s = 5

[[chains.litecoin-regtest.sources]]
url = "p2p://127.0.0.1:19444?provider=rack"
name = "core-1"

[[chains.bitcoin.sources]]
url = "p2p://127.0.0.1:8333"

[tiers.free]
port = 18080

[admin]
port = 0

[log]
format = "json"
"""


def resolved(text: str, environment: dict[str, str] | None = None, *flags: Setting) -> Resolved:
    table = table_of_toml(text, ORIGIN)
    return resolve(
        Layers(
            table=table,
            name=ORIGIN,
            environment=environment or {},
            flags=flags,
            tiers_text=PACKAGED,
            policies=packaged_texts(),
        )
    )


def parse(text: str, environment: dict[str, str] | None = None) -> Config:
    return resolved(text, environment).config


def test_each_section_is_read_and_the_rest_is_default() -> None:
    config = parse(FULL)
    assert config.relay.tiers == ("turbo",)
    assert config.relay.durability == "disk"
    assert config.chains["litecoin-regtest"].catch_up_blocks_max == 10
    assert config.chains["litecoin-regtest"].retained_blocks_max == 4032
    assert config.tiers == {"free": {"port": 18080}}
    assert (config.admin.port, config.metrics.port) == (0, 9090)
    assert (config.log.format, config.log.level) == ("json", "info")


def test_nothing_at_all_is_the_defaults() -> None:
    assert parse("") == Config()
    assert parse("").relay.tiers == ("free", "business", "enterprise")


def test_the_environment_goes_over_the_file() -> None:
    environment = {
        "SPRINT_RELAY__TIERS": "free,turbo",
        "SPRINT_ADMIN__PORT": "8181",
        "SPRINT_LOG__LEVEL": "debug",
        "HOME": "/nowhere",
        **dict.fromkeys(ENVIRONMENT_RESERVED, "1"),
    }
    config = parse(FULL, environment)
    assert config.relay.tiers == ("free", "turbo")
    assert config.relay.data_dir == "data"
    assert config.admin.port == 8181
    assert (config.log.format, config.log.level) == ("json", "debug")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[relay\n", "sprint.toml: not valid TOML"),
        ("[realy]\n", "sprint.toml: unknown key realy; did you mean relay?"),
        ("zzz = 1\n", "key zzz; there are relay, store, chains, tiers, admin, metrics, log, features, "),
        ("[relay]\ndata_dri = 'x'\n", "unknown key relay.data_dri; did you mean relay.data_dir?"),
        ("[log]\nlvl = 'x'\n", "sprint.toml: unknown key log.lvl; did you mean log.level?"),
        ("[chains.bitcoin]\ngap_s = 1\n", "gap_s; did you mean chains.bitcoin.gap_after_s?"),
        ("[[chains.bitcoin.sources]]\nurll = 'x'\n", "did you mean chains.bitcoin.sources.url?"),
        ("[[chains.bitcoin.sources]]\nname = 'x'\n", 'chains.bitcoin.sources.0: no url; want url = "p2p'),
        ("relay = 1\n", "sprint.toml: relay is not a table; want [relay]"),
        ("chains = 1\n", "sprint.toml: chains is not a table; want [chains.bitcoin]"),
        ("[chains]\nbitcoin = 1\n", "sprint.toml: chains.bitcoin is not a table; want [chains.bitcoin]"),
        ("[chains.bitcoin]\nsources = 1\n", "want [[chains.bitcoin.sources]]"),
        ("[chains.bitcoin]\nsources = ['x']\n", "want [[chains.bitcoin.sources]]"),
        ("tiers = 1\n", "sprint.toml: tiers is not a table; want [tiers"),
        ("[relay]\ntiers = 'free'\n", "sprint.toml: relay.tiers = 'free': Expected `array`, got `str`"),
        ("[relay]\ndurability = 'never'\n", "relay.durability = 'never': Invalid enum value 'never'"),
        ("[relay]\nkernels = 'avx513'\n", "'avx513'; want auto, avx2, avx512, portable, reference, sha"),
        ("[admin]\nport = 65536\n", "admin.port = 65536: Expected `int` <= 65535"),
        ("[admin]\nport = -1\n", "admin.port = -1: Expected `int` >= 0"),
        ("[chains.bitcoin]\ncatch_up_blocks_max = 0\n", "catch_up_blocks_max = 0: Expected `int` >= 1"),
        ("[chains.bitcoin]\nretained_blocks_max = 1_000_001\n", "1000001: Expected `int` <= 1000000"),
        ("[chains.bitcoin]\ngap_after_s = 0\n", "chains.bitcoin.gap_after_s = 0: Expected `float` > 0.0"),
        ("[chains.bitcoin]\nbody_timeout_s = nan\n", "Expected `float`"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_file_key_and_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert said in str(refused.value)
    assert str(refused.value).startswith(ORIGIN)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SPRINT_RELAY__HSOT", "x", "unknown variable SPRINT_RELAY__HSOT; did you mean SPRINT_RELAY__HOST?"),
        ("SPRINT_QQQQQQ", "x", "unknown variable SPRINT_QQQQQQ; there are SPRINT_RELAY__TIERS"),
        ("SPRINT_ADMIN__PORT", "x", "SPRINT_ADMIN__PORT='x': Expected `int`, got `str`"),
        ("SPRINT_ADMIN__PORT", "65536", "SPRINT_ADMIN__PORT='65536': Expected `int` <= 65535"),
        ("SPRINT_LOG__FORMAT", "xml", "SPRINT_LOG__FORMAT='xml': Invalid enum value 'xml'"),
    ],
)
def test_a_wrong_variable_is_named_itself_and_not_the_file(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^environment: ") as refused:
        parse(FULL, {name: value})
    assert said in str(refused.value)
    assert ORIGIN not in str(refused.value)


def test_sources_come_from_flags_and_config_with_the_network_in_the_chains_name() -> None:
    specs = sources_of(parse(FULL), ("litecoin=p2p://127.0.0.1:9333",))
    assert [(s.name, s.chain, s.network, s.port, s.provider) for s in specs] == [
        ("p2p:127.0.0.1:9333", "litecoin", None, 9333, "p2p:127.0.0.1:9333"),
        ("core-1", "litecoin", "regtest", 19444, "rack"),
        ("p2p:127.0.0.1:8333", "bitcoin", None, 8333, "p2p:127.0.0.1:8333"),
    ]


def test_limits_count_for_the_chain_that_a_sections_name_means() -> None:
    config = parse("[chains.btc]\nretained_blocks_max = 7\n[chains.LTC-regtest]\n")
    ids = {"btc": "bitcoin", "LTC-regtest": "litecoin-regtest"}
    found = sections_by_chain(config, ids.__getitem__)
    assert list(found) == ["bitcoin", "litecoin-regtest"]
    assert found["bitcoin"].retained_blocks_max == 7


def test_two_sources_of_one_name_are_refused_with_how_to_name_one() -> None:
    with pytest.raises(
        ConfigError, match=re.escape("two sources are called 'core-1'; give one a name: NAME@")
    ):
        sources_of(parse(FULL), ("core-1@bitcoin=p2p://127.0.0.1:1",))


values = st.recursive(
    st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)
KEYS = (
    *("relay", "relay.tiers", "relay.host", "chains", "chains.bitcoin", "chains.bitcoin.sources"),
    *("tiers", "tiers.free", "admin", "log.level"),
)


@given(st.sampled_from(KEYS), values)
def test_any_value_anywhere_is_taken_or_refused_and_nothing_else(key: str, value: object) -> None:
    text = f"{key} = {str(value).lower()}\n"
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text), Config)


LAYERS: tuple[tuple[str, dict[str, str], str, tuple[Setting, ...]], ...] = (
    ("default", {}, "", ()),
    ("file", {}, "[admin]\nport = 1\n", ()),
    ("environment", {"SPRINT_ADMIN__PORT": "2"}, "", ()),
    ("flag", {}, "", (Setting("admin.port", 3, Origin("flag", "--admin-port")),)),
)


@given(st.sets(st.sampled_from(range(4))))
def test_the_highest_layer_wins_and_is_the_origin(chosen: set[int]) -> None:
    text = "".join(LAYERS[n][2] for n in chosen)
    environment = {k: v for n in chosen for k, v in LAYERS[n][1].items()}
    flags = [flag for n in chosen for flag in LAYERS[n][3]]
    found = resolved(text, environment, *flags)
    highest = max(chosen, default=0)
    assert found.config.admin.port == (8081, 1, 2, 3)[highest]
    assert found.origin("admin.port").kind == LAYERS[highest][0]


def test_a_tiers_fields_come_from_the_tier_unless_a_higher_layer_sets_them() -> None:
    found = resolved("[tiers.free]\nrank = 9\n", {"SPRINT_TIERS__FREE__PORT": "18080"})
    assert (found.tiers["free"].rank, found.tiers["free"].port) == (9, 18080)
    assert found.tiers["free"].connections_max == 100
    assert str(found.origin("tiers.free.rank")) == "file sprint.toml"
    assert str(found.origin("tiers.free.port")) == "environment SPRINT_TIERS__FREE__PORT"
    assert str(found.origin("tiers.free.connections_max")) == "tier free"


def test_a_chains_key_is_set_by_a_variable_with_one_underscore_for_a_dash() -> None:
    found = resolved("", {"SPRINT_CHAINS__LITECOIN_REGTEST__QUORUM": "2"})
    assert found.config.chains["litecoin-regtest"].quorum == 2


@pytest.mark.parametrize("variable", ["SPRINT_CHAINS__BITCOIN__SOURCES", "SPRINT_LOG__level", "SPRINT_"])
def test_what_no_variable_can_set_is_refused_as_unknown(variable: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown variable {variable}"):
        parse("", {variable: "x"})


def test_the_papers_names_are_accepted_and_said_without_their_values() -> None:
    url = "postgresql://user:hunter2@db/sprint"
    names = ("REDIS_URL", "AUDIT_LOGGING", "SECURE_BUFFER_ENABLED", "RUST_FFI_ENABLED")
    found = resolved("", {**dict.fromkeys(names, url), "TIER": "Enterprise", "OPTIMIZE_SYSTEM": "false"})
    assert found.config.relay.tiers == ("Enterprise",)
    assert str(found.origin("relay.tiers")) == "environment TIER"
    assert sorted(note.split()[0] for note in found.notes) == sorted(names)
    assert "hunter2" not in "".join(found.notes)


@pytest.mark.parametrize(
    ("environment", "flags", "said"),
    [
        ({"TIER": "gold"}, (), "environment: TIER: tier 'gold': there are free"),
        ({"SPRINT_RELAY__TIERS": "free,FREE"}, (), "environment: SPRINT_RELAY__TIERS: free, FREE: a tier"),
        ({}, (Setting("relay.tiers", ("x",), Origin("flag", "--tier")),), "--tier: tier 'x': there are"),
    ],
)
def test_a_wrong_tier_is_said_of_the_layer_that_named_it(
    environment: dict[str, str], flags: tuple[Setting, ...], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        resolved("", environment, *flags)
    assert str(refused.value).startswith(said)


def test_all_that_is_wrong_is_found_in_one_go_and_the_first_error_says_how_many() -> None:
    table = table_of_toml("[log]\nlvl = 1\nlevel = 'loud'\n[chains.bitcoin]\nquorum = 0\n", ORIGIN)
    layers = Layers(
        table=table, name=ORIGIN, environment={"SPRINT_X": ""}, tiers_text=PACKAGED, policies=packaged_texts()
    )
    _, problems = try_resolve(layers)
    assert [problem.split(":")[0] for problem in problems] == [ORIGIN] * 3 + ["environment"]
    with pytest.raises(ConfigError, match=r"\(and 3 more\)$"):
        resolve(layers)


def test_no_password_of_a_url_is_in_an_error() -> None:
    for text in ("urll = 1\nurl = 'p2p://me:hunter2@h:1'", "url = ['p2p://me:hunter2@h:1']"):
        with pytest.raises(ConfigError) as refused:
            parse(f"[[chains.bitcoin.sources]]\n{text}\n")
        assert "hunter2" not in str(refused.value)


def test_a_sources_fields_are_the_keys_of_its_url() -> None:
    text = """[[chains.bitcoin.sources]]
url = "rpc://127.0.0.1:8332"
cookie_file = "~/a b/.cookie"
"""
    (spec,) = sources_of(parse(text), ())
    assert spec.login is not None
    assert spec.login.cookie_file == "~/a b/.cookie"


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("false", False)])
def test_mempool_could_be_said_in_the_url_alone(value: str, *, meant: bool) -> None:
    text = f"[[chains.bitcoin.sources]]\nurl = 'p2p://127.0.0.1:8333'\nmempool = {value}\n"
    (spec,) = sources_of(parse(text), ())
    assert spec.mempool is meant


def test_mempool_of_a_source_that_has_none_is_refused() -> None:
    text = "[[chains.bitcoin.sources]]\nurl = 'rpc://127.0.0.1:8332'\nmempool = true\n"
    with pytest.raises(ConfigError, match="unknown key 'mempool'; there is provider, cookie_file"):
        sources_of(parse(text), ())


def test_a_key_in_the_url_and_beside_it_is_refused() -> None:
    text = """[[chains.bitcoin.sources]]
url = "rpc://127.0.0.1:8332?user_env=A&password_env=B"
user_env = "C"
"""
    with pytest.raises(ConfigError, match=r"chains\.bitcoin\.sources\.0: user_env stands in the url"):
        sources_of(parse(text), ())
