"""Nodes that lie about blocks: refused for the rule that is broken, penalised, and nobody misled by it.

One source lies, one beside it is honest; what is told to subscribers, whose score pays, and what the API
would say of the block are looked at after each lie.
"""

from __future__ import annotations

from random import Random

import pytest

from sprint.core.chains import display_hash
from sprint.core.protocols.announcements import BlockArrived, HeadersAnnounced
from sprint.core.relay.admit import DISORDER_PENALTY, INVALID_PENALTY, Refused
from sprint.core.relay.outcome import Outcome
from sprint.core.relay.status import BlockStatus, block_status
from sprint.tools.plugins import ChainNetwork
from tests.core.relay.driving import UNIX_TIME, begun
from tests.simulator.forgery import FORGERIES, MERGED_MINING
from tests.simulator.networks import PERIOD_BLOCKS, RETARGETING, network_of
from tests.simulator.world import AHEAD_S, FIRST_TIMESTAMP, World

NETWORK = network_of(RETARGETING)
MERGE_MINING_NETWORK = network_of("dogecoin-regtest")
LIES = [lie for lie in FORGERIES if lie not in MERGED_MINING]
MUTATIONS = (
    "one bit",
    "cut short",
    "a byte more",
    "another block's body",
    "stripped of its witness",
    "its end repeated",
)
BEYOND_A_BORDER_S = 1_500


class Scene:
    """A world, a relay that follows its honest chain, a source that lies and one that does not."""

    def __init__(
        self, blocks: int = PERIOD_BLOCKS + 2, *, last_ahead_s: int = 0, network: ChainNetwork = NETWORK
    ) -> None:
        self.world = World(network, Random(1))
        self.driver = begun(self, None, "liar", "honest", network=network)
        self.tip = self.world.genesis
        for number in range(blocks):
            self.grow(ahead_s=last_ahead_s if number == blocks - 1 else 0)
        self.driver.told()

    def header(self, block_hash: bytes) -> bytes:
        return self.world.header(block_hash)

    def body(self, block_hash: bytes, *, witness: bool = True) -> bytes:
        raw = self.world.body(block_hash, witness=witness)
        assert raw is not None
        return raw

    def grow(self, *, ahead_s: int = 0, transactions: int = 0) -> bytes:
        """Mine an honest block on the honest tip and let the honest source bring it."""
        self.tip = self.world.mine(self.tip, 0.0, transactions, ahead_s=ahead_s)
        self.driver.follow("honest", [self.tip])
        return self.tip

    def announce(self, block_hash: bytes, source: str = "liar") -> Outcome:
        return self.driver.headers(source, [block_hash])

    @property
    def head(self) -> bytes:
        return self.driver.state.tree.head.hash

    def status(self, block_hash: bytes) -> BlockStatus:
        status = block_status(self.driver.state, self.driver.chain_id, block_hash)
        assert status is not None
        return status


def scene_for(lie: str) -> Scene:
    """A scene in which a lie can be told: some need a border, some a target that is not the easiest."""
    if lie == "warped time":
        return Scene(PERIOD_BLOCKS * 2 - 1, last_ahead_s=BEYOND_A_BORDER_S)
    if lie == "easier bits at the border":
        return Scene(PERIOD_BLOCKS * 4 - 1)
    return Scene(PERIOD_BLOCKS * 4 + 2)


@pytest.mark.parametrize("lie", LIES)
def test_a_false_block_is_refused_for_its_rule_and_the_honest_source_is_followed(lie: str) -> None:
    scene, (check, in_body, _) = scene_for(lie), FORGERIES[lie]
    assert lie in scene.world.forger.lies_at(scene.world.spot(scene.tip, 0.0))
    false, head = scene.world.forge(lie, scene.tip, 0.0), scene.head
    outcome = scene.announce(false)
    if in_body:
        assert outcome.penalties == []
        (header,) = scene.driver.told()
        assert header.data.hash == display_hash(false)
        outcome = scene.driver.body("liar", false)
        (withdrawn,) = scene.driver.told()
        assert withdrawn.data.hash == display_hash(false)
        assert withdrawn.data.reason.startswith(f"{check}: ")
    (penalty,) = outcome.penalties
    assert (penalty.source, penalty.points) == ("liar", INVALID_PENALTY)
    assert penalty.reason.startswith(f"{check}: ")
    assert scene.driver.told() == []
    assert scene.head == head
    status = scene.status(false)
    assert (status.state, status.reason) == ("rejected", penalty.reason)
    assert scene.driver.state.tally.refusals == {check: 1}
    honest = scene.grow()
    assert scene.driver.delivered() == [display_hash(honest)]


