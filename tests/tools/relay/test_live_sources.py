"""Sources that an operator adds, removes and pauses while the relay runs, and what a reload makes of them."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config import ConfigChange
from sprint.core.errors import ConfigError, RequestError
from sprint.core.relay.source_url import SourceSpec, parse_source
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay import live_sources, source_tasks
from sprint.tools.relay.live_config import NOT_FOLLOWED, OF_DEVNET
from sprint.tools.relay.live_sources import LiveSources, made_of
from sprint.tools.relay.sources.paused import PausedSource
from sprint.tools.relay.sources.view import SourceView
from tests.tools.relay.test_live_config import CHAIN, IdleSource, Relay, spec

URL = "litecoin:regtest=p2p://127.0.0.1:19444"


class ShownSource(IdleSource):
    """An idle source that shows itself, with counters that tell one life of it from the next."""

    def view(self) -> SourceView:
        return SourceView(
            name=self.spec.name,
            url=self.spec.url,
            provider=self.spec.provider,
            state="ready",
            reason="",
            user_agent="/node/",
            connects=3,
            blocks_received=7,
            retry_in_s=0.0,
            awaited_s=1.0,
            faults={},
        )

    def faults(self) -> Counter[str]:
        return Counter(invalid=1)


class Operated(Relay):
    """A relay with two sources, and what an operator does to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        monkeypatch.setattr(source_tasks, "new_source", self._new_shown_source)
        devnet_ids = ["bitcoin-regtest"]
        self.operator = LiveSources(ChainCatalog.installed(), self.chains, self.sources, devnet_ids)

    @staticmethod
    def _new_shown_source(spec: SourceSpec, *_: object) -> IdleSource:
        if spec.name == "bad":
            raise ConfigError("it cannot be made")
        return ShownSource(spec)

    def states(self) -> dict[str, str]:
        return {source.spec.name: source.view().state for source in self.chains[CHAIN].sources}


def operated(monkeypatch: pytest.MonkeyPatch, work: Callable[[Operated], Awaitable[None]]) -> None:
    """Run `work` on a relay whose config names the sources `a` and `b`."""

    async def main() -> None:
        relay = Operated(monkeypatch)
        await relay.live.apply(ConfigChange(sources_added=(spec("a"), spec("b"))))
        await asyncio.sleep(0)
        await work(relay)
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())


