"""The blast radius of experiments on an embedded relay of three chains, and the limit on it.

What lasts until it shows is seen just where it was said to reach. What by its nature shows in no state, as a
line that is late, is seen to reach less, and never more; then no more than that is claimed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from sprint.core.chaos.result import Result, decode_result
from sprint.tools.chaos.embedded import CHAINS, EmbeddedOptions, EmbeddedStack
from sprint.tools.chaos.reports.tables import tables_of
from tests.integration.chaos_stage import COMMAND, EmbeddedStage
from tests.integration.real_servers import wait_until

COULD_NOT_RUN = 3
RUN_S_MAX = 400.0
# Beyond the 20 s in which a silent source's breaker is due; of a cascade the last one too.
EQUAL = {
    "errors": "8s",
    "force-open": "5s",
    "process-kill": "8s",
    "upstream-stall": "26s",
    "network-partition": "26s",
    "cascade": "100s",
}
# They slow, or hold what is so anyway, or last shorter than a breaker takes to open.
LESS = (
    *("latency", "bandwidth", "packet-loss", "reset-peer", "upstream-lies", "clock-skew", "force-close"),
    *("resource-exhaustion", "resource-exhaustion-disk"),
)


def run_on_three_chains(folder: Path, name: str, duration: str) -> Result:
    output = folder / "result.json"
    command = [*COMMAND, "--experiment", name, "--duration", duration, "--quiet", "--output", str(output)]
    command += [word for chain in CHAINS for word in ("--chain", chain)]
    command += ["--journal-dir", str(folder / "journal")]
    done = subprocess.run(command, capture_output=True, timeout=RUN_S_MAX, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return decode_result(output.read_bytes())


def compared(result: Result) -> dict[str, str]:
    """Return what the report says of each part of the radius that either side has."""
    (table,) = (each for each in tables_of(result) if each.title == "Blast radius")
    return {row[0]: row[3] for row in table.rows}


@pytest.mark.soak
@pytest.mark.parametrize("name", EQUAL)
def test_what_lasts_long_enough_reaches_just_whom_it_was_said_to_reach(name: str, tmp_path: Path) -> None:
    result = run_on_three_chains(tmp_path, name, EQUAL[name])
    assert result.predicted is not None
    assert {key.partition(":")[0] for key in result.predicted.sources} == set(CHAINS)
    assert result.observed == result.predicted
    assert set(compared(result).values()) == {"equal"}
    print(f"{name}: {len(result.predicted.sources)} sources, as said; {result.reason}")


@pytest.mark.soak
@pytest.mark.parametrize("name", LESS)
def test_what_shows_in_no_state_is_seen_to_reach_less_and_never_more(name: str, tmp_path: Path) -> None:
    result = run_on_three_chains(tmp_path, name, "8s")
    assert result.predicted is not None
    assert result.observed is not None
    assert set(compared(result).values()) <= {"equal", "less"}
    print(f"{name}: {compared(result)}; {result.reason}")


def test_above_the_limit_nothing_is_put_on_and_nothing_written_down(tmp_path: Path) -> None:
    with EmbeddedStack(EmbeddedOptions(chains=CHAINS)) as stack, EmbeddedStage(tmp_path, stack) as stage:
        ready = "/api/v1/ready"
        wait_until(lambda: httpx.get(stack.api_url + ready, trust_env=False).is_success, "it is ready")
        outcome = stage.run_experiment("errors", "--max-blast-radius", "sources=2")
        assert (outcome.code, outcome.result.verdict) == (COULD_NOT_RUN, "could_not_run")
        assert "nothing was put on" in outcome.result.reason
        assert "sources" in outcome.result.reason
        assert list((tmp_path / "journal").glob("*.ndjson")) == []
        proxies = httpx.get(f"{stack.control_url}/api/proxies", trust_env=False).json()["proxies"]
        assert [each["toxics"] for each in proxies] == [[]] * 12
        assert not any(way.ends["refused"] for way in outcome.view.ways.values())
        assert all(states == {"closed"} for states in outcome.view.breakers.values())
