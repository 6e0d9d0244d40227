"""Generators share what was asked for: together they have no more of it than that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.tools import runtime
from sprint.tools.loadtest.jobs import share_of
from sprint.tools.loadtest.load_test import LoadTest
from tests.tools.loadtest.options_for_tests import options, silent
from tests.tools.loadtest.small_server import SmallServer, ok

OF_REACH = 1  # the connection that looks whether the target is there


@given(whole=st.integers(0, 10_000), processes=st.integers(1, 64))
def test_shares_are_the_whole_together_and_differ_by_one_at_most(whole: int, processes: int) -> None:
    shares = [share_of(whole, process, processes) for process in range(processes)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_one_worker_is_one_however_many_generators_there_are_and_nothing_is_left_unsent() -> None:
    """Each generator had one at least."""

    async def main() -> None:
        async with SmallServer(ok) as server:
            asked = options(target=server.url + "{n}", workers=1, processes=4)
            report = await LoadTest(asked, silent).run()
            assert report.totals.successes == report.totals.asked == 200
            assert server.connections_made == 1 + OF_REACH
            assert {request.split(b" ")[1] for request in server.requests} == {
                b"/%d" % number for number in range(200)
            }

    runtime.run(main())
