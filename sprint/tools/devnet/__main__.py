"""Devnet nodes as a process: `python -m sprint.tools.devnet --chain litecoin-regtest --interval-ms 50`.

Prints one JSON line with its addresses, then answers each line on standard input by one JSON line:
`mine N` and `reorg N` by the hashes of the new blocks; `lie KIND` by that of a false block, which stays;
`fault KIND [N]` shows a fault, which undoes itself, and is answered by the hashes of the blocks mined for it;
`faults` lists their kinds; `hashes HEIGHT` by those of the best branch from there up, at most 1,000;
`invalidate HASH`, `reconsider HASH`, `tip` and `height` by the tip. With `--faults` it shows some by itself;
with `--control-port` it is asked and told over HTTP too (`control`).
With `--nodes` there are several of the chain, which learn each other's blocks (`network`): the first line has
all of them under `nodes`, and a line that begins with `node I` is for that one, others are for the first, 0.
It ends on `quit` and with its standard input (a pipe), so it never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable

from sprint.core.chains import display_hash, internal_hash
from sprint.core.errors import ConfigError, SprintError
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.control import serve_control
from sprint.tools.devnet.edge import CHAIN_IDS, Devnet, DevnetOptions, checked_interval_s
from sprint.tools.devnet.faults import RULES, fault_of
from sprint.tools.devnet.listening_node import LOOPBACK
from sprint.tools.devnet.merged_mining import Lie
from sprint.tools.devnet.network import NODES_MAX, DevnetNetwork
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.net import bind

LINE_LENGTH_MAX = 1_024
HASHES_PER_ANSWER_MAX = 1_000
PORT_MAX = 65_535
EXIT_COULD_NOT_RUN = 3


def main() -> int:
    """Run until `quit`, the end of standard input or SIGTERM."""
    arguments = _parser().parse_args()
    # Python has no stream for one that was closed.
    if sys.stdin is None or not _can_be_waited_for(sys.stdin.fileno()):
        sys.stderr.write(
            "standard input is no pipe and no terminal; commands come by it, and the node ends with it: "
            "start it as `sleep infinity | python -m sprint.tools.devnet …`\n"
        )
        return EXIT_COULD_NOT_RUN
    try:
        network = DevnetNetwork(
            arguments.chain,
            [_options(arguments, index) for index in range(arguments.nodes)],
            interval_s=checked_interval_s(arguments.interval_ms / 1000),
            rng_of=lambda index, name: SeededBits(f"{_seed_of(arguments.seed, index)}/{name}"),
            wall_clock=lambda: time.time() - arguments.behind_s,
        )
        asyncio.run(_run(network, arguments.control_port))
    except SprintError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_COULD_NOT_RUN
    return 0


def _options(arguments: argparse.Namespace, index: int) -> DevnetOptions:
    chain_id, asked = arguments.chain, {"p2p": arguments.port}
    asked |= {"zmq": arguments.zmq_port, "rpc": arguments.rpc_port}
    ports = {scheme: {chain_id: _port_of(port, index)} for scheme, port in asked.items() if port is not None}
    return DevnetOptions(
        blocks_at_start=arguments.blocks_at_start,
        transactions=arguments.transactions,
        ports=ports["p2p"],
        faults=_seed_of(arguments.seed, index) if arguments.faults else None,
        zmq_ports=ports.get("zmq", {}),
        rpc_ports=ports.get("rpc", {}),
        clock_behind_s=arguments.behind_s,
    )


def _seed_of(seed: str, index: int) -> str:
    """Return a node's seed: that of the first is the option's, so that it is the same node alone."""
    return seed if index == 0 else f"{seed}/{index}"


def _port_of(port: int, index: int) -> int:
    """Return the port of a node: those of the later ones follow on the first one's."""
    if port + index > PORT_MAX:
        raise ConfigError(f"port {port + index} of node {index}, limit {PORT_MAX}; begin with a lower one")
    return port + index if port else 0


