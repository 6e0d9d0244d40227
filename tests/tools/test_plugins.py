"""Chains are found by entry point, and named by id, name or alias."""

from __future__ import annotations

import re

import msgspec
import pytest

from sprint.core.chains import bitcoin, litecoin
from sprint.core.errors import ConfigError
from sprint.core.relay.event_log import CHAIN_ID_LENGTH_MAX, Cursor, parse_cursor
from sprint.tools.plugins import ChainCatalog

CATALOG = ChainCatalog.installed()


def test_the_built_in_chains_are_registered_as_any_other() -> None:
    assert CATALOG.names == ["bitcoin", "dogecoin", "litecoin"]
    assert CATALOG.find("bitcoin").chain is bitcoin.CHAIN
    assert CATALOG.find("litecoin").chain is litecoin.CHAIN


@pytest.mark.parametrize(
    ("name", "network", "chain_id"),
    [
        ("bitcoin", None, "bitcoin"),
        ("BTC", None, "bitcoin"),
        ("bitcoin", "main", "bitcoin"),
        ("ltc", "regtest", "litecoin-regtest"),
        ("Litecoin", "RegTest", "litecoin-regtest"),
    ],
)
def test_a_network_is_found_by_name_or_alias_in_any_case_main_by_default(
    name: str, network: str | None, chain_id: str
) -> None:
    found = CATALOG.find(name, network)
    assert found.chain_id == found.parameters.chain_id == chain_id
    assert found.processor().header_of(found.parameters.genesis) == (
        found.parameters.genesis_hash,
        bytes(32),
    )


@pytest.mark.parametrize(
    "chain_id", ["bitcoin", "bitcoin-regtest", "dogecoin", "litecoin", "litecoin-regtest"]
)
def test_every_id_finds_the_network_that_is_served_under_it(chain_id: str) -> None:
    assert CATALOG.find_id(chain_id).chain_id == chain_id


@pytest.mark.parametrize(
    ("chain_id", "said"),
    [
        ("solana", "chain 'solana': there are bitcoin, dogecoin, litecoin"),
        ("", "chain '': there are bitcoin, dogecoin, litecoin"),
        ("ltc:regtest", "chain 'ltc:regtest': as an id it is litecoin-regtest"),
        (
            "bitcoin-testnet9",
            "network 'testnet9' of bitcoin: there are main, testnet, testnet4, signet, regtest",
        ),
    ],
)
def test_an_unknown_chain_or_network_is_refused_with_those_there_are(chain_id: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        CATALOG.find_id(chain_id)


@pytest.mark.parametrize(
    ("name", "served", "meant"),
    [
        ("bitcoin", ["bitcoin", "bitcoin-regtest"], "bitcoin"),
        ("btc", ["bitcoin-regtest", "litecoin"], "bitcoin-regtest"),
        ("LTC-regtest", ["litecoin", "litecoin-regtest"], "litecoin-regtest"),
        ("litecoin", ["bitcoin"], None),
        ("litecoin-regtest", ["litecoin"], None),
        ("dogecoin", ["bitcoin"], None),
        ("bitcoin-main", ["bitcoin"], "bitcoin"),
    ],
)
def test_a_bare_name_means_main_where_it_is_served_else_the_only_network_that_is(
    name: str, served: list[str], meant: str | None
) -> None:
    assert CATALOG.resolve(name, served) == meant


def test_two_chains_of_one_name_or_alias_are_refused() -> None:
    with pytest.raises(ConfigError, match="two chains are called 'btc'"):
        ChainCatalog({"bitcoin": bitcoin.CHAIN, "other": _Renamed()})


@pytest.mark.parametrize("chain_id", ["", "x" * (CHAIN_ID_LENGTH_MAX + 1), "bitc\u00f6in"])
def test_an_id_that_no_cursor_can_carry_is_refused(chain_id: str) -> None:
    with pytest.raises(ConfigError, match=f"want 1 to {CHAIN_ID_LENGTH_MAX} of ASCII"):
        ChainCatalog({"other": _WithId(chain_id)})


def test_an_id_of_the_longest_length_is_taken_and_its_cursor_is_read_again() -> None:
    longest = "x" * CHAIN_ID_LENGTH_MAX
    assert ChainCatalog({"other": _WithId(longest)}).find("other").chain_id == longest
    log_id = "00" * 8
    assert parse_cursor(Cursor(log_id, 2**64 - 1, longest).encode(), log_id).chain == longest


class _Renamed:
    """A third party's chain that takes an alias which is taken."""

    name = "other"
    aliases = ("btc",)
    family = bitcoin.CHAIN.family
    networks = bitcoin.CHAIN.networks
    source_kinds = bitcoin.CHAIN.source_kinds
    processor = bitcoin.CHAIN.processor


class _WithId(_Renamed):
    """A third party's chain whose main network has an id of its own."""

    aliases = ("oth",)

    def __init__(self, chain_id: str) -> None:
        main = bitcoin.CHAIN.networks["main"]
        self.networks = {"main": msgspec.structs.replace(main, chain_id=chain_id)}


def test_a_source_may_name_its_chain_by_id() -> None:
    catalog = ChainCatalog.installed()
    assert catalog.find("litecoin-regtest").chain_id == "litecoin-regtest"
    assert catalog.find("ltc-regtest").chain_id == "litecoin-regtest"
