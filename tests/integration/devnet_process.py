"""A devnet node as a process of its own, driven by lines; what it says it mined is the truth of a test.

    with DevnetProcess("litecoin-regtest") as devnet:
        hashes = devnet.mine(5)

With an interval it mines by its own clock as well. It ends with the `with` block.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import Any, Self

STOP_TIMEOUT_S = 10.0


class DevnetProcess:
    """One running node. A port of 0 takes a free one. `beside`: it has a ZMQ publisher and JSON-RPC too.

    `control`: it is told over HTTP too, on `control_port` of its addresses.
    """

    def __init__(
        self,
        chain: str,
        *,
        interval_ms: float = 0.0,
        port: int = 0,
        blocks_at_start: int = 3,
        seed: str = "0",
        beside: bool = False,
        behind_s: int = 0,
        control: bool = False,
    ) -> None:
        self.chain = chain
        command = [sys.executable, "-m", "sprint.tools.devnet", "--chain", chain, "--seed", seed]
        command += ["--interval-ms", str(interval_ms), "--port", str(port)]
        command += ["--blocks-at-start", str(blocks_at_start)]
        command += ["--zmq-port", "0", "--rpc-port", "0"] if beside else []
        command += ["--behind-s", str(behind_s)]
        command += ["--control-port", "0"] if control else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._asking = threading.Lock()
        try:
            self.addresses = self._answer()
            self.port = int(self.addresses["port"])
        except BaseException:
            self.kill()
            raise

    def __repr__(self) -> str:
        return f"DevnetProcess({self.chain}, port={self.port}, exit_code={self._process.poll()})"

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def source_url(self) -> str:
        """What `sprint relay --source` takes."""
        return self.url_of("p2p", "port")

    def url_of(self, scheme: str, port: str) -> str:
        """What `sprint relay --source` takes for another of its listeners, by the name of its port."""
        name, _, network = self.chain.partition("-")
        return f"{name}:{network}={scheme}://127.0.0.1:{self.addresses[port]}"

    @property
    def height(self) -> int:
        return int(self.ask("height")["height"])

    @property
    def tip(self) -> str:
        return str(self.ask("tip")["tip"])

    def mine(self, count: int) -> list[str]:
        """Mine blocks and return their hashes, oldest first."""
        return list(self.ask(f"mine {count}")["hashes"])

    def reorg(self, depth: int) -> list[str]:
        """Replace the newest `depth` blocks by one more; return the branch, oldest first."""
        return list(self.ask(f"reorg {depth}")["hashes"])

    def lie(self, kind: str) -> str:
        """Mine one merge-mined block that is false and return its hash."""
        (block_hash,) = self.ask(f"lie {kind}")["hashes"]
        return str(block_hash)

    def invalidate(self, block_hash: str) -> None:
        """Let it go on below a block."""
        self.ask(f"invalidate {block_hash}")

    def hashes(self, from_height: int = 0) -> list[str]:
        """Return the hashes of its best branch from a height up to its tip."""
        found: list[str] = []
        while part := self.ask(f"hashes {from_height + len(found)}")["hashes"]:
            found += part
        return found

    def ask(self, line: str) -> dict[str, Any]:
        """Send one line and return the answer; RuntimeError where it refuses."""
        with self._asking:
            stdin = self._process.stdin
            if stdin is None:
                raise RuntimeError("stdin is a pipe from the start")
            stdin.write(line + "\n")
            stdin.flush()
            return self._answer()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        line = stdout.readline() if stdout is not None else ""
        if not line:
            raise RuntimeError(f"the devnet ended with {self._process.wait(STOP_TIMEOUT_S)}")
        answer = json.loads(line)
        if not isinstance(answer, dict) or "error" in answer:
            raise RuntimeError(f"the devnet refused: {answer}")
        return answer
