"""The devnet's ledger: all it mines is valid, its tip is the branch with most work, a seed replays."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import Block, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.coinbase import height_claimed
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import ZERO_HASH
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.errors import ConfigError
from sprint.core.kernels import sha256d
from sprint.core.wire import Reader
from sprint.tools.devnet import ledger as ledger_module
from sprint.tools.devnet.block_maker import TRANSACTIONS_MAX, Recipe, make_body
from sprint.tools.devnet.genesis import genesis_body
from sprint.tools.devnet.ledger import RegtestLedger
from tests.core.chains.bitcoin_family.building import at

CHAINS = [bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN]
all_chains = pytest.mark.parametrize("chain", CHAINS, ids=[chain.name for chain in CHAINS])
START = 1_700_000_000


def make_ledger(chain: BitcoinFamilyChain = bitcoin.CHAIN, seed: int = 0) -> RegtestLedger:
    return RegtestLedger(chain.networks["regtest"], chain.processor("regtest"), random.Random(seed))


def body_of(ledger: RegtestLedger, block_hash: bytes, *, witness: bool = True) -> bytes:
    raw = ledger.body(block_hash, witness=witness)
    assert raw is not None
    return raw


def header_of(ledger: RegtestLedger, block_hash: bytes) -> bytes:
    raw = ledger.header(block_hash)
    assert raw is not None
    return raw


def time_of(ledger: RegtestLedger, block_hash: bytes) -> int:
    return int.from_bytes(header_of(ledger, block_hash)[68:72], "little")


@all_chains
@pytest.mark.parametrize("transactions", [0, 1, 2, 252, 253, 1_000])
def test_every_mined_body_passes_all_checks_at_its_height(
    chain: BitcoinFamilyChain, transactions: int
) -> None:
    ledger, processor = make_ledger(chain), chain.processor("regtest")
    for _ in range(3):
        block_hash = ledger.mine(START, transactions=transactions)
        block = processor.process_block(body_of(ledger, block_hash))
        assert isinstance(block, Block), block
        assert block.header.hash == block_hash
        assert block.tx_count == transactions + 1
        assert block.facts.height_claimed == ledger.height()
        assert processor.check_context(block, at(ledger.height()), ()) is None


@all_chains
def test_the_fullest_block_keeps_the_weight_limit(chain: BitcoinFamilyChain) -> None:
    ledger = make_ledger(chain)
    block_hash = ledger.mine(START, transactions=TRANSACTIONS_MAX)
    assert isinstance(chain.processor("regtest").process_block(body_of(ledger, block_hash)), Block)
    with pytest.raises(ConfigError, match=f"{TRANSACTIONS_MAX + 1} transactions.*limit {TRANSACTIONS_MAX}"):
        ledger.mine(START, transactions=TRANSACTIONS_MAX + 1)


@pytest.mark.parametrize("network", ["main", "regtest"])
@all_chains
def test_genesis_bodies_are_the_real_ones(chain: BitcoinFamilyChain, network: str) -> None:
    parameters = chain.networks[network]
    raw = genesis_body(parameters)
    block = chain.processor(network).process_block(raw)
    assert isinstance(block, Block), block
    assert sha256d(raw[:80]) == parameters.genesis_hash
    assert block.tx_count == 1


@all_chains
def test_a_new_ledger_serves_its_genesis_block(chain: BitcoinFamilyChain) -> None:
    ledger = make_ledger(chain)
    assert (ledger.height(), ledger.tip) == (0, chain.networks["regtest"].genesis_hash)
    assert body_of(ledger, ledger.tip) == genesis_body(chain.networks["regtest"])


def test_a_stripped_body_has_the_same_hash_and_no_witness() -> None:
    ledger, processor = make_ledger(), bitcoin.CHAIN.processor("regtest")
    block_hash = ledger.mine(START, transactions=5)
    full, stripped = body_of(ledger, block_hash), body_of(ledger, block_hash, witness=False)
    assert len(stripped) < len(full)
    assert stripped[:80] == full[:80]
    block = processor.process_block(stripped)
    assert isinstance(block, Block)
    assert block.facts.witness.absent
    refused = processor.check_context(block, at(ledger.height()), ())
    assert refused is not None
    assert refused.mutated


@given(st.integers(0, 70_000), st.integers(0, 2**64 - 1))
def test_a_coinbase_states_its_height_at_any_height(height: int, extra_nonce: int) -> None:
    body = make_body(Recipe(height, extra_nonce, 0))
    coinbase = parse_transaction(Reader(body.full, 1))
    assert height_claimed(coinbase.inputs[0].script) == height


def test_same_seed_and_times_give_the_same_bytes_and_another_seed_others() -> None:
    def bodies(seed: int) -> list[bytes]:
        ledger = make_ledger(seed=seed)
        return [body_of(ledger, ledger.mine(START + i, transactions=i)) for i in range(5)]

    assert bodies(1) == bodies(1)
    assert not set(bodies(1)) & set(bodies(2))


def test_bodies_rebuilt_after_they_left_the_cache_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = make_ledger()
    first = ledger.mine(START, transactions=10)
    kept = body_of(ledger, first)
    monkeypatch.setattr(ledger_module, "BODY_CACHE_BYTES_MAX", 3 * len(kept))
    for _ in range(5):
        ledger.mine(START, transactions=10)
    assert first not in ledger._bodies
    assert sum(map(len, ledger._bodies.values())) == ledger._bodies_size <= 3 * len(kept)
    assert body_of(ledger, first) == kept


def test_the_tree_refuses_one_block_over_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "BLOCKS_MAX", 3)
    ledger = make_ledger()
    ledger.mine(START)
    ledger.mine(START)
    with pytest.raises(ConfigError, match="3 blocks, limit 3"):
        ledger.mine(START)


def test_times_stay_above_the_median_of_eleven_when_the_clock_stands() -> None:
    ledger = make_ledger()
    hashes = [ledger.tip] + [ledger.mine(START) for _ in range(40)]
    times = [time_of(ledger, block_hash) for block_hash in hashes]
    for i in range(1, len(times)):
        before = sorted(times[max(0, i - 11) : i])
        assert times[i] > before[len(before) // 2]
    assert times[1] == START


def test_only_networks_of_fixed_difficulty_are_mined() -> None:
    with pytest.raises(ConfigError, match="no fixed difficulty"):
        RegtestLedger(bitcoin.MAIN, bitcoin.CHAIN.processor("main"), random.Random(0))


def test_unknown_blocks_have_no_body_and_no_child() -> None:
    ledger = make_ledger()
    assert ledger.body(bytes(32), witness=True) is None
    with pytest.raises(ConfigError, match="no block"):
        ledger.mine(START, parent=b"\x01" * 32)
    with pytest.raises(ConfigError, match="genesis"):
        ledger.invalidate(ledger.tip)


def test_an_invalidated_branch_is_left_not_served_and_taken_up_again() -> None:
    ledger = make_ledger()
    a1, a2 = ledger.mine(START), ledger.mine(START)
    ledger.invalidate(a1)
    assert (ledger.tip, ledger.height()) == (ledger.parameters.genesis_hash, 0)
    assert ledger.body(a2, witness=True) is None
    a3 = ledger.mine(START, parent=a2)
    assert ledger.height() == 0
    ledger.reconsider(a3)
    assert (ledger.tip, ledger.height()) == (a3, 3)
    assert ledger.body(a2, witness=True) is not None


def test_of_branches_with_equal_work_the_first_seen_stays_whatever_else_is_dropped_or_taken_up() -> None:
    ledger = make_ledger()
    first, second = ledger.mine(START), ledger.mine(START, parent=ledger.parameters.genesis_hash)
    assert ledger.tip == first
    ledger.invalidate(second)
    ledger.reconsider(second)
    assert ledger.tip == first
    ledger.invalidate(first)
    assert ledger.tip == second
    ledger.reconsider(first)
    assert ledger.tip == first


class Model:
    """The obvious form of the tree: every question walks all blocks."""

    def __init__(self, genesis: bytes) -> None:
        self.parents: dict[bytes, bytes | None] = {genesis: None}
        self.invalidated: set[bytes] = set()

    def branch(self, block_hash: bytes) -> list[bytes]:
        found: list[bytes] = []
        at: bytes | None = block_hash
        while at is not None:
            found.append(at)
            at = self.parents[at]
        return found[::-1]

    def best(self) -> list[bytes]:
        valid = [self.branch(h) for h in self.parents if not self.invalidated & set(self.branch(h))]
        return max(valid, key=len)  # the first of the longest

    def reconsider(self, block_hash: bytes) -> None:
        own = set(self.branch(block_hash))
        self.invalidated = {h for h in self.invalidated if h not in own and block_hash not in self.branch(h)}

    def headers_after(self, locator: list[bytes], stop: bytes, limit: int) -> list[bytes]:
        best = self.best()
        start = next((best.index(h) for h in locator if h in best), 0)
        found: list[bytes] = []
        for block_hash in best[start + 1 :]:
            if len(found) == limit:
                break
            found.append(block_hash)
            if block_hash == stop:
                break
        return found


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["mine", "mine", "mine", "branch", "invalidate", "reconsider"]), st.integers(0)
    ),
    max_size=40,
)


@given(ACTIONS)
@settings(max_examples=60)
def test_best_branch_follows_the_rule_through_any_history(actions: list[tuple[str, int]]) -> None:
    ledger = make_ledger()
    model = Model(ledger.tip)
    for action, pick in actions:
        old_tip, old_best = ledger.tip, model.best()
        target = list(model.parents)[pick % len(model.parents)]
        if action in ("mine", "branch"):
            parent = ledger.tip if action == "mine" else target
            model.parents[ledger.mine(START, parent=parent)] = parent
        elif target == ledger.parameters.genesis_hash:
            continue
        elif action == "invalidate":
            ledger.invalidate(target)
            model.invalidated.add(target)
        else:
            ledger.reconsider(target)
            model.reconsider(target)
        best = model.best()
        assert [ledger.best_chain_hash_at(i) for i in range(len(best) + 1)] == [*best, None]
        assert (ledger.tip, ledger.height()) == (best[-1], len(best) - 1)
        joined = [header_of(ledger, h) for h in best if h not in old_best]
        assert ledger.connected_since(old_tip) == joined


@given(st.data())
@settings(max_examples=60)
def test_headers_after_agrees_with_the_slow_model(data: st.DataObject) -> None:
    ledger = make_ledger()
    model = Model(ledger.tip)
    for pick in data.draw(st.lists(st.integers(0, 3), max_size=25)):
        parent = list(model.parents)[-1 - pick % len(model.parents)]
        model.parents[ledger.mine(START, parent=parent)] = parent
    known = st.sampled_from([*model.parents, bytes(32), b"\x07" * 32])
    locator = data.draw(st.lists(known, min_size=1, max_size=6))
    stop, limit = data.draw(known), data.draw(st.integers(1, 30))
    wanted = [header_of(ledger, h) for h in model.headers_after(locator, stop, limit)]
    assert ledger.headers_after(locator, stop, limit) == wanted


def test_an_empty_locator_asks_for_the_stop_header_alone() -> None:
    ledger = make_ledger()
    first, _ = ledger.mine(START), ledger.mine(START)
    assert ledger.headers_after([], first, 2_000) == [header_of(ledger, first)]
    assert ledger.headers_after([], ZERO_HASH, 2_000) == []


def test_a_ledger_learns_a_branch_of_another_and_serves_the_same_bytes() -> None:
    one, other = make_ledger(seed=1), make_ledger(seed=2)
    mined = [one.mine(START, transactions=2) for _ in range(3)]
    own = other.mine(START)
    other.learn(one, mined[-1])
    assert (other.tip, other.height()) == (mined[-1], 3)
    assert [body_of(other, each) for each in mined] == [body_of(one, each) for each in mined]
    one.learn(other, own)
    assert one.tip == mined[-1]
    assert body_of(one, own) == body_of(other, own)
    other.learn(one, mined[-1])
    assert other.height() == 3


def test_what_is_learnt_on_an_invalidated_block_is_no_tip_until_it_is_reconsidered() -> None:
    one, other = make_ledger(seed=1), make_ledger(seed=2)
    first, last = one.mine(START), one.mine(START)
    other.learn(one, first)
    other.invalidate(first)
    other.learn(one, last)
    assert other.height() == 0
    other.reconsider(first)
    assert other.tip == last


def test_a_block_that_the_other_has_not_cannot_be_learnt() -> None:
    with pytest.raises(ConfigError, match="no block"):
        make_ledger().learn(make_ledger(), bytes(32))
