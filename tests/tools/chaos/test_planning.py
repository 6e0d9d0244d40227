"""What would be done, said without doing it: on a user's relay with the detours that would be made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec
import pytest

from sprint.core.chaos.experiment import PythonProvider
from sprint.core.chaos.experiment_codec import read_experiment
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import NotPossible, key_of
from sprint.core.errors import ConfigError, FaultError, UndoFailed
from sprint.tools.chaos import campaign, led_round, opening, planning
from sprint.tools.chaos.campaign_guard import CampaignGuard
from sprint.tools.chaos.given import ChaosOptions, Given, options_of
from sprint.tools.chaos.probes import WITHIN_S_MAX
from sprint.tools.chaos.subject import Subject
from tests.core.chaos.a_relay import a_relay

TARGET = "http://127.0.0.1:8081"
RELAY = a_relay()


class Admin:
    """An admin listener that has the made-up relay's map."""

    def __init__(self, _url: str, **_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def map(self) -> DependencyMap:
        return RELAY


@pytest.fixture(autouse=True)
def all_can_be_led_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's relay all of whose sources can be led round."""
    for module in (opening, campaign, planning):
        monkeypatch.setattr(module, "RelayAdmin", Admin)
    monkeypatch.setattr(led_round, "lack_now", lambda *_: "")


def options(*experiments: str, **given: Any) -> ChaosOptions:
    return options_of(Given(target=TARGET, experiment=experiments, **given))


def test_a_dry_run_counts_on_the_detours_that_would_be_made() -> None:
    (planned,) = asyncio.run(planning.dry_run(options("network-partition")))
    assert not isinstance(planned, tuple), planned
    told = planning.dry_run_text([planned])
    assert "control_url=a detour made for it" in told
    assert planned.predicted.sources
    assert planned.unknown == ()


@pytest.mark.parametrize(("within", "asked_s"), [("0s", None), ("10m", WITHIN_S_MAX)])
def test_a_relay_of_a_main_network_could_not_be_tried_as_blocks_were_asked_for_within_ten_seconds(
    within: str, asked_s: float | None
) -> None:
    (planned,) = asyncio.run(planning.dry_run(options("network-partition", blocks_within=within)))
    assert not isinstance(planned, tuple), planned
    providers = [each.provider for each in planned.document.hypothesis.probes]
    asked = {each.arguments.get("within_s") for each in providers if isinstance(each, PythonProvider)}
    assert asked - {None} == ({asked_s} if asked_s else set())


def test_a_document_to_keep_wants_proxies_that_are_there() -> None:
    planned = asyncio.run(planning.dry_run(options("network-partition"), to_keep=True))
    with pytest.raises(NotPossible, match="--proxy"):
        planning.document_text(planned)


def test_a_document_to_keep_is_read_again_as_it_was() -> None:
    (planned,) = asyncio.run(planning.dry_run(options("force-open"), to_keep=True))
    assert not isinstance(planned, tuple), planned
    assert read_experiment(json.loads(planning.document_text([planned]))) == planned.document


def test_more_in_reach_than_allowed_is_told_and_none_can_run() -> None:
    planned = asyncio.run(planning.dry_run(options("network-partition", max_blast_radius="sources=0")))
    assert "it would not be run: " in planning.dry_run_text(planned)
    assert not planning.any_can_run(planned)
    (row,) = json.loads(planning.dry_run_json(planned))
    assert (row["experiment"], row["possible"]) == ("network-partition", False)
    assert row["document"]["method"]


def test_what_cannot_be_run_says_why_and_the_others_are_told() -> None:
    planned = asyncio.run(planning.dry_run(options("upstream-lies", "force-open")))
    told = planning.dry_run_text(planned)
    assert "upstream-lies\n  cannot be run: " in told
    assert "force-open: " in told
    assert planning.any_can_run(planned)
    assert [each["possible"] for each in json.loads(planning.dry_run_json(planned))] == [False, True]


@pytest.mark.parametrize("form", ["text", "json", "dot"])
def test_a_map_has_each_source_in_every_form(form: str) -> None:
    told = planning.map_in_form(asyncio.run(planning.relay_map(options())), form)
    assert all(each.name in told for each in RELAY.sources)
    if form == "json":
        assert msgspec.json.decode(told, type=DependencyMap) == RELAY


def opened(
    fails: Exception, names: tuple[str, ...] = ("errors",), **given: Any
) -> tuple[list[str], Callable[[], Subject]]:
    """Open a user's relay to which detours can't be made; return what was told, and the subject."""
    said: list[str] = []

    async def main() -> Callable[[], Subject]:
        with TemporaryDirectory() as folder, CampaignGuard(Path(folder), "") as guard:
            async with AsyncExitStack() as stack:
                return await opening.opened_subject(
                    options("errors", **given), stack, names, lambda *told: said.append(" ".join(told)), guard
                )

    async def led(*_: object) -> Subject:
        raise fails

    patch = pytest.MonkeyPatch()
    patch.setattr(opening, "led_round", led)
    try:
        return said, asyncio.run(main())
    finally:
        patch.undo()


def test_a_relay_that_takes_no_further_source_is_tried_without_detours() -> None:
    said, subject = opened(FaultError("POST /api/sources: answered 409: the devnet runs its chain"))
    assert said[-1] == "note no detours: POST /api/sources: answered 409: the devnet runs its chain"
    assert subject().wiring.proxies == {}


def test_detours_ended_while_a_block_was_waited_for_before_the_fault_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lasting_s: list[float] = []

    async def led(subject: Subject, _keys: object, lasts_s: float, *_: object) -> Subject:
        lasting_s.append(lasts_s)
        return subject

    async def opened_with(within: str) -> None:
        asked = options("errors", blocks_within=within)
        with TemporaryDirectory() as folder, CampaignGuard(Path(folder), "") as guard:
            async with AsyncExitStack() as stack:
                await opening.opened_subject(asked, stack, ("errors",), None, guard)

    monkeypatch.setattr(opening, "led_round", led)
    asyncio.run(opened_with("0s"))
    asyncio.run(opened_with("10m"))
    assert lasting_s[1] - lasting_s[0] == 2 * WITHIN_S_MAX


def test_detours_ended_after_an_hour_though_the_experiments_asked_for_took_longer() -> None:
    said = "24 experiments take 7,200 s at least, and sources are led round for 3,600 s at most"
    with pytest.raises(ConfigError, match=said):
        opened(AssertionError("a source was led round"), ("errors",) * 24, duration="5m")


def test_a_detour_that_could_not_be_taken_back_ends_it() -> None:
    with pytest.raises(UndoFailed):
        opened(UndoFailed("litecoin-regtest:alice is paused still"))


def test_a_proxy_for_a_source_that_there_is_not_is_refused() -> None:
    known = ", ".join(sorted(map(key_of, RELAY.sources)))
    wrong = options("errors", proxy=("litecoin-regtest:nobody=http://127.0.0.1:1/x",))
    with pytest.raises(ConfigError, match=known):
        asyncio.run(planning.dry_run(wrong))
