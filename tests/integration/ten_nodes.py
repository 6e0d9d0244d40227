"""One seed of the ten nodes: devnet nodes of one network, a relay on all of them, a subscriber, a checker.

All on real sockets in one process. It lives by a `QuickClock`, so it is imported after that is installed: run
it by `python -m tests.integration.ten_nodes_process SEED`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from sprint.core.chains import display_hash
from sprint.core.errors import SprintError
from sprint.core.model import Event, SourceStatusEvent
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.runtime import clock, wall_clock
from tests.integration.quick_clock import QuickClock
from tests.integration.quick_relay import Subscriber, start_relay, until, until_true
from tests.integration.shared_truth import SharedTruth
from tests.integration.ten_nodes_plan import BLOCKS_AT_START, BODY_TIMEOUT_S, NODES, Act, Plan, plan_of
from tests.simulator.checker import Checker

FAULTS_LAST_S = 12.0  # the longest of a planned fault
# A broken promise, what was waited for in vain, or a plain mistake.
FINDINGS = (
    AssertionError,
    SprintError,
    OSError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
CHECKS = {Fault.BAD_MERKLE: "merkle_root", Fault.BAD_PROOF: "proof_of_work"}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed ended with; `failure` is empty where no promise was broken. Times in seconds."""

    seed: int
    chain: str
    failure: str = ""
    faults: dict[str, int] = {}
    blocks: int = 0
    delivered: int = 0
    refused: int = 0
    reorgs: int = 0
    gaps: int = 0
    blocked: int = 0
    quick_s: float = 0.0
    real_s: float = 0.0


class Mistakes(logging.Handler):
    """Keeps what was logged as an error: none of what a node does is one of the relay."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def of_the_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Take what a callback raised."""
        self.found.append(f"{context.get('message')}: {context.get('exception')!r}")


