"""The networks' constants: what is published of them recomputes, and what must hang together does."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprint.core.chains import Header, bitcoin, display_hash, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import bits_of, target_of
from sprint.core.kernels import sha256d
from tests.vectors import bitcoin_family as vectors

CHAINS = (bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN)
NETWORKS = [network for chain in CHAINS for network in chain.networks.values()]
VECTORS = Path(vectors.__file__).parent
GENESIS_HASHES = {
    "bitcoin": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "bitcoin-testnet": "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    "bitcoin-testnet4": "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "bitcoin-signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "bitcoin-regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "litecoin": "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
    "litecoin-testnet": "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
    "litecoin-regtest": "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
    "dogecoin": "1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691",
    "dogecoin-testnet": "bb0a78264637406b6360aad926284d544d7049f45189db5664f3c4d07350559e",
    "dogecoin-regtest": "3d2160a3b5dc4a9d62e7e66a295f70313ac808440ef7400d6c0772171ce973a5",
}
MAGICS = {
    "bitcoin": "f9beb4d9",
    "bitcoin-testnet": "0b110907",
    "bitcoin-testnet4": "1c163f28",
    "bitcoin-signet": "0a03cf40",
    "litecoin": "fbc0b6db",
    "litecoin-testnet": "fdd2c8f1",
    "dogecoin": "c0c0c0c0",
    "dogecoin-testnet": "fcc1b7dc",
}
SIGNET_CHALLENGE = bytes.fromhex(
    "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430"
    "210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae"
)


def hex_block(path: str) -> bytes:
    return bytes.fromhex((VECTORS / path).read_text())


CHECKPOINTS = {
    "bitcoin": (951_658, vectors.json_block("bitcoin/mainnet_951658.json")),
    "bitcoin-testnet4": (40_000, vectors.json_block("bitcoin/testnet4_40000.json")),
    "litecoin": (900_000, vectors.json_block("litecoin/mainnet_900000.json")),
    "dogecoin": (371_337, hex_block("dogecoin/mainnet_371337.hex")),
    "dogecoin-testnet": (1_234_580, hex_block("dogecoin/testnet_1234580.hex")),
}


def every_network(parameters: NetworkParameters) -> str:
    return parameters.chain_id


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_a_genesis_header_has_the_published_hash_and_proof_of_work(parameters: NetworkParameters) -> None:
    assert display_hash(parameters.genesis_hash) == GENESIS_HASHES[parameters.chain_id]
    chain = next(chain for chain in CHAINS if parameters in chain.networks.values())
    assert isinstance(chain.processor(parameters.name).process_header(parameters.genesis), Header)


def test_every_network_has_an_id_of_its_own_under_its_chain() -> None:
    ids = {
        network.chain_id: chain.name if name == "main" else f"{chain.name}-{name}"
        for chain in CHAINS
        for name, network in chain.networks.items()
    }
    assert len(ids) == len(NETWORKS) == len(GENESIS_HASHES)
    assert list(ids) == list(ids.values())


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_messages_of_public_networks_start_as_published(parameters: NetworkParameters) -> None:
    assert parameters.magic.hex() == MAGICS.get(parameters.chain_id, "fabfb5da")


def test_signets_magic_follows_from_its_challenge() -> None:
    script = bytes([len(SIGNET_CHALLENGE)]) + SIGNET_CHALLENGE
    assert bitcoin.SIGNET.magic == sha256d(script)[:4]


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_a_start_point_is_a_recorded_header_that_is_pinned(parameters: NetworkParameters) -> None:
    checkpoint = parameters.checkpoint
    if parameters.chain_id not in CHECKPOINTS:
        assert checkpoint is None
        return
    height, block = CHECKPOINTS[parameters.chain_id]
    assert checkpoint is not None
    assert (checkpoint.height, checkpoint.header) == (height, block[:80])
    assert parameters.pinned[height] == sha256d(checkpoint.header)


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_pinned_hashes_are_possible_ones_in_rising_order(parameters: NetworkParameters) -> None:
    assert list(parameters.pinned) == sorted(parameters.pinned)
    assert len(set(parameters.pinned.values())) == len(parameters.pinned)
    assert all(len(pinned) == 32 for pinned in parameters.pinned.values())
    if parameters.proof_of_work == "sha256d":
        easiest = parameters.target_limit
        assert all(int.from_bytes(pinned, "little") <= easiest for pinned in parameters.pinned.values())


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_a_network_retargets_by_eras_or_has_one_target(parameters: NetworkParameters) -> None:
    bits = parse_header(parameters.genesis).bits
    assert target_of(bits, parameters.target_limit)
    rules = parameters.difficulty
    if rules is None:
        assert parameters.fixed_bits == bits == bits_of(parameters.target_limit)
        return
    assert parameters.fixed_bits is None
    heights = [era.from_height for era in rules.eras]
    assert heights[0] == 0
    assert heights == sorted(set(heights))
    for era in rules.eras:
        assert era.timespan_s_min < era.timespan_s < era.timespan_s_max
        assert era.timespan_s == era.blocks * parameters.block_interval_s
        assert era.easy_after_s in {None, 2 * parameters.block_interval_s}
        assert rules.era_at(era.from_height) is era
        assert rules.era_at(max(0, era.from_height - 1)) is rules.eras[max(0, rules.eras.index(era) - 1)]


def test_only_litecoins_targets_can_overflow_when_they_are_scaled() -> None:
    overflowing = {
        parameters.chain_id
        for parameters in NETWORKS
        if parameters.difficulty is not None
        for era in parameters.difficulty.eras
        if (parameters.target_limit * era.timespan_s_max).bit_length() > 256
    }
    halving = {p.chain_id for p in NETWORKS if p.difficulty is not None and p.difficulty.halves_first}
    assert overflowing == halving == {"litecoin", "litecoin-testnet"}


@pytest.mark.parametrize("parameters", NETWORKS, ids=every_network)
def test_extension_blocks_come_where_a_deployment_can_become_active(parameters: NetworkParameters) -> None:
    window = {"litecoin": 8_064, "litecoin-testnet": 2_016, "litecoin-regtest": 144}
    if parameters.chain_id not in window:
        assert parameters.mweb_height is None
        assert parameters.mweb_rules is None
        return
    assert parameters.mweb_height is not None
    assert parameters.mweb_height % window[parameters.chain_id] == 0


def test_later_rules_of_litecoins_extension_blocks_bind_at_the_published_heights() -> None:
    """Release notes of Litecoin Core 0.21.5.6 and 0.21.5.7; for lock heights libmw's `Params.h`."""
    rules = litecoin.MAIN.mweb_rules
    assert rules is not None
    assert (rules.pegouts_height, rules.extra_data_height) == (3_154_440, 3_172_640)
    assert rules.lock_height - 1 == 3_110_000  # the last block that may have a kernel locked beyond it
