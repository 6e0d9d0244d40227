"""Other TCP proxies beside the fault proxy: haproxy and socat, where they are installed, and one in C.

haproxy and that in C stand here twice: as they copy, and as they have the kernel move the bytes (splice).
None knows faults; that in C knows nothing but to forward, so it is the least that a third process can cost.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.c_programs import Absent, build

HOST = "127.0.0.1"
START_S = 10.0
BUFFER_SIZE = 1_048_576
FORWARD = Path(__file__).with_name("forward.c")
FORWARD_WAYS = {"C, copying": ("524288", "copy"), "C, splice": ("1048576", "splice")}
# haproxy reads at most so much at a time; it asks for more memory than it gets where this is larger.
HAPROXY_BUFFER_SIZE = 65_536
HAPROXY = """
global
  nbthread 1
  maxconn 64
  tune.bufsize {buffer}
  tune.pipesize {pipe}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen peer
  bind {host}:{listen}
  {option}
  server target {host}:{target}
"""


@contextmanager
def peers(target: int) -> Iterator[dict[str, tuple[int, int | None]]]:
    """Run each peer that is there in front of a port; give port and pid by name; no pid without its CPU."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found: dict[str, tuple[int, int | None]] = {}
        if shutil.which("haproxy"):
            for name, option in (("haproxy", ""), ("haproxy splice", "option splice-auto")):
                found[name] = stack.enter_context(haproxy(folder / name, option, target))
        forward = folder / "forward"
        if not isinstance(build(FORWARD, forward), Absent):
            for name, words in FORWARD_WAYS.items():
                command = [str(forward), str(target), *words]
                found[name] = stack.enter_context(telling_its_port(command))
        if shutil.which("socat"):
            found["socat"] = (stack.enter_context(socat(target)), None)
        yield found


@contextmanager
def haproxy(path: Path, option: str, target: int) -> Iterator[tuple[int, int]]:
    listen = free_port()
    path.write_text(
        HAPROXY.format(
            host=HOST,
            listen=listen,
            target=target,
            option=option,
            buffer=HAPROXY_BUFFER_SIZE,
            pipe=BUFFER_SIZE,
        ),
        encoding="utf-8",
    )
    with running(["haproxy", "-db", "-f", str(path)], listen) as pid:
        yield listen, pid


@contextmanager
def socat(target: int) -> Iterator[int]:
    """Give its port. It forks for each connection, and what has ended tells nobody of its CPU."""
    listen = free_port()
    words = ["socat", "-b", str(BUFFER_SIZE)]
    words += [f"TCP-LISTEN:{listen},bind={HOST},reuseaddr,nodelay,fork", f"TCP:{HOST}:{target},nodelay"]
    with running(words, listen):
        yield listen


@contextmanager
def telling_its_port(words: list[str]) -> Iterator[tuple[int, int]]:
    """Run a program until the block ends; give the port that it prints, and its pid."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield int(started.stdout.readline()), started.pid
        finally:
            started.terminate()


@contextmanager
def running(words: list[str], port: int) -> Iterator[int]:
    """Run a program until the block ends; give its pid once its port answers."""
    started = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await_port(port, started)
        yield started.pid
    finally:
        started.terminate()
        started.wait()


def await_port(port: int, started: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((HOST, port)).close()
        except ConnectionRefusedError:
            if started.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    with socket.create_server((HOST, 0)) as bound:
        return int(bound.getsockname()[1])
