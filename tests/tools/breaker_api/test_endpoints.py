"""The breakers' paths: what each shows, what it takes, and that what it refuses changes nothing."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from sprint.core.breaker.explain import Explanation
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.rows import BreakerRow
from sprint.tools.breaker_api.endpoints import PATH
from tests.tools.breaker_api.serving import ALICE, POLICIES, Served, fail, received, served

ONE = f"{PATH}/{quote(ALICE, safe='')}"


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()
    return answer.status_code, told["code"], told["detail"]


def test_the_list_has_a_row_of_each() -> None:
    async def main() -> None:
        async with served() as each:
            rows = (await each.client.get(PATH)).json()["breakers"]
            found = {row["name"]: msgspec.convert(row, BreakerRow) for row in rows}
            assert [(row.name, row.kind, row.source) for row in found.values()] == [
                ("store", "store", None),
                (ALICE, "source", "alice"),
            ]
            fail(each)
            (row,) = [r for r in (await each.client.get(PATH)).json()["breakers"] if r["name"] == ALICE]
            assert (row["state"], row["failures"]) == ("open", 2)
            assert row["next_trial_at"] > row["since"]

    asyncio.run(main())


def test_one_breaker_shows_all_that_decides() -> None:
    async def main() -> None:
        async with served() as each:
            fail(each)
            told = (await each.client.get(ONE)).json()
            assert set(told["explanation"]) == set(Explanation.__struct_fields__)
            assert told["explanation"]["because"] == told["evidence"]
            (transition,) = told["explanation"]["last_transitions"]
            assert (transition["from"], transition["to"]) == ("closed", "open")
            assert transition["at"] == told["since"]
            assert transition["own_number"] == 1
            assert msgspec.convert(told["config"], Policy) == POLICIES["source"]
            assert told["laid_over"] is None

    asyncio.run(main())


def test_a_number_means_the_same_wherever_it_stands() -> None:
    """`number` was of one breaker in the explanation, and of all of them in the history."""

    async def main() -> None:
        async with served() as each:
            store = each.registry.get("store", "store")
            assert store.force_open()
            assert store.reset()
            fail(each)
            (own,) = (await each.client.get(ONE)).json()["explanation"]["last_transitions"]
            (among_all,) = (await each.client.get(f"{ONE}/history")).json()["transitions"]
            assert (own.pop("own_number"), among_all.pop("number")) == (1, 3)
            assert own == among_all

    asyncio.run(main())


def test_history_and_figures_are_kept_and_asked_for_in_part() -> None:
    async def main() -> None:
        async with served() as each:
            fail(each)
            await each.feed.measure()
            await each.client.post(f"{ONE}/state", json={"action": "reset", "reason": "new disk"})
            rows = (await each.client.get(f"{ONE}/history")).json()["transitions"]
            assert [(row["number"], row["to"], row["reason"]) for row in rows] == [
                (1, "open", "tripped"),
                (2, "closed", "reset"),
            ]
            assert rows[1]["evidence"] == {
                "detector": "operator",
                "measured": 0.0,
                "limit": 0.0,
                "calls": 0,
                "text": "operator via admin API: new disk",
            }
            newer = (await each.client.get(f"{ONE}/history?after=1&limit=5")).json()["transitions"]
            assert newer == rows[1:]
            await each.feed.measure()
            told = (await each.client.get(f"{ONE}/metrics?limit=1")).json()
            assert (told["interval_s"], [point["state"] for point in told["points"]]) == (5.0, ["closed"])
            points = (await each.client.get(f"{ONE}/metrics")).json()["points"]
            assert [(point["state"], point["failures"]) for point in points] == [("open", 2), ("closed", 0)]
            refused = await each.client.get(f"{ONE}/history?limit=0")
            assert problem(refused)[:2] == (400, "bad_query")
            assert "limit '0': want a whole number from 1 to 256" in problem(refused)[2]

    asyncio.run(main())


def test_an_order_is_obeyed_logged_and_answered_with_the_row(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served() as each:
            steps = (
                ("force_open", True, "force_open"),
                ("force_open", False, "force_open"),
                ("release", True, "open"),
                ("force_close", True, "force_close"),
                ("release", True, "closed"),
                ("release", False, "closed"),
            )
            for action, changed, state in steps:
                body = {"action": action, "reason": "upgrade"}
                told = (await each.client.post(f"{ONE}/state", json=body)).json()
                assert (told["changed"], told["breaker"]["state"]) == (changed, state), action
            assert each.alice.state == "closed"

    with caplog.at_level(logging.INFO, "sprint"):
        asyncio.run(main())
    first: dict[str, Any] = next(vars(r)["fields"] for r in caplog.records if "told: force_open" in r.message)
    assert first == {"breaker": ALICE, "by": "operator via admin API", "reason": "upgrade", "changed": True}


def test_figures_laid_over_hold_until_taken_back_or_until_a_reload_brings_others() -> None:
    async def main() -> None:
        async with served() as each:
            put = {"trial_lease_s": 2, "backoff": {"base_s": 3}}
            told = (await each.client.put(f"{ONE}/config", json=put)).json()
            assert (told["config"]["trial_lease_s"], told["config"]["backoff"]["base_s"]) == (2.0, 3.0)
            assert told["laid_over"]["fields"] == put
            assert each.alice.policy.trial_lease_s == 2.0
            assert each.registry.get("other", "source").policy == POLICIES["source"]
            # What a PUT leaves out is as it was below, not as the one before had it.
            told = (await each.client.put(f"{ONE}/config", json={"failures_to_open": 9})).json()
            assert (told["config"]["trial_lease_s"], told["config"]["failures_to_open"]) == (30.0, 9)
            assert (await each.client.get(f"{ONE}/config")).json() == told
            assert (await each.client.put(f"{ONE}/config", json={})).json()["laid_over"] is None
            assert each.alice.policy == POLICIES["source"]
            await each.client.put(f"{ONE}/config", json=put)
            reloaded = msgspec.structs.replace(POLICIES["source"], failures_to_open=7)
            each.registry.adopt({**POLICIES, "source": reloaded})
            told = (await each.client.get(f"{ONE}/config")).json()
            assert (told["config"]["failures_to_open"], told["laid_over"]) == (7, None)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"half_open_calls": 0}', "half_open_calls: 0; want `int` >= 1"),
        (b'{"half_open_calls": 2}', "half_open_calls = 2; want 1: a source makes one call, its connection"),
        (b'{"half_open_cals": 2}', "did you mean half_open_calls?"),
        (b'{"failures_to_open": 9, "window": {"buckets": 11}}', "window.buckets: 11; want `int` <= 10"),
    ],
)
def test_figures_that_cannot_be_are_refused_whole(body: bytes, said: str) -> None:
    async def main() -> None:
        async with served() as each:
            headers = {"Content-Type": "application/json"}
            answer = await each.client.put(f"{ONE}/config", content=body, headers=headers)
            assert problem(answer)[:2] == (400, "bad_query")
            assert said in problem(answer)[2]
            assert each.alice.policy == POLICIES["source"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
def test_what_a_form_on_a_page_can_send_changes_nothing(kind: str | None) -> None:
    async def main() -> None:
        async with served() as each:
            headers = {} if kind is None else {"Content-Type": kind}
            for method, path in (("POST", "state"), ("PUT", "config")):
                request = each.client.build_request(
                    method, f"{ONE}/{path}", content=b'{"action":"force_open"}', headers=headers
                )
                assert problem(await each.client.send(request))[:2] == (415, "not_json")
            assert each.alice.state == "closed"

    asyncio.run(main())


def test_no_body_is_no_empty_object_and_takes_nothing_back() -> None:
    async def main() -> None:
        async with served() as each:
            await each.client.put(f"{ONE}/config", json={"failures_to_open": 9})
            headers = {"Content-Type": "application/json"}
            for body in (None, b""):
                answer = await each.client.put(f"{ONE}/config", content=body, headers=headers)
                assert problem(answer)[:2] == (400, "bad_json")
            assert each.alice.policy.failures_to_open == 9

    asyncio.run(main())


def test_json_with_its_character_set_named_is_taken() -> None:
    async def main() -> None:
        async with served() as each:
            headers = {"Content-Type": "Application/JSON; charset=utf-8"}
            answer = await each.client.post(f"{ONE}/state", content=b'{"action":"reset"}', headers=headers)
            assert answer.json()["changed"] is True

    asyncio.run(main())


def test_an_unknown_name_is_refused_with_those_near_it() -> None:
    async def main() -> None:
        async with served() as each:
            wrong = quote(ALICE.replace("alice", "alise"), safe="")
            code, name, detail = problem(await each.client.get(f"{PATH}/{wrong}"))
            assert (code, name) == (404, "unknown_breaker")
            assert f"did you mean {ALICE}?" in detail
            far = problem(await each.client.get(f"{PATH}/{'x' * 5000}"))
            assert "there are 2, as store; GET /api/breakers lists them" in far[2]
            body = {"action": "reset"}
            assert problem(await each.client.post(f"{PATH}/{wrong}/state", json=body))[0] == 404

    asyncio.run(main())


ODD_NAMES = ("a/b", "100%", "%2F", "ä ö", "?x=1#y", "a=b", "source:bitcoin:rpc:h:8332/p;q", "metrics", "+ &")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_reached_percent_encoded(name: str) -> None:
    async def main() -> None:
        async with served() as each:
            each.registry.get(name, "store")
            path = f"{PATH}/{quote(name, safe='')}"
            assert (await each.client.get(path)).json()["name"] == name
            assert (await each.client.get(f"{path}/history")).json()["breaker"] == name
            told = (await each.client.post(f"{path}/state", json={"action": "force_open"})).json()
            assert told["breaker"]["name"] == name
            assert each.registry.get(name, "store").state == "force_open"

    asyncio.run(main())


def test_fifty_orders_at_once_are_each_one_transition_or_none() -> None:
    async def main() -> None:
        async with served() as each:
            actions = ["force_open", "reset", "force_close", "release", "reset"] * 10
            answers = await asyncio.gather(*(_order(each, action) for action in actions))
            changed = sum(answer["changed"] for answer in answers)
            rows = (await each.client.get(f"{ONE}/history")).json()["transitions"]
            assert [row["number"] for row in rows] == list(range(1, changed + 1))
            assert all(before["to"] == after["from"] for before, after in pairwise(rows))
            assert rows[-1]["to"] == each.alice.state

    async def _order(each: Served, action: str) -> dict[str, Any]:
        answer = await each.client.post(f"{ONE}/state", json={"action": action})
        told: dict[str, Any] = answer.json()
        return told

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", f"{PATH}?limit=3", "no key 'limit'; none is taken here"),
        ("GET", f"{ONE}?verbose", "no key 'verbose'; none is taken here"),
        ("GET", f"{ONE}/metrics?limti=3", "no key 'limti'; there is limit"),
        ("GET", f"{ONE}/history?since=3", "no key 'since'; there is limit, after"),
        ("GET", f"{ONE}/config?at=3", "no key 'at'; none is taken here"),
        ("PUT", f"{ONE}/config?reason=x", "no key 'reason'; none is taken here"),
        ("POST", f"{ONE}/state?reason=x", "no key 'reason'; none is taken here"),
    ],
)
def test_a_misspelt_query_is_refused_and_not_passed_over(method: str, path: str, said: str) -> None:
    async def main() -> None:
        async with served() as each:
            body = {"action": "force_open"} if method != "GET" else None
            answer = await each.client.request(method, path, json=body)
            assert problem(answer)[:2] == (400, "bad_query")
            assert said in problem(answer)[2]
            assert each.alice.state == "closed"

    asyncio.run(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"backoff": {"base_s": 1e300, "longest_s": 1e308}},
        {"half_open_longest_s": 1e300},
        {"trial_lease_s": 1e300},
        {"window": {"span_s": 1e300}},
    ],
)
def test_an_endless_figure_is_refused_and_list_and_watchers_go_on(fields: dict[str, Any]) -> None:
    async def main() -> None:
        async with served() as each, each.watching() as watcher:
            await received(watcher, "snapshot")
            answer = await each.client.put(f"{ONE}/config", json=fields)
            assert problem(answer)[:2] == (400, "bad_query")
            assert "want `float` <= 604800.0" in problem(answer)[2]
            fail(each)
            assert (await each.client.get(PATH)).status_code == 200
            assert (await received(watcher, "delta"))["changed"][0]["state"] == "open"

    asyncio.run(main())


def test_one_row_that_cannot_be_told_does_not_hide_the_others() -> None:
    async def main() -> None:
        async with served() as each, each.watching() as watcher:
            await received(watcher, "snapshot")
            fail(each)
            each.alice.tend(lambda machine, _: setattr(machine, "trial_at", 1e300))
            rows = {row["name"]: row for row in (await each.client.get(PATH)).json()["breakers"]}
            assert rows[ALICE]["reason"].startswith("its figures can't be told: ")
            assert rows["store"]["reason"] == "closed since the start; no call in its window"
            assert (await received(watcher, "delta"))["changed"][0]["name"] == ALICE
            assert (await each.client.get(ONE)).status_code == 200

    asyncio.run(main())
