"""Targets: the chains' published vectors, and long chains in which a slow checker agrees at every header."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Header, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.ancestry import Ancestry, begin_ancestry, extend_ancestry
from sprint.core.chains.bitcoin_family.difficulty import permitted_targets, required_bits, scaled_bits
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.header_rules import check_ancestry
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import bits_of, target_of
from sprint.core.errors import RuleError
from tests.core.chains.bitcoin_family.slow_difficulty import (
    NEXT_BITS,
    HeaderList,
    compact,
    expand,
    least_time,
)

NETWORKS = {
    network.chain_id: network
    for chain in (bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN)
    for network in chain.networks.values()
}
VECTORS = [
    line.split("\t")
    for line in (Path(__file__).parents[3] / "vectors" / "retarget.tsv").read_text().splitlines()
    if not line.startswith("#")
]
# Each network from its genesis block on and across what changes on its way: retargets, eras, the first
# height at which a testnet's exception holds for all headers.
STARTS = [
    *[(chain_id, 0) for chain_id in NEXT_BITS],
    ("bitcoin", 951_658),
    ("bitcoin-testnet", 2_500_000),
    ("bitcoin-testnet4", 40_000),
    ("litecoin", 900_000),
    ("litecoin-testnet", 2_352_616),
    ("dogecoin", 4_700),
    ("dogecoin", 9_500),
    ("dogecoin", 144_500),
    ("dogecoin", 371_337),
    ("dogecoin-testnet", 4_700),
    ("dogecoin-testnet", 9_500),
    ("dogecoin-testnet", 144_500),
    ("dogecoin-testnet", 157_200),
    ("dogecoin-testnet", 1_234_580),
]
HEADERS = 10_000
HARDER_MAX = 80  # halvings of the easiest target
SOAK_CHAINS = 20
DISTANT_FUTURE = 1e12
VERSION = 0x2062_0004  # new enough for every network, with Dogecoin's chain id where it looks for one
EASIEST = (1 << 256) - 1


def header(time: int, bits: int, version: int = VERSION) -> Header:
    """Make a header of which only these are of interest; nobody looks at its proof of work."""
    raw = BlockHeader(version, bytes(32), bytes(32), time, bits, 0).encode()
    return Header(bytes(32), bytes(32), time, 1, raw, {})


def unpinned(chain_id: str) -> NetworkParameters:
    return msgspec.structs.replace(NETWORKS[chain_id], pinned={})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector[0]}-{vector[1]}")
def test_every_published_vector_is_met(vector: list[str]) -> None:
    chain, height, first_time, last_time, bits, wanted, _ = vector
    parameters = NETWORKS[chain]
    rules = parameters.difficulty
    assert rules is not None
    era = rules.era_at(int(height) + 1)
    assert scaled_bits(parameters, era, int(bits, 16), int(last_time) - int(first_time)) == int(wanted, 16)


def test_there_are_fourteen_vectors() -> None:
    assert len(VECTORS) == 14


class Walk:
    """A chain with random times, judged by both checkers as it grows."""

    def __init__(self, chain_id: str, height: int, rng: random.Random) -> None:
        self.parameters = unpinned(chain_id)
        self.rng = rng
        limit = self.parameters.target_limit
        bits = (
            bits_of(limit >> rng.randrange(60))
            if height
            else int.from_bytes(self.parameters.genesis[72:76], "little")
        )
        self.headers = HeaderList(height, 1_500_000_000, bits)
        self.slow_next_bits = NEXT_BITS[chain_id]
        self.ancestry = begin_ancestry(self.parameters, header(1_500_000_000, bits), height)
        self.pace = self.rng.choice(self.paces())
        self.compared = 0
        self.changes = 0

    def step(self) -> None:
        if self.rng.random() < 0.002 or self.harder() > HARDER_MAX:
            self.pace = self.rng.choice(self.paces())
        time = self.next_time()
        wanted = self.wanted_bits(time)
        ours = required_bits(self.parameters, self.ancestry, time)
        place = f"{self.parameters.chain_id} at {self.headers.next_height}"
        assert ours == wanted, f"{place}: {ours} and not {wanted}"
        bits = self.headers.headers[-1][1] if wanted is None else wanted
        self.changes += bits != self.headers.headers[-1][1]
        self.compared += wanted is not None
        new = header(time, bits)
        check_ancestry(self.parameters, self.ancestry, new, DISTANT_FUTURE)
        if wanted is not None:
            self.refuses_another(time, bits)
        self.ancestry = extend_ancestry(self.parameters, self.ancestry, new)
        self.headers.headers.append((time, bits))

    def harder(self) -> int:
        """How many times the last target was halved, counted from the easiest."""
        return self.parameters.target_limit.bit_length() - expand(self.headers.headers[-1][1]).bit_length()

    def paces(self) -> tuple[float, ...]:
        """How fast blocks may come, so that targets move both ways and stay within what there can be."""
        if self.harder() < 5:
            return (0.05, 0.3, 0.7)
        return (1.5, 4.0, 30.0) if self.harder() > HARDER_MAX else (0.2, 0.8, 1.0, 1.3, 5.0)

    def next_time(self) -> int:
        """A time that no other rule refuses; some are earlier than the parent's, some much later."""
        last = self.headers.headers[-1][0]
        pause_s = self.rng.expovariate(1 / (self.parameters.block_interval_s * self.pace))
        kind = self.rng.random()
        if self.headers.next_height % 2_016 == 2_015:
            kind = 0.05  # a period that ends with a testnet's exception tells its first target from its last
        least = least_time(self.parameters.chain_id, self.headers)
        if kind < 0.03:
            return max(least, last - int(pause_s))
        if kind < 0.06:
            return max(least, last + int(self.parameters.block_interval_s * 2) + self.rng.randrange(-1, 3))
        return max(least, last + int(pause_s))

    def wanted_bits(self, time: int) -> int | None:
        try:
            return self.slow_next_bits(self.headers, time)
        except LookupError:
            return None

    def refuses_another(self, time: int, bits: int) -> None:
        other = bits ^ 1 << self.rng.randrange(32)
        with pytest.raises(RuleError) as caught:
            check_ancestry(self.parameters, self.ancestry, header(time, other), DISTANT_FUTURE)
        assert caught.value.check == "difficulty"


