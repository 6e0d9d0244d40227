"""What all tests share: the marks for real servers and long proofs, the run's seed, Hypothesis' profile."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.integration.postgres_server import database_url, postgres_server
from tests.integration.real_servers import SERVERS, litecoind, litecoind_factory, require

__all__ = ["database_url", "litecoind", "litecoind_factory", "postgres_server", "seed"]

SEED = int(os.environ.get("SPRINT_SEED") or secrets.randbits(32))
# The processes that share a run's tests start from here and take its seed.
os.environ["SPRINT_SEED"] = str(SEED)

# A shell that starts the run in the background has it ignore these, nohup too, and so would each program that
# a test starts and stops by them: a stop that nobody hears lasts until the test's time is over.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Relays that tests start leave the host as it is, but for those that are about tuning.
os.environ.setdefault("SPRINT_OPTIMIZE__LEVEL", "basic")

settings.register_profile("sprint", deadline=None, print_blob=True)
settings.load_profile("sprint")


def pytest_report_header() -> str:
    return f"sprint: SPRINT_SEED={SEED} repeats this run's random choices"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A mark that names no known server would never skip, nor ever fail in CI."""
    for item in items:
        for mark in item.iter_markers("real"):
            if not mark.args or mark.args[0] not in SERVERS:
                raise pytest.UsageError(f"{item.nodeid}: real{mark.args} is none of {', '.join(SERVERS)}")


def pytest_collection_finish() -> None:
    """What was collected stays until the end: each full collection of garbage would go through it again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    # A command that ran in a test's own process may have left a handler of its own.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for mark in item.iter_markers("real"):
        require(mark.args[0])
    if item.get_closest_marker("soak") and os.environ.get("SPRINT_SOAK") != "1":
        pytest.skip("a long proof: scripts/test --soak")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that is run in a test's own process sets up logging; the next tests heard nothing by that."""
    root, ours = logging.getLogger(), logging.getLogger("sprint")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run's random choices; printed in the header, repeated by SPRINT_SEED."""
    return SEED
