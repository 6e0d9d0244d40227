"""One devnet node as a process: `python -m sprint.tools.devnet --chain litecoin-regtest --interval-ms 50`.

Prints one JSON line with its addresses, then answers each line on standard input by one JSON line:
`mine N` and `reorg N` by the hashes of the new blocks; `lie KIND` by that of a false block, which stays;
`fault KIND [N]` shows a fault, which undoes itself, and is answered by the hashes of the blocks mined for it;
`faults` lists their kinds; `hashes HEIGHT` by those of the best branch from there up, at most 1,000;
`invalidate HASH`, `reconsider HASH`, `tip` and `height` by the tip. With `--faults` it shows some by itself;
with `--control-port` it is asked and told over HTTP too (`control`).
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
from sprint.tools.devnet.edge import CHAIN_IDS, Devnet, DevnetOptions
from sprint.tools.devnet.faults import RULES, fault_of
from sprint.tools.devnet.listening_node import LOOPBACK
from sprint.tools.devnet.merged_mining import Lie
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.net import bind

LINE_LENGTH_MAX = 1_024
HASHES_PER_ANSWER_MAX = 1_000
PORT_MAX = 65_535
EXIT_COULD_NOT_RUN = 3


def main() -> int:
    """Run until `quit`, the end of standard input or SIGTERM."""
    arguments = _parser().parse_args()
    if not _can_be_waited_for(sys.stdin.fileno()):
        sys.stderr.write(
            "standard input is no pipe and no terminal; commands come by it, and the node ends with it: "
            "start it as `sleep infinity | python -m sprint.tools.devnet …`\n"
        )
        return EXIT_COULD_NOT_RUN
    options = DevnetOptions(
        block_interval_s=arguments.interval_ms / 1000,
        blocks_at_start=arguments.blocks_at_start,
        transactions=arguments.transactions,
        ports={arguments.chain: arguments.port},
        faults=arguments.seed if arguments.faults else None,
        zmq_ports={} if arguments.zmq_port is None else {arguments.chain: arguments.zmq_port},
        rpc_ports={} if arguments.rpc_port is None else {arguments.chain: arguments.rpc_port},
    )
    try:
        asyncio.run(
            _run(arguments.chain, options, arguments.seed, arguments.control_port, arguments.behind_s)
        )
    except SprintError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_COULD_NOT_RUN
    return 0


def _can_be_waited_for(descriptor: int) -> bool:
    """Tell whether the loop can read it: a file or /dev/null would fail after the start, and never end."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sprint.tools.devnet", description="One devnet node.")
    parser.add_argument("--chain", choices=CHAIN_IDS, required=True)
    parser.add_argument("--interval-ms", type=float, default=0.0, help="0 mines only when told")
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument("--zmq-port", type=_port, help="publish over ZMQ too; 0 takes a free one")
    parser.add_argument("--rpc-port", type=_port, help="answer JSON-RPC too; 0 takes a free one")
    parser.add_argument("--control-port", type=_port, help="be told over HTTP too; 0 takes a free one")
    parser.add_argument("--transactions", type=int, default=0, help="made up for each block")
    parser.add_argument("--blocks-at-start", type=int, default=3)
    parser.add_argument(
        "--behind-s",
        type=float,
        default=0.0,
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


async def _run(
    chain_id: str, options: DevnetOptions, seed: str, control_port: int | None, behind_s: float
) -> None:
    devnet = Devnet(
        [chain_id],
        options,
        rng_of=lambda name: SeededBits(f"{seed}/{name}"),
        wall_clock=lambda: time.time() - behind_s,
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(devnet.stop)
        (address,) = await devnet.start()
        beside = {"zmq_port": devnet.zmq_port(chain_id), "rpc_port": devnet.rpc_port(chain_id)}
        if control_port is not None:
            control = await serve_control(devnet, bind(LOOPBACK, control_port, option="--control-port"))
            stack.push_async_callback(control.stop)
            beside["control_port"] = control.port
        asked_for = {name: port for name, port in beside.items() if port is not None}
        _say({"chain": address.chain_id, "host": address.host, "port": address.port, **asked_for})
        task = asyncio.ensure_future(_answer_lines(devnet, chain_id))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _answer_lines(devnet: Devnet, chain_id: str) -> None:
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
            _say(_answer(devnet, chain_id, words))
        except (SprintError, ValueError) as error:  # ValueError: a line over the limit
            _say({"error": str(error)})


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
            fault, _ = fault_of(kind)
            shown = devnet.show(chain_id, fault, _number(amount[0]) if amount else None)
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
