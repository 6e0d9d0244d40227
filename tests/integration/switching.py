"""What the drill of faults stands on: two nodes a chain, joined, each behind lines that can be cut.

    with litecoin_pair(folder) as pair:
        pair.strike(pair.subjects[0], Fault.FREEZE)
        pair.heal(pair.subjects[0], Fault.FREEZE)

A subject is what a fault strikes: a node with all that a relay hears of it, or the publisher beside one. The
links between the nodes are lines of their own, which a cut of either cuts too, so that both mine on alone.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tests.integration.bcoin_node import API_KEY
from tests.integration.bcoin_process import BcoinProcess
from tests.integration.cuttable_line import CuttableLine
from tests.integration.mweb_node import MwebNode
from tests.integration.publisher_process import PublisherProcess
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, wait_until

ENVIRONMENT = {
    "LITECOIN_USER": RPC_LOGIN[0],
    "LITECOIN_PASSWORD": RPC_LOGIN[1],
    "BITCOIN_USER": "x",
    "BITCOIN_PASSWORD": API_KEY,
}
JOIN_TIMEOUT_S = 60.0


class Fault(StrEnum):
    """What happens to a subject, and lasts until it is healed. A restart is a stop that is healed at once."""

    STOP = "stop"  # SIGTERM
    KILL = "kill"
    RESTART = "restart"
    FREEZE = "freeze"  # SIGSTOP: its sockets stay open
    CUT = "cut"  # nothing passes to it or from it, and nobody is told


class Process(Protocol):
    @property
    def pid(self) -> int: ...
    def start(self) -> object: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class Node(Process, Protocol):
    @property
    def tip(self) -> str: ...
    @property
    def height(self) -> int: ...
    def rpc(self, method: str, *parameters: object) -> object: ...


class Subject:
    """One thing that a fault strikes. `sources` are the relay's that hear of it; `node` if it is one."""

    def __init__(
        self, name: str, process: Process, lines: dict[str, CuttableLine], node: Node | None
    ) -> None:
        self.name = name
        self.process = process
        self.lines = lines
        self.node = node

    def __repr__(self) -> str:
        return f"Subject({self.name})"

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(f"{self.name}-{scheme}" for scheme in self.lines)

    def strike(self, fault: Fault) -> None:
        match fault:
            case Fault.STOP | Fault.RESTART:
                os.kill(self.process.pid, signal.SIGTERM)
            case Fault.KILL:
                self.process.kill()
            case Fault.FREEZE:
                self.process.freeze()
            case Fault.CUT:
                for line in self.lines.values():
                    line.cut()

    def heal(self, fault: Fault) -> None:
        match fault:
            case Fault.STOP | Fault.RESTART | Fault.KILL:
                self.process.stop()
                self.process.start()
            case Fault.FREEZE:
                self.process.thaw()
            case Fault.CUT:
                for line in self.lines.values():
                    line.heal()


