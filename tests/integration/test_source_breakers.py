"""A source's breaker opens on evidence that names the cause and recovers by itself; subscribers miss nothing.

Real litecoinds: stopped by force, frozen, started again. Beside the relay runs another whose breakers only
say what they would do (`shadow`): there the frozen node stays in use, so what is seen of the first is the
breakers' doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.branch_follower import BranchFollower
from tests.integration.real_servers import HOST, Litecoind, wait_until
from tests.integration.relay_breakers import RelayBreakers
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of

pytestmark = pytest.mark.real("litecoind")

ALICE, BOB = (f"source:litecoin-regtest:{name}" for name in ("alice", "bob"))
SHADOW = {"SPRINT_BREAKERS__SOURCE__SHADOW": "true"}
KILLED_SEEN_S_MAX = 15.0  # three attempts within a second, on a busy machine
FROZEN_SEEN_S_MAX = (
    40.0  # it is asked 3 s after a block that it says nothing of, and late three times by 15 s
)
BACK_S_MAX = 60.0  # the longest delay is 30 s


@contextmanager
def relay_on(folder: Path, nodes: dict[str, Litecoind], **environment: str) -> Iterator[RelayProcess]:
    sources = [f"{name}@litecoin:regtest=p2p://{HOST}:{node.p2p_port}" for name, node in nodes.items()]
    options = [part for source in sources for part in ("--source", source)]
    data = ("--data-dir", str(folder / "data"))
    with RelayProcess(folder, *options, *data, environment=environment) as relay:
        yield relay


def judge(listener: Listener, node: Litecoind) -> None:
    """Hold what a subscriber was given against what a node has."""
    listener.wait_for_block(node.tip)
    follower = BranchFollower()
    for event in list(listener.events):
        follower.take(event)
    follower.finish()
    heights = range(follower.first_height, node.height + 1)
    assert follower.branch == [str(node.rpc("getblockhash", height)) for height in heights]


def evidence_of(breakers: RelayBreakers, breaker: str) -> list[tuple[str, str]]:
    """Each opening of a breaker: what led to it, and the evidence in words."""
    return [
        (row["reason"], row["evidence"]["text"]) for row in breakers.history(breaker) if row["to"] == "open"
    ]


def opened(breakers: RelayBreakers, breaker: str, cause: str) -> bool:
    """Whether a breaker has opened by its detectors on evidence that names a cause."""
    return any(how == "tripped" and cause in text for how, text in evidence_of(breakers, breaker))


def test_one_of_two_nodes_is_frozen_thawed_killed_and_started_again(
    tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    alice, bob = litecoind_factory(), litecoind_factory()
    bob.connect_to(alice)
    alice.wait_for_tip(bob.mine(1)[-1])
    nodes = {"alice": alice, "bob": bob}
    with ExitStack() as stack:
        relay = stack.enter_context(relay_on(tmp_path / "guarded", nodes))
        shadow = stack.enter_context(relay_on(tmp_path / "shadow", nodes, **SHADOW))
        breakers, shadows = (stack.enter_context(RelayBreakers(each)) for each in (relay, shadow))
        listener = stack.enter_context(Listener(relay.url))
        listener.wait_for_block(bob.tip)
        wait_until(lambda: shadows.source("alice")["state"] == "ready", "the shadow's alice is ready")

        alice.freeze()
        bob.mine(1)
        what = "alice's breaker is open for a silence"
        silent = "no answer to getheaders for"
        wait_until(lambda: opened(breakers, ALICE, silent), what, timeout_s=FROZEN_SEEN_S_MAX)
        assert breakers.source("alice")["state"] != "ready"
        assert breakers.source("bob")["state"] == "ready"
        assert "open" in breakers.source("alice")["reason"]
        wait_until(lambda: opened(shadows, ALICE, silent), f"{what} in the shadow, which only says so")
        assert shadows.source("alice")["state"] == "ready", "taken out, the frozen node stays in use"
        bob.mine(1)
        alice.thaw()
        breakers.wait_for_state(ALICE, "closed", BACK_S_MAX)
        wait_until(lambda: breakers.source("alice")["state"] == "ready", "alice is back in use")
        bob.connect_to(alice)
        alice.wait_for_tip(bob.mine(1)[-1])

        alice.kill()
        bob.mine(1)
        what = "alice's breaker is open for a refusal"
        refused = "Connection refused"
        wait_until(lambda: opened(breakers, ALICE, refused), what, timeout_s=KILLED_SEEN_S_MAX)
        bob.mine(1)
        alice.start()
        # What it had not written yet is lost, and in its initial download it answers nobody's getheaders.
        bob.connect_to(alice)
        alice.wait_for_tip(bob.mine(1)[-1])
        breakers.wait_for_state(ALICE, "closed", BACK_S_MAX)
        # What alice alone has shows that she is in use again.
        listener.wait_for_block(alice.mine(1)[-1])
        bob.wait_for_tip(alice.tip)
        judge(listener, bob)
        assert evidence_of(breakers, BOB) == []
        last = breakers.history(ALICE)[-1]
        assert (last["from"], last["to"], last["reason"]) == ("half_open", "closed", "trials_succeeded")


def test_the_only_node_is_never_cut_off_and_the_reason_why_it_would_be_is_shown(
    tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    alice = litecoind_factory()
    with (
        relay_on(tmp_path, {"alice": alice}) as relay,
        Listener(relay.url) as listener,
        RelayBreakers(relay) as breakers,
    ):
        listener.wait_for_block(alice.tip)
        alice.stop()  # as an operator does: killed it would lose its block, and mine another in its place

        def withheld() -> Sequence[str]:
            return [note for note in breakers.source("alice")["notes"] if "Connection refused" in note]

        wait_until(lambda: bool(withheld()), "the source says why its breaker would be open")
        assert "nobody stands in: 3 failures in a row" in withheld()[0]
        assert breakers.explain(ALICE)["state"] == "closed"
        alice.start()
        listener.wait_for_block(alice.mine(1)[-1])
        judge(listener, alice)
        assert (evidence_of(breakers, ALICE), withheld()) == ([], [])
        assert len(blocks_of(list(listener.events))) == 2