def walk(chain_id: str, height: int, seed: int) -> None:
    walked = Walk(chain_id, height, random.Random(f"{seed} {chain_id} {height}"))
    for _ in range(HEADERS):
        walked.step()
    print(f"{chain_id} from {height}: {walked.compared} of {HEADERS} compared, {walked.changes} changes")
    assert walked.compared > HEADERS // 2
    assert walked.changes > 1


@pytest.mark.parametrize(("chain_id", "height"), STARTS)
def test_a_slow_checker_agrees_at_every_header(chain_id: str, height: int, seed: int) -> None:
    walk(chain_id, height, seed)


@pytest.mark.soak
@pytest.mark.parametrize(("chain_id", "height"), STARTS)
def test_a_slow_checker_agrees_at_every_header_of_many_chains(chain_id: str, height: int, seed: int) -> None:
    for number in range(SOAK_CHAINS):
        walk(chain_id, height, seed + number)


@pytest.mark.parametrize(
    ("chain_id", "height", "elapsed_s", "wanted"),
    [
        ("dogecoin", 4_800, 0, 0x1C00_FFFF),
        ("dogecoin", 5_040, 0, 0x1C01_FFFE),
        ("dogecoin", 9_840, 0, 0x1C01_FFFE),
        ("dogecoin", 10_080, 0, 0x1C03_FFFC),
        ("dogecoin", 10_080, 10**6, 0x1C3F_FFC0),
        ("dogecoin", 144_960, 0, 0x1C03_FFFC),
        ("dogecoin", 144_999, 0, 0x1C0F_FFF0),
        ("dogecoin", 145_000, -1_000, 0x1C0B_FFF4),
        ("dogecoin", 145_000, 10**6, 0x1C17_FFE8),
        ("dogecoin", 145_000, 60, 0x1C0F_FFF0),
        ("bitcoin", 4_032, 0, 0x1C03_FFFC),
        ("bitcoin", 4_032, 10**8, 0x1C3F_FFC0),
        ("litecoin", 4_032, 0, 0x1C03_FFFC),
        ("litecoin", 4_032, 302_400, 0x1C0F_FFF0),
    ],
)
def test_each_era_steps_as_far_as_its_rule_lets_it(
    chain_id: str, height: int, elapsed_s: int, wanted: int
) -> None:
    parameters = unpinned(chain_id)
    ancestry = before(parameters, height, 0x1C0F_FFF0, elapsed_s)
    assert required_bits(parameters, ancestry, ancestry.times[-1] + 1) == wanted