class Pair:
    """One chain: two nodes joined by a link, and a publisher beside the first where there is one.

    `mine_at` mines one block at a node and returns its hash.
    """

    def __init__(
        self,
        chain: str,
        subjects: Sequence[Subject],
        links: Sequence[CuttableLine],
        mine_at: Callable[[Node], str],
    ) -> None:
        self.chain = chain
        self.subjects = tuple(subjects)
        self.nodes = [subject.node for subject in subjects if subject.node is not None]
        self.mine_at = mine_at
        self._links = tuple(links)  # to each node from the other

    def __repr__(self) -> str:
        return f"Pair({self.chain}, {self.subjects})"

    def strike(self, subject: Subject, fault: Fault) -> None:
        if fault is Fault.CUT and subject.node is not None:
            for link in self._links:
                link.cut()
            for beside in self._beside(subject):
                beside.strike(fault)
        subject.strike(fault)

    def heal(self, subject: Subject, fault: Fault) -> None:
        """End a fault: afterwards all run, and the nodes are joined or about to be."""
        subject.heal(fault)
        if subject.node is None:
            return
        if fault is Fault.CUT:
            for link in self._links:
                link.heal()
        self.join()
        for beside in self._beside(subject):
            if fault in (Fault.CUT, Fault.FREEZE):
                beside.heal(Fault.CUT)
            else:  # a publisher ends with its node, and begins with what that has
                self.wait_until_agreed()
                beside.heal(Fault.RESTART)

    def struck_sources(self, subject: Subject) -> frozenset[str]:
        """The relay's sources that fall silent where a subject is struck."""
        return subject.sources.union(*(beside.sources for beside in self._beside(subject)))

    def join(self) -> None:
        """Let each node connect to the other, where it is not: a bcoin catches up only by asking itself."""
        for node, link in zip(reversed(self.nodes), self._links, strict=True):
            node.rpc("addnode", f"{HOST}:{link.port}", "onetry")

    def agreed(self) -> bool:
        return self.nodes[0].tip == self.nodes[1].tip

    def wait_until_agreed(self) -> None:
        wait_until(self.agreed, f"the nodes of {self.chain} have one tip", timeout_s=JOIN_TIMEOUT_S)

    def branch(self, first_height: int) -> list[str]:
        """Hashes of the best branch from a height up, by the first node."""
        node = self.nodes[0]
        return [str(node.rpc("getblockhash", height)) for height in range(first_height, node.height + 1)]

    def source_options(self) -> list[str]:
        """What `sprint relay` takes to follow it all."""
        chain, network = self.chain.split("-")
        login = f"?user_env={chain.upper()}_USER&password_env={chain.upper()}_PASSWORD"
        urls = [
            f"{subject.name}-{scheme}@{chain}:{network}={scheme}://{HOST}:{line.port}"
            + (login if scheme == "rpc" else "")
            for subject in self.subjects
            for scheme, line in subject.lines.items()
        ]
        return [part for url in urls for part in ("--source", url)]

    def _beside(self, subject: Subject) -> list[Subject]:
        """The publisher, which stands in the first node's place."""
        return [each for each in self.subjects if each.node is None] if subject is self.subjects[0] else []


@contextmanager
def litecoin_pair(folder: Path, *, extension_blocks: bool) -> Iterator[Pair]:
    """Two litecoinds and a publisher that tells what the first one has, which is a stand-in."""
    with ExitStack() as held:
        nodes = [Litecoind(folder / f"litecoind-{name}").start() for name in "ab"]
        for node in nodes:
            held.callback(node.stop)
        if extension_blocks:
            MwebNode(nodes[0]).begin_extension_blocks()
        else:
            nodes[0].mine(1)
        publisher = PublisherProcess(nodes[0])
        publisher.start()
        held.callback(publisher.stop)
        subjects = [_node_subject(f"ltc-{name}", node, held) for name, node in zip("ab", nodes, strict=True)]
        zmq = held.enter_context(CuttableLine(publisher.port))
        subjects.append(Subject("ltc-pub", publisher, {"zmq": zmq}, None))
        links = [held.enter_context(CuttableLine(node.p2p_port)) for node in nodes]
        pair = Pair("litecoin-regtest", subjects, links, _mine_at_litecoind)
        pair.join()
        pair.wait_until_agreed()
        yield pair


@contextmanager
def bitcoin_pair(folder: Path) -> Iterator[Pair]:
    """Two bcoins: another implementation than Bitcoin Core, said so."""
    with ExitStack() as held:
        nodes = [BcoinProcess(folder / f"bcoin-{name}") for name in "ab"]
        for node in nodes:
            node.start()
            held.callback(node.stop)
        nodes[0].mine(1)
        subjects = [_node_subject(f"btc-{name}", node, held) for name, node in zip("ab", nodes, strict=True)]
        links = [held.enter_context(CuttableLine(node.p2p_port)) for node in nodes]
        pair = Pair("bitcoin-regtest", subjects, links, _mine_at_bcoin)
        pair.join()
        pair.wait_until_agreed()
        yield pair


def _node_subject(name: str, node: Litecoind | BcoinProcess, held: ExitStack) -> Subject:
    ports = {"p2p": node.p2p_port, "rpc": node.rpc_port}
    lines = {scheme: held.enter_context(CuttableLine(port)) for scheme, port in ports.items()}
    return Subject(name, node, lines, node)


def _mine_at_litecoind(node: Node) -> str:
    # A script of its own each time, so that two nodes that are parted never mine the same block.
    mined = node.rpc("generatetodescriptor", 1, f"raw(08{secrets.token_hex(8)}7551)")
    return _only(mined)


def _mine_at_bcoin(node: Node) -> str:
    if not isinstance(node, BcoinProcess):
        raise TypeError(f"{node!r} is no bcoin")
    return _only(node.mine(1))


def _only(mined: object) -> str:
    if not isinstance(mined, list) or len(mined) != 1:
        raise ValueError(f"asked for one block, mined {mined!r}")
    return str(mined[0])
