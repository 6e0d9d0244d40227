"""Faults between the generators and the target: each does to requests what its kind says, and is counted."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from sprint.core.errors import ConfigError
from sprint.core.loadtest.report import Report, decode_report, encode_report
from sprint.tools import runtime
from sprint.tools.loadtest import chaos_proxy, wanting
from sprint.tools.loadtest.load_test import LoadTest
from sprint.tools.loadtest.reports.console import text_of
from sprint.tools.loadtest.reports.html_page import html_of
from tests.children import children_that_run
from tests.tools.loadtest.options_for_tests import come_true, options, silent
from tests.tools.loadtest.small_server import SmallServer, ok


async def loaded(*faults: str, **given: object) -> tuple[Report, SmallServer]:
    """Return the report of 100 requests over a proxy with these faults, and the server that had them."""
    async with SmallServer(ok) as server:
        asked = options(**({"target": server.url, "rps": 100, "seed": 3, "fault": faults} | given))
        return await LoadTest(asked, silent).run(), server


def test_resets_alone_fail_the_share_of_requests_that_was_asked_for() -> None:
    report, server = runtime.run(loaded(rps=300, duration="1s", chaos=True, failure_rate=0.3))
    assert 0.2 < report.totals.error_share < 0.4
    assert {row.kind for row in report.errors} <= {"reset", "closed"}
    assert any("reset (after_ms 0), downstream, on 0.3 of connections" in note for note in report.notes)
    (fault,) = report.faults
    assert fault.connections_reset == report.totals.failures
    assert server.connections_made >= 300


def test_a_latency_is_in_each_answer_once_and_connections_are_kept() -> None:
    report, server = runtime.run(loaded("latency:latency_ms=150"))
    assert (report.totals.successes, report.totals.failures) == (100, 0)
    assert report.totals.service is not None
    assert report.totals.service.ms_min >= 150
    assert report.totals.service.ms_p50 < 300
    assert server.connections_made < 100


def test_a_share_is_one_of_requests_with_a_connection_each() -> None:
    report, server = runtime.run(loaded("latency:latency_ms=400", "slicer:piece_bytes=8", failure_rate=0.3))
    assert server.connections_made >= 100
    latency, slicer = report.faults
    assert 15 <= latency.connections_met <= 50
    assert slicer.share == 0.3
    assert report.totals.service is not None
    assert report.totals.service.ms_p50 < 400 <= report.totals.service.ms_p90


def test_a_targets_faults_follow_a_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was ignored: half of the requests failed to the end."""
    monkeypatch.setattr(chaos_proxy, "FOLLOW_INTERVAL_S", 0.05)
    report, _ = runtime.run(loaded(rps=300, duration="2s", chaos=True, scenario="recovery"))
    first, second = report.points[:2]
    assert 0.35 * first.asked < first.failures < 0.6 * first.asked
    assert second.failures < 0.15 * second.asked
    assert [fault.share for fault in report.faults] == [0.5]


def test_a_target_that_is_down_refuses_all_requests() -> None:
    report, server = runtime.run(loaded("down"))
    assert [(row.kind, row.count) for row in report.errors] == [("refused", 100)]
    assert server.requests == []


def test_what_is_lost_on_the_way_back_has_reached_the_target() -> None:
    report, server = runtime.run(loaded("black_hole", timeout="300ms", rps=20))
    assert [(row.kind, row.count) for row in report.errors] == [("timeout", 20)]
    assert len(server.requests) == 20


def test_a_fault_whose_time_was_over_amid_the_run_is_in_its_report() -> None:
    report, _ = runtime.run(loaded("slicer:piece_bytes=9,ttl_ms=1", rps=20))
    (fault,) = report.faults
    assert (fault.kind, fault.ttl_ms) == ("slicer", 1)
    assert report.totals.successes == 20


def proxies() -> list[psutil.Process]:
    return [
        each
        for each in children_that_run("sprint.tools.faultproxy")
        if each.cmdline()[1:3] == ["-m", "sprint.tools.faultproxy"]
    ]


def test_a_proxy_that_dies_amid_the_run_is_told_and_not_the_targets_fault() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            asked = options(target=server.url, rps=100, duration="2s", fault=("latency:latency_ms=1",))
            running = asyncio.create_task(LoadTest(asked, silent).run())
            await come_true(lambda: len(server.requests) >= 10)
            (proxy,) = proxies()
            proxy.kill()
            report = await running
            assert report.generator.limited
            assert any("the fault proxy before the target does not answer" in each for each in told(report))
            assert report.totals.failures > 0

    runtime.run(main())
    assert proxies() == []


def test_where_the_proxy_was_the_limit_the_target_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shared the load tester's process, was late by most of a second, and nobody was told."""
    monkeypatch.setattr(wanting, "INTERVAL_S", 0.02)
    monkeypatch.setattr(wanting, "BUSY_SHARE_MIN", 0.0)
    report, _ = runtime.run(loaded("latency:latency_ms=1"))
    assert report.generator.limited
    assert any("the fault proxy wanted" in each and "requests waited for it" in each for each in told(report))


def test_a_proxy_that_has_time_left_is_not_told_of() -> None:
    report, _ = runtime.run(loaded("latency:latency_ms=1", rps=20))
    assert not any("the fault proxy" in each for each in told(report))


def told(report: Report) -> tuple[str, ...]:
    return report.generator.reasons


def test_every_form_of_the_report_names_the_faults() -> None:
    report, _ = runtime.run(loaded("latency:latency_ms=7", "reset:toxicity=0.25", rps=20))
    assert decode_report(encode_report(report)).faults == report.faults
    assert report.asked.options["chaos"] == (
        "latency:direction=downstream,toxicity=1.0,latency_ms=7,jitter_ms=0; "
        "reset:direction=downstream,toxicity=0.25,after_ms=0"
    )
    for text in (text_of(report, width=120), html_of(report)):
        assert "Faults on the way" in text
        assert "latency_ms 7" in text
        assert "25 %" in text


def test_without_a_target_there_is_no_way_to_put_faults_on() -> None:
    with pytest.raises(ConfigError, match=r"--fault 'stall' needs a target.*--target demo"):
        options(fault=("stall",))