@pytest.mark.parametrize(
    ("height", "excepted"),
    [(144_959, True), (144_960, False), (144_999, True), (145_000, False), (157_500, False), (157_501, True)],
)
def test_dogecoins_testnet_excepts_late_headers_between_retargets_and_from_157_501_on(
    height: int, *, excepted: bool
) -> None:
    parameters = unpinned("dogecoin-testnet")
    ancestry = before(parameters, height, 0x1C0F_FFF0, 60)
    easiest = 0x1E0F_FFFF
    late = ancestry.times[-1] + 121
    assert (required_bits(parameters, ancestry, late) == easiest) == excepted
    assert required_bits(parameters, ancestry, late - 1) != easiest


@pytest.mark.parametrize(
    ("chain_id", "wanted"), [("bitcoin-testnet4", 0x1B0F_FFF0), ("bitcoin-testnet", 0x1D00_FFFF)]
)
def test_testnet4_scales_the_first_target_of_a_period_and_testnet3_the_last(
    chain_id: str, wanted: int
) -> None:
    """The last header is an exception; on testnet3 it makes the next period easy, which BIP 94 ended."""
    parameters = unpinned(chain_id)
    time = 1_600_000_000
    ancestry = begin_ancestry(parameters, header(time, 0x1B0F_FFF0), 42_336)
    for height in range(42_337, 42_336 + 2_016):
        bits = 0x1D00_FFFF if height % 2_016 == 2_015 else 0x1B0F_FFF0
        ancestry = extend_ancestry(parameters, ancestry, header(time + 600 * (height - 42_336), bits))
    ancestry = msgspec.structs.replace(ancestry, period_time=ancestry.times[-1] - 1_209_600)
    assert required_bits(parameters, ancestry, ancestry.times[-1] + 1) == wanted


RETARGETS = [
    ("bitcoin", 2_016), ("bitcoin-testnet4", 42_336), ("litecoin", 2_016), ("litecoin", 901_152),
    ("dogecoin", 240), ("dogecoin", 5_040), ("dogecoin", 145_000), ("dogecoin-testnet", 150_000),
]  # fmt: skip


def before(parameters: NetworkParameters, height: int, bits: int, elapsed_s: int) -> Ancestry:
    """Return the ancestry of a header that ends a period of so many seconds."""
    last = 1_600_000_000
    start = last - elapsed_s
    return Ancestry(height - 1, (start, last), bits, bits, start, bits, start)


@pytest.mark.parametrize(("chain_id", "height"), RETARGETS)
@given(elapsed_s=st.integers(-(10**7), 10**7), easier=st.integers(0, 200))
def test_a_target_of_a_period_whose_start_is_unknown_is_held_to_what_any_start_permits(
    chain_id: str, height: int, elapsed_s: int, easier: int
) -> None:
    parameters = unpinned(chain_id)
    bits = bits_of(parameters.target_limit >> easier)
    known = before(parameters, height, bits, elapsed_s)
    unknown = msgspec.structs.replace(known, times=known.times[1:], period_time=None, time_before_period=None)
    time = known.times[-1] + 60
    right = required_bits(parameters, known, time)
    assert right is not None
    assert required_bits(parameters, unknown, time) is None
    bounds = permitted_targets(parameters, unknown)
    assert bounds is not None
    hardest, easiest = bounds
    assert hardest <= target_of(right, EASIEST) <= easiest <= parameters.target_limit
    check_ancestry(parameters, unknown, header(time, right), DISTANT_FUTURE)
    for outside in {bits_of(easiest) + 1, bits_of(hardest) - 1}:
        with pytest.raises(RuleError) as caught:
            check_ancestry(parameters, unknown, header(time, outside), DISTANT_FUTURE)
        assert caught.value.check in {"difficulty", "target"}