class TenNodes:
    """The nodes of one plan. What one mines the others learn a little later, false blocks excepted."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.faults: Counter[str] = Counter()
        self.nodes = [self._node(index) for index in range(NODES)]
        self.truth = SharedTruth([node.ledger(plan.chain) for node in self.nodes])
        self._p2p_ports: list[int] = []
        self._owners: dict[bytes, int] = {}  # who mined which block

    async def start(self) -> None:
        chain = self.plan.chain
        for node in self.nodes:
            ((_, _, port),) = await node.start()
            self._p2p_ports.append(port)
        for block in self.nodes[0].mine(chain, BLOCKS_AT_START):
            self._made(0, block)
        self.agree()

    async def stop(self) -> None:
        for node in self.nodes:
            await node.stop()

    def source_urls(self) -> list[str]:
        """What `sprint relay --source` takes, for all nodes."""
        name, _, network = self.plan.chain.partition("-")
        urls = []
        for index, schemes in enumerate(self.plan.sources):
            node = self.nodes[index]
            ports = {
                "p2p": self._p2p_ports[index],
                "rpc": node.rpc_port(self.plan.chain),
                "zmq": node.zmq_port(self.plan.chain),
            }
            urls += [f"{s}-{index}@{name}:{network}={s}://127.0.0.1:{ports[s]}" for s in schemes]
        return urls

    def act(self, act: Act) -> None:
        """Do what is planned, and let the others learn of it in their time."""
        node, chain = self.nodes[act.node], self.plan.chain
        if act.fault is None:
            made = node.mine(chain, act.amount)
        else:
            self.faults[act.fault] += 1
            made = node.show(chain, act.fault, act.amount)
        check = CHECKS.get(act.fault, "") if act.fault is not None else ""
        loop = asyncio.get_running_loop()
        for block in made:
            self._made(act.node, block, check)
            for other, late_s in enumerate(act.late_s):
                loop.call_later(late_s, partial(self._learn, other, act.node, block))

    def agree(self) -> None:
        """Let every node learn every true block that it has not."""
        tip = self.truth.tip
        for block in self.truth.parent:
            owner = self._owners[block]
            for other in range(NODES):
                self._learn(other, owner, block)
        assert {node.ledger(self.plan.chain).height() for node in self.nodes} == {self.truth.height[tip]}

    def mine_last(self) -> str:
        """Mine one more block, which settles who is best, and let all have it."""
        (block,) = self.nodes[0].mine(self.plan.chain)
        self._made(0, block)
        self.agree()
        return display_hash(block)

    def _made(self, node: int, block: bytes, check: str = "") -> None:
        self._owners[block] = node
        self.truth.mined(block, refused=check, header_is_false=check == CHECKS[Fault.BAD_PROOF])

    def _learn(self, node: int, owner: int, block: bytes) -> None:
        if block not in self.truth.refused and node != owner:
            self.nodes[node].learn(self.plan.chain, self.nodes[owner].ledger(self.plan.chain), block)

    def _node(self, index: int) -> Devnet:
        chain, seed = self.plan.chain, self.plan.seed
        options = DevnetOptions(
            block_interval_s=0.0,
            blocks_at_start=0,
            transactions=index % 3,
            zmq_ports={chain: 0} if "zmq" in self.plan.sources[index] else {},
            rpc_ports={chain: 0} if "rpc" in self.plan.sources[index] else {},
        )
        return Devnet(
            [chain], options, rng_of=lambda name: SeededBits(f"{seed}/{index}/{name}"), wall_clock=wall_clock
        )


def run_seed(seed: int, quick: QuickClock) -> Verdict:
    """Run one seed to its end."""
    plan, began, real_began = plan_of(seed), clock(), quick.real()
    mistakes = Mistakes()
    logging.getLogger().addHandler(mistakes)
    try:
        with asyncio.Runner(loop_factory=quick.new_loop) as runner:
            runner.get_loop().set_exception_handler(mistakes.of_the_loop)
            verdict = runner.run(_run(plan, quick))
    except FINDINGS as error:
        verdict = Verdict(seed=seed, chain=plan.chain, failure=f"{type(error).__name__}: {error}")
    finally:
        quick.leaping = False
        logging.getLogger().removeHandler(mistakes)
    failure = verdict.failure or "; ".join(mistakes.found)
    took = {"quick_s": round(clock() - began, 1), "real_s": round(quick.real() - real_began, 2)}
    return msgspec.structs.replace(verdict, failure=failure, **took)


async def _run(plan: Plan, quick: QuickClock) -> Verdict:
    async with AsyncExitStack() as stack:
        nodes = TenNodes(plan)
        stack.push_async_callback(nodes.stop)
        await nodes.start()
        serving = await start_relay(stack, plan.chain, plan.section, nodes.source_urls())
        subscriber = Subscriber(serving.listeners[0].url)
        stack.push_async_callback(subscriber.stop)
        quick.leaping = True
        await until(partial(_all_ready, subscriber, plan.chain), "all sources are ready")
        await _show_all(nodes, plan)
        last = nodes.mine_last()
        await until_true(partial(subscriber.has, last), f"the last block {last} arrives")
        await until(partial(_all_ready, subscriber, plan.chain), "all sources are ready again")
        await asyncio.sleep(BODY_TIMEOUT_S + FAULTS_LAST_S)  # of a false block nobody had the body
        quick.leaping = False
        return _verdict(plan, nodes, list(subscriber.events))


async def _show_all(nodes: TenNodes, plan: Plan) -> None:
    began = clock()
    for act in plan.acts:
        await asyncio.sleep(max(0.0, began + act.at_s - clock()))
        nodes.act(act)
    await asyncio.sleep(FAULTS_LAST_S)


def _verdict(plan: Plan, nodes: TenNodes, events: list[Event]) -> Verdict:
    """Hold what the subscriber was given against the truth. Violation where a promise is broken."""
    checker = Checker(nodes.truth)
    for event in events:
        checker.read(event)
    checker.finish([nodes.truth.tip])
    told = [event.data.status for event in events if isinstance(event, SourceStatusEvent)]
    return Verdict(
        seed=plan.seed,
        chain=plan.chain,
        faults=dict(nodes.faults),
        blocks=len(nodes.truth.parent),
        delivered=len(checker.delivered),
        refused=len(nodes.truth.refused),
        reorgs=checker.reorgs,
        gaps=checker.gaps,
        blocked=told.count("blocked"),
    )


async def _all_ready(subscriber: Subscriber, chain: str) -> bool:
    status = await subscriber.client.status(chain)
    return {source["state"] for source in status["sources"]} == {"ready"}
