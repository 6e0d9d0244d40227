"""The programs and curl commands in README, tutorial and how-tos run, against a relay on its devnet."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("tutorial/*.md")),
    *sorted((ROOT / "docs").glob("howto/*.md")),
]
FAULTS_PAGE = ROOT / "docs/howto/devnet-faults.md"
SHUT_OUT_PAGE = ROOT / "docs/howto/source-shut-out.md"
DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_ADMIN_URL = "http://127.0.0.1:8081"
CONTROL = f"{DEFAULT_ADMIN_URL}/api/devnet"
KEYS = re.compile(r'"(\w+)":')
LINE_TIMEOUT_S = 20.0


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


# Its examples are of the breaker alone, without a relay; tests/test_breaker_documentation.py runs them.
GUARD_PAGE = ROOT / "docs/howto/guard-your-own-code.md"
# Its requests are for cb-chaos's own server; tests/tools/chaos/test_serving.py makes such.
CHAOS_PAGE = ROOT / "docs/howto/chaos.md"
# Its example is for who receives an alert; tests/test_alerts_documentation.py runs it.
ALERTS_PAGE = ROOT / "docs/howto/alerts.md"
PROGRAMS = [
    (page, code) for page in PAGES if page not in (GUARD_PAGE, ALERTS_PAGE) for code in fenced(page, "python")
]
CURLS = [
    (page, line.removeprefix("$ ").partition(" > ")[0].partition(" >> ")[0])
    for page in PAGES
    if page not in (CHAOS_PAGE, ALERTS_PAGE)  # those ask other servers, in tests of their own
    for block in fenced(page, "console")
    for line in block.splitlines()
    if line.startswith("$ curl")
    and "CURSOR" not in line
    and '"method"' not in line  # those ask a node
    and DEFAULT_ADMIN_URL not in line
]


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with RelayProcess(tmp_path_factory.mktemp("relay"), "--demo") as process:
        for chain in ("litecoin", "bitcoin"):
            wait_until(partial(has_block, process, chain), f"a first block of {chain}")
        yield process


def has_block(relay: RelayProcess, chain: str) -> bool:
    return httpx.get(f"{relay.url}/api/v1/{chain}/latest", trust_env=False).status_code == 200


def first_line(command: list[str], folder: Path) -> str:
    """Run a program that goes on for ever; return the first line it prints."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
        finally:
            process.kill()
        assert line, process.stderr.read()
        return line


def test_the_pages_have_programs_and_commands() -> None:
    assert len(PROGRAMS) >= 3
    assert len(CURLS) >= 3


@pytest.mark.timeout(LINE_TIMEOUT_S * 2)
@pytest.mark.parametrize(("page", "code"), PROGRAMS, ids=lambda v: v.name if isinstance(v, Path) else "")
def test_a_documented_program_prints_events(
    relay: RelayProcess, tmp_path: Path, page: Path, code: str
) -> None:
    here = code.replace(DEFAULT_URL, relay.url).replace("sprint.Client()", f"sprint.Client({relay.url!r})")
    assert relay.url in here, "the program names no relay"
    (tmp_path / "program.py").write_text(here)
    line = first_line([sys.executable, "-u", "program.py"], tmp_path)
    assert re.search(r"\d", line)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_documented_commands_to_the_devnet_are_answered_as_the_page_says(
    relay: RelayProcess, tmp_path: Path
) -> None:
    (block,) = [each for each in fenced(FAULTS_PAGE, "console") if CONTROL in each]
    lines = block.splitlines()
    told = [pair for pair in itertools.pairwise(lines) if pair[0].startswith("$ curl")]
    assert told
    for command, documented in told:
        called = command.removeprefix("$ ").replace(DEFAULT_ADMIN_URL, str(relay.serving.admin))
        answer = first_line(["sh", "-c", called + "; echo"], tmp_path)
        assert set(KEYS.findall(documented)) <= set(KEYS.findall(answer)), answer
        assert answer[:12] == documented[:12]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.timeout(LINE_TIMEOUT_S * 2)
@pytest.mark.parametrize(("page", "command"), CURLS, ids=lambda v: v.name if isinstance(v, Path) else "")
def test_a_documented_curl_command_is_answered_with_a_block(
    relay: RelayProcess, tmp_path: Path, page: Path, command: str
) -> None:
    line = first_line(["sh", "-c", command.replace(DEFAULT_URL, relay.url) + "; echo"], tmp_path)
    assert '"hash":"' in line


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documented_question_for_sources_is_answered_with_states_that_the_page_names(
    relay: RelayProcess, tmp_path: Path
) -> None:
    (block,) = [each for each in fenced(SHUT_OUT_PAGE, "console") if each.strip().endswith("/api/sources")]
    command = block.strip().removeprefix("$ ").replace(DEFAULT_ADMIN_URL, str(relay.serving.admin))
    answer = json.loads(first_line(["sh", "-c", command + "; echo"], tmp_path))
    sources = [source for listed in answer["sources"].values() for source in listed]
    assert sources
    for source in sources:
        assert f"| `{source['state']}` |" in SHUT_OUT_PAGE.read_text("utf-8")
        assert {"reason", "retry_in_s"} <= set(source)