@pytest.mark.parametrize(("chain_id", "height"), RETARGETS)
def test_both_bounds_of_an_unknown_period_can_be_reached(chain_id: str, height: int) -> None:
    parameters = unpinned(chain_id)
    bits = bits_of(parameters.target_limit >> 40)
    ancestry = before(parameters, height, bits, 0)
    bounds = permitted_targets(parameters, ancestry)
    reached = [
        required_bits(parameters, before(parameters, height, bits, elapsed_s), 1_600_000_000)
        for elapsed_s in (-(10**8), 10**8)
    ]
    assert bounds is not None
    assert [bits_of(bound) for bound in bounds] == reached


@pytest.mark.parametrize("chain_id", ["bitcoin-testnet", "bitcoin-testnet4", "litecoin-testnet"])
def test_a_testnets_target_is_unknown_while_only_exceptions_are_known(chain_id: str) -> None:
    parameters = unpinned(chain_id)
    easiest = bits_of(parameters.target_limit)
    ancestry = begin_ancestry(parameters, header(1_000_000, easiest), 2_500_001)
    pause_s = int(2 * parameters.block_interval_s)
    assert required_bits(parameters, ancestry, 1_000_000 + pause_s) is None
    assert required_bits(parameters, ancestry, 1_000_000 + pause_s + 1) == easiest
    ordinary = bits_of(parameters.target_limit >> 20)
    ancestry = extend_ancestry(parameters, ancestry, header(1_000_001, ordinary))
    ancestry = extend_ancestry(parameters, ancestry, header(1_010_000, easiest))
    assert required_bits(parameters, ancestry, 1_010_001) == ordinary


def test_nothing_known_leaves_a_target_to_the_networks_limit() -> None:
    for parameters in NETWORKS.values():
        ancestry = Ancestry(1_000_000)
        assert required_bits(parameters, ancestry, 0) == parameters.fixed_bits
        assert permitted_targets(parameters, ancestry) is None


@given(st.integers(1, EASIEST))
def test_a_compact_target_is_the_slow_checkers_and_never_easier(target: int) -> None:
    bits = bits_of(target)
    assert bits == compact(target)
    assert bits & 0x0080_0000 == 0
    assert expand(bits) <= target
    assert target - expand(bits) < max(1, target >> 15)


@given(st.integers(0, 2**32 - 1))
def test_a_compact_target_that_passes_is_kept_in_its_one_shortest_form(bits: int) -> None:
    try:
        target = target_of(bits, EASIEST)
    except RuleError:
        return
    assert target_of(bits_of(target), EASIEST) == target == expand(bits_of(target))
    assert bits_of(target) == bits or bits & 0x007F_8000 == 0 or bits >> 24 < 3


@pytest.mark.parametrize(
    ("target", "bits"),
    [
        (0, 0), (1, 0x0101_0000), (0x7F, 0x017F_0000), (0x80, 0x0200_8000), (0xFF, 0x0200_FF00),
        (0x7FFF, 0x027F_FF00), (0x8000, 0x0300_8000), (0x7F_FFFF, 0x037F_FFFF), (0x80_0000, 0x0400_8000),
        ((1 << 224) - 1, 0x1D00_FFFF), ((1 << 236) - 1, 0x1E0F_FFFF), ((1 << 255) - 1, 0x207F_FFFF),
        (EASIEST, 0x2100_FFFF),
    ],
)  # fmt: skip
def test_known_targets_have_their_known_compact_form(target: int, bits: int) -> None:
    assert bits_of(target) == bits