@pytest.mark.parametrize("lie", sorted(MERGED_MINING))
def test_a_false_proof_by_a_parent_block_is_refused_for_what_is_false(lie: str) -> None:
    auxpow = MERGE_MINING_NETWORK.parameters.auxpow
    scene, check = Scene(auxpow.height, network=MERGE_MINING_NETWORK), FORGERIES[lie][0]
    false, head = scene.world.forge(lie, scene.tip, 0.0), scene.head
    (penalty,) = scene.announce(false).penalties
    assert (penalty.source, penalty.points) == ("liar", INVALID_PENALTY)
    assert penalty.reason.startswith(f"{check}: ")
    (by_body,) = scene.driver.body("second", false).penalties if check != "version" else [penalty]
    assert by_body.reason.startswith(f"{check}: ")
    assert scene.driver.told() == []
    assert scene.head == head
    honest = scene.grow()
    assert scene.driver.delivered() == [display_hash(honest)]


@pytest.mark.parametrize("lie", ["no work", "easier bits", "too much money"])
def test_a_lie_told_again_is_refused_without_being_proved(lie: str) -> None:
    scene = scene_for(lie)
    false = scene.world.forge(lie, scene.tip, 0.0)
    scene.announce(false)
    if FORGERIES[lie][1]:
        scene.driver.body("liar", false)
    again = scene.driver.admit(HeadersAnnounced("second", (scene.header(false),), scene.driver.now))
    assert isinstance(again, Refused)
    assert (again.penalty.source, again.penalty.points) == ("second", INVALID_PENALTY)
    body = scene.driver.admit(BlockArrived("second", scene.body(false), scene.driver.now))
    assert isinstance(body, Refused)
    above = scene.world.mine(false, 0.0, 0)
    child = scene.driver.admit(HeadersAnnounced("third", (scene.header(above),), scene.driver.now))
    assert isinstance(child, Refused)


@pytest.mark.parametrize("lie", [lie for lie in LIES if not FORGERIES[lie][1]])
def test_a_false_header_is_refused_with_its_body_too(lie: str) -> None:
    scene, check = scene_for(lie), FORGERIES[lie][0]
    false, head = scene.world.forge(lie, scene.tip, 0.0), scene.head
    outcome = scene.driver.body("liar", false)
    (penalty,) = outcome.penalties
    assert penalty.reason.startswith(f"{check}: ")
    assert scene.head == head
    assert scene.status(false).state == "rejected"
    assert scene.driver.told() == []


@pytest.mark.parametrize("lie", ["another height", "locked by height", "locked by time"])
def test_a_body_that_came_before_its_headers_is_asked_for_its_place_when_they_come(lie: str) -> None:
    scene, (check, _, _) = scene_for(lie), FORGERIES[lie]
    parent = scene.world.mine(scene.tip, 0.0, 0)
    false = scene.world.forge(lie, parent, 0.0)
    assert scene.driver.body("liar", false).penalties == []
    outcome = scene.driver.headers("liar", [parent, false])
    assert [penalty.reason.partition(":")[0] for penalty in outcome.penalties] == [check]
    scene.driver.told()
    scene.driver.body("honest", parent)
    assert scene.driver.delivered() == [display_hash(parent)]
    assert scene.status(false).state == "rejected"


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_false_body_costs_who_sent_it_and_the_true_one_comes_from_another(mutation: str) -> None:
    scene = Scene()
    true = scene.world.mine(scene.tip, 0.0, 2)
    false = {found.mutation: found for found in scene.world.mutations(true, Random(2))}[mutation]
    scene.announce(true)
    outcome = scene.driver.body("liar", true, false.body)
    (penalty,) = outcome.penalties
    assert (penalty.source, penalty.points) == ("liar", INVALID_PENALTY)
    assert penalty.reason.startswith(f"{false.check}: ")
    assert [(request.source, request.bodies) for request in outcome.requests] == [("honest", (true,))]
    assert scene.driver.told_types() == ["header"]
    assert scene.driver.state.tally.refusals == {false.check: 1}
    scene.driver.body("honest", true)
    assert scene.driver.delivered() == [display_hash(true)]
    assert scene.status(true).state == "relayed"


