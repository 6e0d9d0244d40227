"""The config: precedence, and refusals that name file or variable, key, value and what would be right."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config import ENVIRONMENT_RESERVED, Config, parse_config, sections_by_chain, sources_of
from sprint.core.errors import ConfigError

ORIGIN = "sprint.toml"
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


def parse(text: str, environment: dict[str, str] | None = None) -> Config:
    return parse_config(text, environment or {}, ORIGIN)


def test_each_section_is_read_and_the_rest_is_default() -> None:
    config = parse(FULL)
    assert config.relay.tiers == ("turbo",)
    assert config.relay.durability == "disk"
    assert config.chains["litecoin-regtest"].catch_up_blocks_max == 10
    assert config.chains["litecoin-regtest"].retained_blocks_max == 4032
    assert config.tiers == {"free": {"port": 18080}}
    assert (config.admin.port, config.metrics.port) == (0, None)
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
        ("zzz = 1\n", "sprint.toml: unknown key zzz; there are relay, chains, tiers, admin, metrics, log"),
        ("[relay]\ndata_dri = 'x'\n", "unknown key relay.data_dri; did you mean relay.data_dir?"),
        ("[log]\nlvl = 'x'\n", "sprint.toml: unknown key log.lvl; did you mean log.level?"),
        ("[chains.bitcoin]\ngap_s = 1\n", "gap_s; did you mean chains.bitcoin.gap_after_s?"),
        ("[[chains.bitcoin.sources]]\nurll = 'x'\n", "did you mean chains.bitcoin.sources.url?"),
        ("[[chains.bitcoin.sources]]\nname = 'x'\n", "sprint.toml: Object missing required field `url`"),
        ("relay = 1\n", "sprint.toml: relay is not a table; want [relay]"),
        ("chains = 1\n", "sprint.toml: chains is not a table; want [chains.bitcoin]"),
        ("[chains]\nbitcoin = 1\n", "sprint.toml: chains.bitcoin is not a table; want [chains.bitcoin]"),
        ("[chains.bitcoin]\nsources = 1\n", "want [[chains.bitcoin.sources]]"),
        ("[chains.bitcoin]\nsources = ['x']\n", "want [[chains.bitcoin.sources]]"),
        ("tiers = 1\n", "sprint.toml: Expected `object`, got `int` - at `$.tiers`"),
        ("[relay]\ntiers = 'free'\n", "Expected `array`, got `str` - at `$.relay.tiers`"),
        ("[relay]\ndurability = 'never'\n", "Invalid enum value 'never' - at `$.relay.durability`"),
        ("[admin]\nport = 65536\n", "Expected `int` <= 65535 - at `$.admin.port`"),
        ("[admin]\nport = -1\n", "Expected `int` >= 0 - at `$.admin.port`"),
        ("[chains.bitcoin]\ncatch_up_blocks_max = 0\n", "Expected `int` >= 1 - at `$.chains[...].catch_up"),
        ("[chains.bitcoin]\nretained_blocks_max = 1_000_001\n", "Expected `int` <= 1000000 - at"),
        ("[chains.bitcoin]\ngap_after_s = 0\n", "Expected `float` > 0.0 - at `$.chains[...].gap_after_s`"),
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
        ("SPRINT_ADMIN__PORT", "x", "SPRINT_ADMIN__PORT='x': Expected `int | null`, got `str`"),
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
    config = parse_config("[chains.btc]\nretained_blocks_max = 7\n[chains.LTC-regtest]\n", {}, "test")
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
