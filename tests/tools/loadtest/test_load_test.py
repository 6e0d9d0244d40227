"""A whole run with generators in processes of their own: its report is of what was done, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from sprint.core.errors import ConfigError, SprintError
from sprint.core.loadtest.recording import LOST
from sprint.core.loadtest.report import Report
from sprint.tools import runtime
from sprint.tools.loadtest import load_test
from sprint.tools.loadtest.load_test import LoadTest
from sprint.tools.loadtest.options import LoadOptions
from sprint.tools.loadtest.reaching import TargetUnreachable
from sprint.tools.loadtest.relay_profile import ASK_TIMEOUT_S
from sprint.tools.loadtest.reports.console import text_of
from sprint.tools.loadtest.working import Prepared, prepared
from tests.tools.loadtest.options_for_tests import come_true, options, silent
from tests.tools.loadtest.small_server import SmallServer, answering, never, ok


async def reported(asked: LoadOptions) -> Report:
    return await LoadTest(asked, silent).run()


def test_two_processes_share_one_schedule() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            report = await reported(options(target=server.url, processes=2))
            assert (report.totals.asked, report.totals.successes) == (200, 200)
            assert len(server.requests) == 200
            assert report.asked.processes == 2
            assert not report.interrupted

    runtime.run(main())


def test_each_request_of_several_processes_has_its_own_number() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            await reported(options(target=server.url + "{n}", processes=2))
            numbers = sorted(int(request.split(b" ")[1][1:]) for request in server.requests)
            assert numbers == list(range(200))

    runtime.run(main())


def test_a_stop_amid_a_run_reports_what_was_done_and_nothing_as_lost() -> None:
    """What came due while the generators were being stopped had been told as lost with its generator."""

    async def main() -> None:
        async with SmallServer(ok) as server:
            test = LoadTest(options(target=server.url, duration="1h", rps=2_000, processes=2), silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(server.requests) >= 100)
            test.stop()
            report = await running
            totals = report.totals
            assert report.interrupted
            assert totals.successes == len(server.requests)
            assert totals.asked == totals.answered + totals.unanswered + totals.never_sent
            assert LOST not in [row.name for row in report.never_sent]
            assert totals.duration_s < 30

    runtime.run(main())


def a_generator() -> int:
    """Return one of the processes that send; children that other tests left unwaited for are none."""
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.ZombieProcess):
            if "generator" in " ".join(each.cmdline()):
                return each.pid
    raise AssertionError("no generator runs")


def test_a_generator_that_is_killed_is_told_of_and_its_part_counts_as_never_sent() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            asked = options(
                target=server.url, processes=2, rps=600, duration="1s", threshold=("error_rate<1%", "p99<9s")
            )
            test = LoadTest(asked, silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(server.requests) >= 100)
            os.kill(a_generator(), signal.SIGKILL)
            report = await running
            totals = report.totals
            assert any("ended with code -9: its part counts" in why for why in report.generator.reasons)
            assert totals.asked == 600
            assert 0 < totals.never_sent <= 300
            assert totals.answered + totals.unanswered + totals.never_sent == 600
            assert report.generator.limited
            # With half of the load missing all thresholds were met.
            assert [result.met for result in report.thresholds] == [True, True]
            assert not report.met
            assert "but not under the load that was asked for" in text_of(report)

    runtime.run(main())


def test_no_process_is_left_after_a_run() -> None:
    async def main() -> None:
        before = {each.pid for each in psutil.Process().children(recursive=True)}
        await reported(options(processes=2))
        after = {each.pid for each in psutil.Process().children(recursive=True)}
        assert after <= before

    runtime.run(main())


def test_nobody_at_the_target_is_said_before_anything_is_sent() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            url = server.url
        with pytest.raises(TargetUnreachable, match=r"cannot be reached: 127\.0\.0\.1: Connection refused"):
            await reported(options(target=url))

    runtime.run(main())


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(TargetUnreachable, match="no address"):
        runtime.run(reported(options(target="http://nowhere.invalid/")))


def test_a_server_that_says_nothing_is_a_timeout_of_each_request() -> None:
    async def main() -> None:
        async with SmallServer(never) as server:
            report = await reported(options(target=server.url, rps=20, timeout="300ms"))
            assert [(row.kind, row.count) for row in report.errors] == [("timeout", 20)]

    runtime.run(main())


def test_thresholds_decide_what_is_met() -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        async with SmallServer(answering(answer)) as server:
            report = await reported(
                options(target=server.url, rps=50, threshold=("error_rate<1%", "requests>=50"))
            )
            assert [row.met for row in report.thresholds] == [False, True]
            assert (report.met, report.exit_code) == (False, 1)

    runtime.run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made, key


def test_tls_is_spoken_and_its_certificate_checked(certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    async def main() -> None:
        async with SmallServer(ok, tls=context) as server:
            trusting = await reported(options(target=server.url, rps=40, tls_ca=str(made)))
            assert trusting.totals.successes == 40
            refusing = await reported(options(target=server.url, rps=40))
            assert [(row.kind, row.count) for row in refusing.errors] == [("tls", 40)]
            any_will_do = await reported(options(target=server.url, rps=40, tls_insecure=True))
            assert any_will_do.totals.successes == 40

    runtime.run(main())


def test_a_file_without_certificates_is_refused_before_the_run(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")

    with pytest.raises(ConfigError, match=r"--tls-ca .*ca.pem"):
        options(target="https://127.0.0.1", tls_ca=str(wrong))
    with pytest.raises(ConfigError, match=r"--tls-cert .*ca.pem"):
        options(target="https://127.0.0.1", tls_cert=str(wrong))
    with pytest.raises(ConfigError, match="--tls-key without --tls-cert"):
        options(target="https://127.0.0.1", tls_key=str(wrong))


def test_a_target_that_asks_who_we_are_is_shown_our_certificate(certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    context.load_verify_locations(made)
    context.verify_mode = ssl.CERT_REQUIRED

    async def main() -> None:
        async with SmallServer(ok, tls=context) as server:
            shown = {"tls_ca": str(made), "tls_cert": str(made), "tls_key": str(key)}
            report = await reported(options(target=server.url, rps=20, **shown))
            assert report.totals.successes == 20
            unknown = await reported(options(target=server.url, rps=20, tls_ca=str(made)))
            assert unknown.totals.successes == 0

    runtime.run(main())


def test_a_stop_before_the_start_is_a_report_of_nothing() -> None:
    async def main() -> None:
        test = LoadTest(options(duration="1h"), silent)
        running = asyncio.create_task(test.run())
        await come_true(lambda: test._fleet is not None)
        test.stop()
        report = await running
        assert report.interrupted
        assert (report.totals.asked, report.totals.begun) == (0, 0)
        assert not any("ended with code" in note for note in report.notes)

    runtime.run(main())


def test_a_stop_does_not_wait_for_a_target_that_never_comes() -> None:
    """It had waited for all that the target may take, ten seconds here and a minute for the demo."""

    async def main() -> None:
        async with SmallServer(never) as server:
            test = LoadTest(options(target=server.url, profile="relay"), silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(server.requests) == 1)
            test.stop()
            async with asyncio.timeout(ASK_TIMEOUT_S / 2):
                report = await running
            assert report.interrupted
            assert report.totals.asked == 0
            assert report.notes[-1] == "the run was ended before its target was ready"

    runtime.run(main())


def test_a_run_that_is_through_is_not_told_as_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the embedded relay was ending made an interrupted run of one that was whole."""

    async def main() -> None:
        asked = options(rps=50)

        @asynccontextmanager
        async def ending(given: LoadOptions, said: Callable[[str], None]) -> AsyncIterator[Prepared]:
            async with prepared(given, said) as ready:
                yield ready
                test.stop()

        monkeypatch.setattr(load_test, "prepared", ending)
        test = LoadTest(asked, silent)
        report = await test.run()
        assert not report.interrupted
        assert (report.totals.asked, report.totals.successes) == (50, 50)

    runtime.run(main())


def test_a_run_that_is_cancelled_is_no_report() -> None:
    async def main() -> None:
        async with SmallServer(never) as server:
            running = asyncio.create_task(LoadTest(options(target=server.url, profile="relay"), silent).run())
            await come_true(lambda: len(server.requests) == 1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    runtime.run(main())


def test_a_relay_profile_wants_a_relay() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            with pytest.raises(SprintError, match="does not answer as a relay does"):
                await reported(options(target=server.url, profile="relay"))

    runtime.run(main())


def test_how_a_run_is_can_be_seen_while_it_goes_on() -> None:
    async def main() -> None:
        test = LoadTest(options(duration="1s"), silent)
        before = test.live
        assert before is None
        running = asyncio.create_task(test.run())
        await come_true(lambda: test.live is not None and test.live.totals.answered > 0)
        live = test.live
        assert live is not None
        assert live.states == {"business": "closed"}
        assert live.totals.answered > 0
        await running

    runtime.run(main())
