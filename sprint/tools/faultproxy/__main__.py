"""Fault proxies as a process: `python -m sprint.tools.faultproxy --proxy node=127.0.0.1:19444`.

Prints one JSON line with where its proxies listen and where they are told which faults to show (`control`),
and runs until SIGTERM or SIGINT. With `--until-eof` it also ends with its standard input, a pipe, so that it
never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence

from sprint.core.errors import SprintError
from sprint.core.faultproxy.codec import ProxySettings, proxy_of
from sprint.tools import runtime
from sprint.tools.faultproxy.control import serve_control
from sprint.tools.faultproxy.proxies import FaultProxies
from sprint.tools.net import bind

PORT_MAX = 65_535
EXIT_USAGE = 2
EXIT_COULD_NOT_RUN = 3


def main(words: Sequence[str] | None = None) -> int:
    """Run until told to end; returns the exit code."""
    arguments = _parser().parse_args(words)
    runtime.set_up_logging("text", arguments.log_level)
    try:
        settings = [_proxy(text, arguments.seed) for text in arguments.proxy]
    except SprintError as error:
        sys.stderr.write(f"--proxy: {error}\n")
        return EXIT_USAGE
    try:
        return runtime.run(_run(settings, arguments))
    except SprintError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_COULD_NOT_RUN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sprint.tools.faultproxy", description="TCP fault proxies."
    )
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        metavar="NAME=[LISTEN/]TARGET",
        help="a proxy to begin with, as node=127.0.0.1:19444 or node=127.0.0.1:9000/127.0.0.1:19444",
    )
    parser.add_argument("--control-port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument(
        "--allow-target", action="append", default=[], metavar="HOST[:PORT]", help="a target beyond loopback"
    )
    parser.add_argument("--seed", default="", help="of what is drawn, for the proxies of --proxy")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input too")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}, want 0 to {PORT_MAX}")
    return port


def _proxy(text: str, seed: str) -> ProxySettings:
    name, _, addresses = text.partition("=")
    listen, _, target = addresses.rpartition("/")
    fields = {"name": name, "target": target, "seed": seed}
    return proxy_of({**fields, "listen": listen} if listen else fields)


async def _run(settings: Sequence[ProxySettings], arguments: argparse.Namespace) -> int:
    stop = runtime.StopSignal()
    stop.install()
    proxies = FaultProxies(allowed=arguments.allow_target)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(proxies.stop)
        for each in settings:
            proxies.create(each)
        control = await serve_control(
            proxies, bind("127.0.0.1", arguments.control_port, option="--control-port")
        )
        stack.push_async_callback(control.stop)
        listening = {proxy.settings.name: str(proxy.address) for proxy in proxies}
        sys.stdout.write(json.dumps({"control": control.url, "proxies": listening}) + "\n")
        sys.stdout.flush()
        if arguments.until_eof:
            await stack.enter_async_context(runtime.background(_stop_at_eof(stop)))
        await stop.wait()
    return stop.exit_code


async def _stop_at_eof(stop: runtime.StopSignal) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(1_024):
        pass
    stop.stop(0)


if __name__ == "__main__":
    sys.exit(main())
