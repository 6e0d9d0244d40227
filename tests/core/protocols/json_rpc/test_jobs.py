"""What is asked in which order: a walk finds the headers after any locator, on any branch, in few calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.dogecoin import CHAIN as DOGECOIN
from sprint.core.errors import UpstreamError, WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.json_rpc.calls import Answer, Refused, decode_batch, encode_batch
from sprint.core.protocols.json_rpc.jobs import (
    ROUNDS_MAX,
    HeadersFound,
    HeadersWalk,
    Result,
    Steps,
    find_bodies,
    greet,
    look_at_tip,
    wait_for_height,
)
from sprint.core.protocols.json_rpc.results import Tip
from tests.core.protocols.json_rpc.model_node import GENESIS, REGTEST, ModelNode

DOGE_REGTEST = DOGECOIN.networks["regtest"]


def run(job: Steps[Result], node: ModelNode, between: Callable[[], object] = lambda: None) -> Result:
    """Run a job against a node; `between` happens before each answer."""
    answers: tuple[Answer, ...] | None = None
    while True:
        try:
            calls = next(job) if answers is None else job.send(answers)
        except StopIteration as done:
            result: Result = done.value
            return result
        between()
        decoded = decode_batch(node.answer(encode_batch(calls, 1)), 1, len(calls))
        assert not isinstance(decoded, Refused)
        answers = decoded


def walk(
    locator: list[bytes],
    tip: bytes | None = None,
    hint: Tip | None = None,
    headers_max: int = 1_000,
    parameters: NetworkParameters = REGTEST,
) -> Steps[HeadersFound]:
    return HeadersWalk(parameters, locator, tip=tip, hint=hint, headers_max=headers_max).steps()


def methods(node: ModelNode) -> list[str]:
    return [method for method, _ in node.calls]


def test_a_tip_that_stands_on_the_newest_hash_takes_one_call() -> None:
    node = ModelNode()
    node.mine(5)
    locator = list(reversed(node.branch))
    (tip,) = node.mine()
    found = run(walk(locator, tip), node)
    assert found.headers == (node.blocks[tip][:80],)
    assert methods(node) == ["getblockheader"]


def test_a_tip_that_is_known_is_looked_at_again() -> None:
    node = ModelNode()
    node.mine(3)
    old = node.tip
    assert run(walk([old, GENESIS], old), node).headers == ()
    assert methods(node) == ["getbestblockhash"]
    (newer,) = node.mine()
    assert run(walk([old, GENESIS], old), node).headers == (node.blocks[newer][:80],)


@settings(max_examples=60)
@given(st.data())
def test_a_walk_leads_from_any_locator_to_the_nodes_tip(data: st.DataObject) -> None:
    """Ours is any branch of it: shorter, longer, forking off anywhere; the locator any part of that."""
    node = ModelNode()
    node.mine(data.draw(st.integers(0, 30)))
    node.cut_to(data.draw(st.integers(0, len(node.branch) - 1)))
    ours = list(node.branch)
    node.mine(data.draw(st.integers(0, 30)))
    if data.draw(st.booleans()):
        stranger = ModelNode()
        stranger.mine(3)
        ours += stranger.branch[1:]
    inner = ours[1:]
    locator = [each for each in reversed(inner) if each is inner[-1] or data.draw(st.booleans())] + [GENESIS]
    tip = data.draw(st.sampled_from([None, node.tip, *node.branch]))
    headers_max = data.draw(st.integers(1, 10))
    hint: Tip | None = None
    for _ in range(len(node.branch) + 2):
        found = run(walk(locator, tip, hint, headers_max), node)
        hint, tip = found.top, None
        known = set(locator)
        for header in found.headers:
            assert header[4:36] in known
            known.add(sha256d(header))
        if not found.headers:
            break
        assert len(found.headers) <= headers_max
        locator = [sha256d(found.headers[-1]), *locator]
    assert node.tip in locator


def test_full_says_that_there_are_more() -> None:
    node = ModelNode()
    node.mine(4)
    assert run(walk([GENESIS], headers_max=3), node).full
    assert not run(walk([GENESIS], headers_max=4), node).full


def test_a_hint_saves_looking_up_the_locator_and_is_not_believed() -> None:
    node = ModelNode()
    node.mine(6)
    third = node.branch[3]
    assert run(walk([third, GENESIS], hint=Tip(third, 3)), node).headers == tuple(node.headers_above(3))
    assert [m for m, p in node.calls if p[-1:] == [True]] == []
    node.cut_to(1)
    node.mine(9)
    assert run(walk([third, GENESIS], hint=Tip(third, 3)), node).headers[0][4:36] == GENESIS


def test_a_branch_that_changes_while_it_is_walked_is_walked_again() -> None:
    node = ModelNode()
    node.mine(6)
    steps = iter(range(100))

    def change_once() -> None:
        if next(steps) == 1:
            node.cut_to(2)
            node.mine(1)

    found = run(walk([GENESIS]), node, change_once)
    assert found.headers == tuple(node.headers_above(0))


def test_headers_of_two_branches_are_not_taken_for_one() -> None:
    """A node may change its branch while it answers a batch."""
    node = ModelNode()
    node.mine(4)
    old = list(node.branch)
    node.cut_to(1)
    node.mine(5)
    asked: list[str] = []

    def as_before_at_first(displayed: str) -> str:
        asked.append(displayed)
        height = len(asked)
        return display_hash(old[height]) if 2 <= height <= 3 else displayed

    node.spoil["getblockhash"] = as_before_at_first
    assert run(walk([GENESIS]), node).headers == tuple(node.headers_above(0))
    assert len(asked) > len(node.branch)


def test_a_branch_that_never_holds_together_is_given_up_and_costs_points() -> None:
    node = ModelNode()
    node.mine(6)
    node.spoil["getblockcount"] = lambda count: count + 1
    with pytest.raises(WireError, match=f"{ROUNDS_MAX} times") as refused:
        run(walk([GENESIS]), node)
    assert (refused.value.kind, refused.value.penalty) == ("unsteady", 20)


def test_a_tip_without_a_header_is_told_apart() -> None:
    with pytest.raises(WireError) as refused:
        run(walk([GENESIS], tip=b"\7" * 32), ModelNode())
    assert refused.value.kind == "unbacked"


def test_a_header_of_another_block_costs_everything() -> None:
    node = ModelNode()
    node.mine(2)
    node.spoil["getblockheader"] = lambda _: node.blocks[GENESIS][:80].hex()
    with pytest.raises(WireError) as refused:
        run(walk([GENESIS], tip=node.tip), node)
    assert (refused.value.kind, refused.value.penalty) == ("mismatched", 100)


def test_only_a_merge_mined_header_may_have_more_than_80_bytes() -> None:
    node = ModelNode(DOGE_REGTEST.genesis)
    node.mine()
    node.spoil["getblockheader"] = lambda raw: raw + "00" * 40
    locator = [DOGE_REGTEST.genesis_hash]
    assert len(run(walk(locator, node.tip, parameters=DOGE_REGTEST), node).headers[0]) == 120
    with pytest.raises(WireError, match="120 bytes, a header has 80"):
        run(walk(locator, node.tip), node)


def test_bodies_come_with_those_that_are_missing() -> None:
    node = ModelNode()
    first, second = node.mine(2)
    found = run(find_bodies([first, b"\7" * 32, second]), node)
    assert found.blocks == (node.blocks[first], node.blocks[second])
    assert found.missing == (b"\7" * 32,)


@pytest.mark.parametrize("spoilt", ["", "0", "zz", 5, None, "00" * 79, ["00"], {}])
def test_a_body_that_is_none_is_refused(spoilt: object) -> None:
    node = ModelNode()
    node.spoil["getblock"] = lambda _: spoilt
    with pytest.raises(WireError):
        run(find_bodies([GENESIS]), node)


def test_a_node_says_what_it_is_also_where_its_name_is_kept_back() -> None:
    node = ModelNode()
    node.mine(3)
    greeting = run(greet(), node)
    assert (greeting.user_agent, greeting.tip, greeting.genesis_hash) == (
        "/Model:1/",
        Tip(node.tip, 3),
        GENESIS,
    )
    node.refuse["getnetworkinfo"] = -32601
    assert run(greet(), node).user_agent == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [(-28, "the node is starting"), (-32601, "no such call"), (-99, "the node refuses getblockchaininfo")],
)
def test_a_refused_greeting_is_said_in_words(code: int, said: str) -> None:
    node = ModelNode()
    node.refuse["getblockchaininfo"] = code
    with pytest.raises(UpstreamError, match=said):
        run(greet(), node)


@pytest.mark.parametrize(
    "spoilt",
    [None, 5, {}, {"blocks": "1", "bestblockhash": ""}, {"blocks": 1, "bestblockhash": "ab"}],
)
def test_a_greeting_of_another_form_is_refused(spoilt: object) -> None:
    node = ModelNode()
    node.spoil["getblockchaininfo"] = lambda _: spoilt
    with pytest.raises(WireError):
        run(greet(), node)


def test_a_node_that_cannot_wait_is_told_apart() -> None:
    node = ModelNode()
    node.mine(2)
    assert run(wait_for_height(2, 20.0), node) == Tip(node.tip, 2)
    assert node.calls == [("waitforblockheight", [2, 20_000])]
    node.refuse["waitforblockheight"] = -32601
    assert run(wait_for_height(2, 20.0), node) is None
    assert run(look_at_tip(), node) == node.tip


@pytest.mark.parametrize("height", [-1, 2**31, 1.5, "1", None])
def test_a_height_that_cannot_be_is_refused(height: object) -> None:
    node = ModelNode()
    node.spoil["waitforblockheight"] = lambda tip: tip | {"height": height}
    with pytest.raises(WireError):
        run(wait_for_height(2, 20.0), node)
