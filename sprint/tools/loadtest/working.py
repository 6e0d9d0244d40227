"""Makes a target ready for a run, and lets it go afterwards: what was asked becomes the generators' work."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from sprint.tools.loadtest.assignment import HttpWork, ServiceWork, StreamWork
from sprint.tools.loadtest.chaos_proxy import Proxied, proxied
from sprint.tools.loadtest.demo_relay import demo_relay
from sprint.tools.loadtest.descriptors import sockets_for
from sprint.tools.loadtest.options import DEMO, LoadOptions
from sprint.tools.loadtest.reaching import reach
from sprint.tools.loadtest.relay_profile import ANSWERS, SUBSCRIBE, relay_forms, relay_stream
from sprint.tools.loadtest.target_url import TargetUrl, parse_url

SOCKETS_OF_A_RELAY = 512  # for its store, its sources and its own ports

Said = Callable[[str], None]
Work = HttpWork | ServiceWork | StreamWork


class Prepared(NamedTuple):
    """The generators' work, and the proxy on the way to its target, if there is one."""

    work: Work
    proxy: Proxied | None = None


@contextlib.asynccontextmanager
async def prepared(options: LoadOptions, said: Said) -> AsyncIterator[Prepared]:
    """Give the work while within. What an embedded target needs is started, and ended on leaving."""
    if not options.plan.target:
        said(_in_process_line(options))
        yield Prepared(_service(options))
        return
    async with contextlib.AsyncExitStack() as stack:
        is_demo = options.plan.target == DEMO
        if is_demo:
            # The relay has our limit of open files, and keeps some of them for itself.
            sockets_for((options.connections or options.plan.workers) + SOCKETS_OF_A_RELAY)
        url = parse_url(await stack.enter_async_context(demo_relay()) if is_demo else options.plan.target)
        if is_demo:
            said(f"target: an embedded relay on its devnet, {url.text}; it ends with the run")
        else:
            said(f"target: {url.text}")
        address = await reach(url)
        if options.holds:
            work: HttpWork | StreamWork = _stream(options, url, address, is_relay=is_demo)
        else:
            work = await _requests(options, url, address, is_relay=is_demo)
        if not options.chaos:
            yield Prepared(work)
            return
        proxy = await stack.enter_async_context(proxied(options, url, address, said))
        yield Prepared(msgspec.structs.replace(work, address=proxy.host, port=proxy.port), proxy)


def _in_process_line(options: LoadOptions) -> str:
    chaos = "; --chaos without a --target lets the simulated service fail" if options.chaos else ""
    failing = f", {options.failure_rate:.3g} of its calls fail" if options.failure_rate else ""
    return (
        f"no --target: the breaker of tier {options.tier} around a simulated service, in process "
        f"({options.latency_ms_min:g} to {options.latency_ms_max:g} ms{failing}){chaos}"
    )


def _service(options: LoadOptions) -> ServiceWork:
    return ServiceWork(
        breaker=options.tier,
        policy=options.policy,
        failure_rate=options.failure_rate,
        latency_ms_min=options.latency_ms_min,
        latency_ms_max=options.latency_ms_max,
    )


async def _requests(options: LoadOptions, url: TargetUrl, address: str, *, is_relay: bool) -> HttpWork:
    is_mix = options.profile == "relay" or is_relay
    forms = await relay_forms(url, options.form, options.trust) if is_mix else (options.form,)
    return HttpWork(
        url=url,
        address=address,
        port=url.port,
        forms=forms,
        trust=options.trust,
        one_request_each=options.has_one_request_each,
    )


def _stream(options: LoadOptions, url: TargetUrl, address: str, *, is_relay: bool) -> StreamWork:
    of_relay = is_relay or options.profile == "relay"
    return StreamWork(
        url=relay_stream(url) if of_relay else url,
        address=address,
        port=url.port,
        connections=options.connections or 1,
        headers=options.form.headers,
        ignores=ANSWERS if of_relay else "",
        hello=options.form.body or (SUBSCRIBE if of_relay else ""),
        trust=options.trust,
    )