def test_a_source_is_added_as_the_option_would_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        chain_id, source = await relay.operator.add(f"c@{URL}?provider=rack")
        assert (chain_id, source.spec.name, source.spec.provider) == (CHAIN, "c", "rack")
        assert relay.names() == ["a", "b", "c"]

    operated(monkeypatch, work)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c@litecoin=p2p://127.0.0.1:1", NOT_FOLLOWED),
        ("c@bitcoin:regtest=p2p://127.0.0.1:1", OF_DEVNET),
        (f"a@{URL}", "two sources would be called 'a'"),
        (f"c@{URL}", "2 sources, limit 2; remove one first"),
    ],
)
def test_a_source_that_cannot_be_had_now_is_refused_with_the_reason(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(relay: Operated) -> None:
        monkeypatch.setattr(live_sources, "SOURCES_MAX", 2)
        with pytest.raises(RequestError, match=said) as refused:
            await relay.operator.add(text)
        assert refused.value.code == "source_refused"
        assert relay.names() == ["a", "b"]

    operated(monkeypatch, work)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "want "),
        (f"bad@{URL}", "it cannot be made"),
        ("c@nochain=p2p://127.0.0.1:1", "there are "),
        ("c@litecoin:regtest=rpc://127.0.0.1:1?cookie_file=/etc/passwd", "are for the config"),
        ("c@litecoin:regtest=rpc://127.0.0.1:1?user_env=A&password_env=B", "are for the config"),
        (f"c\nfalse line@{URL}", "want printable characters"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused_as_the_option_is(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(relay: Operated) -> None:
        with pytest.raises(ConfigError, match=said):
            await relay.operator.add(text)
        assert relay.names() == ["a", "b"]

    operated(monkeypatch, work)


def test_a_source_is_removed_with_the_reason_and_the_last_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        (first, _) = relay.chains[CHAIN].sources
        assert await relay.operator.remove("litecoin", "a", "removed by an operator") is None
        assert relay.removed == [("a", "removed by an operator")]
        assert isinstance(first, IdleSource)
        assert first.ended
        with pytest.raises(RequestError, match="'b' is the last source, want at least 1") as refused:
            await relay.operator.remove(CHAIN, "b", "why")
        assert refused.value.code == "last_source"
        assert relay.names() == ["b"]

    operated(monkeypatch, work)


@pytest.mark.parametrize(
    ("chain", "name", "code"),
    [("litecoin", "c", "unknown_source"), ("dogecoin", "a", "unknown_chain"), ("no", "a", "unknown_chain")],
)
def test_what_is_not_there_is_named_as_such(
    chain: str, name: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(relay: Operated) -> None:
        for done in (
            relay.operator.remove(chain, name, ""),
            relay.operator.pause(chain, name, ""),
            relay.operator.resume(chain, name),
        ):
            with pytest.raises(RequestError) as refused:
                await done
            assert refused.value.code == code

    operated(monkeypatch, work)


def test_a_paused_source_rests_and_says_so_and_a_resumed_one_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(relay: Operated) -> None:
        first = relay.chains[CHAIN].sources[0]
        changed, chain_id, source, warning = await relay.operator.pause("litecoin", "a", "paused by me")
        assert (changed, chain_id, warning) == (True, CHAIN, None)
        assert isinstance(first, IdleSource)
        assert first.ended
        assert relay.removed == [("a", "paused by me")]
        told = source.view()
        assert (told.state, told.reason, told.user_agent) == ("paused", "paused by me", "")
        assert (told.connects, told.blocks_received, told.awaited_s) == (3, 7, 0.0)
        assert told.retry_in_s == math.inf
        assert source.faults() == Counter(invalid=1)
        again = await relay.operator.pause("litecoin", "a", "paused again")
        assert (again[0], again[2].view().reason) == (False, "paused by me")
        assert relay.states() == {"a": "paused", "b": "ready"}
        changed, _, source, warning = await relay.operator.resume("litecoin", "a")
        assert (changed, warning) == (True, None)
        assert source is not first
        assert (await relay.operator.resume("litecoin", "a"))[0] is False
        assert relay.states() == {"a": "ready", "b": "ready"}

    operated(monkeypatch, work)


def test_to_pause_all_sources_of_a_chain_is_allowed_and_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        assert (await relay.operator.pause(CHAIN, "a", ""))[3] is None
        warning = (await relay.operator.pause(CHAIN, "b", ""))[3]
        assert warning is not None
        assert warning.startswith(f"no source of {CHAIN} runs")
        assert (await relay.operator.resume(CHAIN, "a"))[3] is None

    operated(monkeypatch, work)


def test_to_leave_only_a_publisher_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its last node paused a chain stood still beside a ZMQ source, and nothing was said of it."""

    async def work(relay: Operated) -> None:
        assert (await relay.operator.pause(CHAIN, "b", ""))[3] is None
        await relay.operator.add("z@litecoin:regtest=zmq://127.0.0.1:1")
        warning = (await relay.operator.pause(CHAIN, "a", ""))[3]
        assert warning is not None
        assert "z only announces them" in warning
        assert (await relay.operator.resume(CHAIN, "a"))[3] is None

    operated(monkeypatch, work)


def test_a_paused_source_is_removed_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        await relay.operator.pause(CHAIN, "a", "")
        await relay.operator.remove(CHAIN, "a", "gone")
        assert relay.names() == ["b"]

    operated(monkeypatch, work)


def test_a_reload_about_something_else_leaves_what_the_operator_did(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        await relay.operator.add(f"c@{URL}")
        await relay.operator.remove(CHAIN, "b", "")
        await relay.operator.pause(CHAIN, "a", "")
        await relay.live.apply(ConfigChange(sources_added=(spec("d"),), tiers={"free": {"rank": 2}}))
        assert relay.states() == {"a": "paused", "c": "ready", "d": "ready"}

    operated(monkeypatch, work)


def test_a_reload_about_a_source_of_that_name_has_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        await relay.operator.add(f"c@{URL}")
        await relay.operator.pause(CHAIN, "a", "")
        await relay.operator.remove(CHAIN, "b", "")
        change = ConfigChange(
            sources_removed=(spec("a"), spec("b")), sources_added=(spec("a", 2), spec("b", 2), spec("c", 2))
        )
        await relay.live.apply(change)
        assert [(s.spec.name, s.spec.port, s.view().state) for s in relay.chains[CHAIN].sources] == [
            ("a", 2, "ready"),
            ("b", 2, "ready"),
            ("c", 2, "ready"),
        ]

    operated(monkeypatch, work)


def test_a_reload_that_removes_what_the_operator_removed_takes_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(relay: Operated) -> None:
        await relay.operator.remove(CHAIN, "a", "")
        await relay.live.apply(ConfigChange(sources_removed=(spec("a"),)))
        assert relay.names() == ["b"]
        with pytest.raises(ConfigError, match="none is left of the 1 that run"):
            await relay.live.apply(ConfigChange(sources_removed=(spec("a"), spec("b"))))
        assert relay.names() == ["b"]

    operated(monkeypatch, work)


def test_changes_from_two_sides_are_done_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(relay: Operated) -> None:
        removals: list[Any] = [relay.operator.remove(CHAIN, name, "") for name in ("a", "b")]
        done = await asyncio.gather(*removals, return_exceptions=True)
        assert [type(each) for each in done] == [type(None), RequestError]
        assert relay.names() == ["b"]
        pauses = [relay.operator.pause(CHAIN, "b", str(number)) for number in range(5)]
        assert [each[0] for each in await asyncio.gather(*pauses)] == [True, False, False, False, False]
        assert isinstance(relay.chains[CHAIN].sources[0], PausedSource)

    operated(monkeypatch, work)


def test_a_reload_and_an_operator_who_add_one_name_at_once_leave_one_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(relay: Operated) -> None:
        change = ConfigChange(sources_removed=(spec("a"),), sources_added=(spec("c", 2),))
        done = await asyncio.gather(
            relay.live.apply(change), relay.operator.add(f"c@{URL}"), return_exceptions=True
        )
        assert isinstance(done[1], RequestError)
        assert relay.names() == ["b", "c"]

    operated(monkeypatch, work)


TEXTS = st.text(max_size=40) | st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "c@", "\n@", "a@"]),
    st.text(max_size=9),
    st.just(f"{URL}?provider=x"),
)


@given(st.dictionaries(st.sampled_from(["source", "reason"]), st.none() | st.integers() | TEXTS, max_size=2))
def test_any_body_names_a_source_or_is_refused_in_a_line(fields: dict[str, object]) -> None:
    refused = ""
    try:
        assert parse_source(made_of(fields)).name
    except ConfigError as error:
        refused = str(error)
    assert "\n" not in refused


def test_none_is_added_or_resumed_once_the_relay_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that an operator added during a stop had been waited for until it ended, which it never did."""

    async def work(relay: Operated) -> None:
        await relay.operator.pause(CHAIN, "a", "upgrade")
        made = relay.sources.make(CHAIN, spec("c"))
        relay.sources.cancel()
        for wanted in (relay.operator.add(f"c@{URL}"), relay.operator.resume(CHAIN, "a")):
            with pytest.raises(RequestError, match="the relay stops") as refused:
                await wanted
            assert refused.value.code == "source_refused"
        with pytest.raises(RequestError, match="the relay stops"):
            relay.sources.add(CHAIN, made)
        with pytest.raises(RequestError, match="the relay stops"):
            await relay.live.apply(ConfigChange(sources_removed=(spec("b"),), sources_added=(spec("c"),)))
        assert relay.names() == ["a", "b"]
        assert relay.states()["a"] == "paused"

    operated(monkeypatch, work)