def test_a_body_that_no_source_has_in_truth_is_withdrawn_in_the_end() -> None:
    scene = Scene()
    block = scene.world.mine(scene.tip, 0.0, 0)
    false = scene.world.mutations(block, Random(2))[0]
    scene.announce(block)
    scene.driver.body("liar", block, false.body)
    scene.driver.timer(scene.driver.settings.body_timeout_s + 1.0)
    header, withdrawn = scene.driver.told("header", "header_withdrawn")
    assert header.data.hash == withdrawn.data.hash == display_hash(block)


def test_another_blocks_body_leaves_the_one_asked_for_wanted() -> None:
    scene = Scene()
    wanted = scene.world.mine(scene.tip, 0.0, 0)
    scene.announce(wanted)
    scene.driver.admit(scene.driver.block_of("liar", scene.tip))
    outcome = scene.driver.timer(scene.driver.settings.body_request_timeout_s)
    assert [(request.source, request.bodies) for request in outcome.requests if request.bodies] == [
        ("honest", (wanted,))
    ]


def test_a_header_from_the_future_is_refused_until_its_time_has_come() -> None:
    scene = Scene()
    early = scene.world.mine(scene.tip, 0.0, 0, ahead_s=AHEAD_S + 60)
    (penalty,) = scene.announce(early).penalties
    assert (penalty.source, penalty.points) == ("liar", DISORDER_PENALTY)
    assert "clock may be wrong" in penalty.reason
    (penalty,) = scene.driver.body("liar", early).penalties
    assert penalty.points == DISORDER_PENALTY
    assert scene.driver.told() == []
    assert scene.driver.state.tally.refusals == {"future_time": 2}
    scene.driver.now += 60.0
    assert UNIX_TIME == FIRST_TIMESTAMP
    assert scene.announce(early, "honest").penalties == []
    scene.driver.body("honest", early)
    assert scene.driver.delivered() == [display_hash(early)]


def test_the_headers_before_a_false_one_are_kept_and_those_after_it_are_not() -> None:
    scene = Scene()
    true = scene.world.mine(scene.tip, 0.0, 0)
    false = scene.world.forge("version 1", true, 0.0)
    above = scene.world.mine(false, 0.0, 0)
    outcome = scene.driver.headers("liar", [true, false, above])
    assert [penalty.reason.partition(":")[0] for penalty in outcome.penalties] == ["version"]
    tree = scene.driver.state.tree
    assert tree.get(true) is not None
    assert tree.get(false) is None
    assert tree.get(above) is None
    scene.driver.body("honest", true)
    assert scene.driver.delivered() == [display_hash(true)]


def test_a_longer_chain_of_less_work_is_believed_and_not_followed() -> None:
    scene = Scene(PERIOD_BLOCKS * 4)
    branch, parent = [], scene.world.below(scene.tip, PERIOD_BLOCKS * 3 - 1)
    for number in range(PERIOD_BLOCKS * 4):
        block = scene.world.mine(parent, 0.0, 0, ahead_s=number * 300)
        if scene.world.work(block) > scene.world.work(scene.tip):
            break
        branch.append(block)
        parent = block
    assert scene.world.height[branch[-1]] > scene.world.height[scene.tip]
    head = scene.head
    outcome = scene.driver.headers("liar", branch)
    assert outcome.penalties == []
    assert scene.driver.told() == []
    assert scene.head == head
    assert scene.status(branch[-1]).state == "received"
    honest = scene.grow()
    assert scene.driver.delivered() == [display_hash(honest)]


def test_a_false_block_that_a_gap_passed_over_is_not_delivered_and_loses_to_more_work() -> None:
    scene = Scene()
    false = scene.world.forge("too much money", scene.tip, 0.0)
    above = scene.world.mine(false, 0.0, 0)
    scene.driver.headers("liar", [false, above])
    scene.driver.body("liar", above)
    for _ in range(40):
        scene.driver.timer(2.0)
    assert scene.driver.told_types() == ["header", "header_withdrawn", "gap", "block"]
    (penalty,) = scene.driver.body("liar", false).penalties
    assert penalty.reason.startswith("transactions: ")
    assert scene.driver.told() == []
    assert scene.status(false).state != "relayed"
    honest = [scene.grow() for _ in range(3)]
    reorg, *blocks = scene.driver.told("reorg", "block")
    assert reorg.data.removed == (display_hash(above), display_hash(false))
    assert [event.data.hash for event in blocks] == [display_hash(block) for block in honest]
