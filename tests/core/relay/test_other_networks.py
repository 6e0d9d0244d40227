"""A block of another network is told of where something speaks for it, and an own one never is."""

from __future__ import annotations

import pytest

from sprint.core.chains import bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.relay.other_networks import doubt_of
from tests.vectors import bitcoin_family as vectors

REAL = vectors.json_block("bitcoin/mainnet_951658.json")
OLD = vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")
FIRST = vectors.headers("bitcoin/mainnet_headers_1_11.txt")
TESTNET4 = vectors.json_block("bitcoin/testnet4_40000.json")


def doubt(chain: BitcoinFamilyChain, network: str, raw: bytes) -> str:
    header = chain.processor("regtest").read_header(raw[:80])  # which knows no limit
    others = [each for name, each in chain.networks.items() if name != network]
    return doubt_of(header, chain.networks[network], others)


@pytest.mark.parametrize("network", ["testnet", "testnet4", "signet"])
def test_a_main_networks_block_is_doubted_on_each_test_network(network: str) -> None:
    assert doubt(bitcoin.CHAIN, network, REAL) == "its hash or its parent's is a known one of bitcoin"
    said = doubt(bitcoin.CHAIN, network, OLD)
    assert "times harder than the " in said
    assert said.endswith(", and near that of bitcoin")


def test_a_child_of_a_networks_genesis_block_is_told_by_its_parent() -> None:
    assert "known one of bitcoin" in doubt(bitcoin.CHAIN, "testnet", FIRST[0])


@pytest.mark.parametrize("raw", [REAL, OLD, FIRST[0], FIRST[10]])
def test_a_block_of_the_main_network_is_not_doubted_there(raw: bytes) -> None:
    assert doubt(bitcoin.CHAIN, "main", raw) == ""


def test_a_test_networks_block_is_not_doubted_there() -> None:
    assert doubt(bitcoin.CHAIN, "testnet4", TESTNET4) == ""


@pytest.mark.parametrize("chain", [bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN], ids=lambda c: c.name)
def test_the_known_blocks_of_each_network_are_doubted_on_others_alone(chain: BitcoinFamilyChain) -> None:
    test_and_main = {name: each for name, each in chain.networks.items() if name != "regtest"}
    for name, parameters in test_and_main.items():
        known = [parameters.genesis]
        known += [parameters.checkpoint.header] if parameters.checkpoint is not None else []
        for raw in known:
            assert doubt(chain, name, raw) == ""
            for elsewhere in set(test_and_main) - {name}:
                assert f"known one of {parameters.chain_id}" in doubt(chain, elsewhere, raw)