def _can_be_waited_for(descriptor: int) -> bool:
    """Tell whether the loop can read it: a file or /dev/null would fail after the start, and never end."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sprint.tools.devnet", description="Devnet nodes of a chain."
    )
    parser.add_argument("--chain", choices=CHAIN_IDS, required=True)
    parser.add_argument(
        "--nodes", type=int, default=1, help=f"that learn each other's blocks, {NODES_MAX} at most"
    )
    parser.add_argument("--interval-ms", type=float, default=0.0, help="0 mines only when told")
    parser.add_argument(
        "--port", type=_port, default=0, help="0 takes a free one; more nodes have the next ones"
    )
    parser.add_argument("--zmq-port", type=_port, help="publish over ZMQ too; 0 takes a free one")
    parser.add_argument("--rpc-port", type=_port, help="answer JSON-RPC too; 0 takes a free one")
    parser.add_argument("--control-port", type=_port, help="be told over HTTP too; 0 takes a free one")
    parser.add_argument("--transactions", type=int, default=0, help="made up for each block")
    parser.add_argument("--blocks-at-start", type=int, default=3)
    parser.add_argument(
        "--behind-s",
        type=int,
        default=0,
        help="the node's clock is so late: its chain may be mined fast for longer",
    )
    parser.add_argument("--seed", default="0", help="of blocks and faults")
    parser.add_argument("--faults", action="store_true", help="show faults by a schedule out of the seed")
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}, want 0 to {PORT_MAX}")
    return port


async def _run(network: DevnetNetwork, control_port: int | None) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(network.stop)
        await network.start()
        nodes = [await _ports_of(stack, network, index, control_port) for index in range(len(network.nodes))]
        several = {"nodes": nodes} if len(nodes) > 1 else {}
        _say({"chain": network.chain_id, "host": LOOPBACK, **nodes[0], **several})
        task = asyncio.ensure_future(_answer_lines(network))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _ports_of(
    stack: contextlib.AsyncExitStack, network: DevnetNetwork, index: int, control_port: int | None
) -> dict[str, int]:
    """Serve a node's control where it is asked for, and return where the node listens."""
    node, chain_id = network.nodes[index], network.chain_id
    ports = {
        "port": node.p2p_port(chain_id),
        "zmq_port": node.zmq_port(chain_id),
        "rpc_port": node.rpc_port(chain_id),
    }
    if control_port is not None:
        bound = bind(LOOPBACK, _port_of(control_port, index), option="--control-port")
        control = await serve_control(node, bound)
        stack.push_async_callback(control.stop)
        ports["control_port"] = control.port
    return {name: port for name, port in ports.items() if port is not None}


async def _answer_lines(network: DevnetNetwork) -> None:
    """Answer lines until `quit` or the end of the input."""
    reader = asyncio.StreamReader(limit=LINE_LENGTH_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while True:
        try:
            line = await reader.readline()
            words = line.decode(errors="replace").split()
            if not line or words == ["quit"]:
                return
            node, words = _told(network, words)
            _say(_answer(node, network.chain_id, words))
        except (SprintError, ValueError) as error:  # ValueError: a line over the limit
            _say({"error": str(error)})


def _told(network: DevnetNetwork, words: list[str]) -> tuple[Devnet, list[str]]:
    """Return which node a line is for, and what it is told."""
    match words:
        case ["node", index, *told]:
            number = _number(index)
            if not 0 <= number < len(network.nodes):
                raise ConfigError(f"no node {number}; there is 0 to {len(network.nodes) - 1}")
            return network.nodes[number], told
        case _:
            return network.nodes[0], words


def _answer(devnet: Devnet, chain_id: str, words: list[str]) -> dict[str, object]:
    ledger = devnet.ledger(chain_id)
    changes: dict[str, Callable[[str], list[bytes]]] = {
        "mine": lambda count: devnet.mine(chain_id, _number(count)),
        "reorg": lambda depth: devnet.reorg(chain_id, _number(depth)),
        "lie": lambda kind: devnet.tell(chain_id, _lie(kind)),
        "hashes": lambda height: ledger.best_chain_from(_number(height), HASHES_PER_ANSWER_MAX),
    }
    marks = {"invalidate": devnet.invalidate, "reconsider": devnet.reconsider}
    match words:
        case [("mine" | "reorg" | "lie" | "hashes") as word, argument]:
            return {"hashes": [display_hash(h) for h in changes[word](argument)]}
        case [("invalidate" | "reconsider") as word, block_hash]:
            marks[word](chain_id, _hash(block_hash))
            return {"tip": display_hash(ledger.tip), "height": ledger.height()}
        case ["fault", kind, *amount] if len(amount) <= 1:
            shown = devnet.show(chain_id, fault_of(kind), _number(amount[0]) if amount else None)
            return {"hashes": [display_hash(h) for h in shown]}
        case ["faults"]:
            return {"faults": {fault: rules.says for fault, rules in RULES.items()}}
        case ["tip"] | ["height"]:
            return {"tip": display_hash(ledger.tip), "height": ledger.height()}
        case _:
            raise ConfigError(
                f"no command {' '.join(words)[:80]!r}; there is mine N, reorg N, lie KIND,"
                " fault KIND [N], faults, hashes HEIGHT, invalidate HASH, reconsider HASH, tip, height, quit"
            )


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ConfigError(f"{word[:80]!r} is no whole number") from None


def _hash(word: str) -> bytes:
    try:
        return internal_hash(word)
    except ValueError:
        raise ConfigError(f"{word[:80]!r} is no hash; want 64 digits of hex") from None


def _lie(kind: str) -> Lie | HeaderLie:
    for lies in (HeaderLie, Lie):
        if kind in tuple(lies):
            return lies(kind)
    raise ConfigError(f"no lie {kind[:80]!r}; there is {', '.join((*HeaderLie, *Lie))}")


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
