"""The documentation says what the code does: links resolve, and every event, field and code has its row."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect
from typer.testing import CliRunner

from sprint.cli.main import app
from sprint.core.errors import SprintError
from sprint.core.model import EVENT_OF_DATA, EVENT_TYPES
from sprint.tools.web.problems import PROBLEMS
from tests.configuration_page import PAGE, filled

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
TOP_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
_ROW_NAME = re.compile(r"^\| `([^`]+)` \|(.*)$", re.MULTILINE)
_ADR_NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


def pages() -> list[Path]:
    return [*(ROOT / name for name in TOP_PAGES), *sorted(DOCS.rglob("*.md"))]


@functools.cache
def prose(path: Path) -> str:
    """A page without its fenced blocks, which may hold brackets of their own."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Each link into this repository, as (file, anchor)."""
    for target in _LINK.findall(prose(path)):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        yield ((path.parent / file).resolve() if file else path), anchor


@functools.cache
def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: str, heading: str) -> str:
    """The text under `## heading`, up to the next heading of that level."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {heading!r}"
    return found[1]


def rows(text: str) -> dict[str, str]:
    return dict(_ROW_NAME.findall(text))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    broken = [
        f"{file}#{anchor}"
        for file, anchor in links(page)
        if not file.exists() or (anchor and anchor not in anchors(file))
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [file for file, _ in links(page)]
    assert set(DOCS.rglob("*.md")) - reached == set()


def test_decisions_are_numbered_without_a_gap_and_titled_by_their_number() -> None:
    files = sorted((DOCS / "adr").glob("*.md"))
    matches = [_ADR_NAME.fullmatch(file.name) for file in files]
    assert [int(match[1]) for match in matches if match] == list(range(1, len(files) + 1))
    for number, file in enumerate(files, 1):
        text = file.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), file.name
        assert re.search(r"^Status: (proposed|accepted|superseded by \[.+)$", text, flags=re.MULTILINE), (
            file.name
        )


def record_of(kind: type) -> inspect.StructType:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def field_names(record: inspect.StructType) -> set[str]:
    """Names of a record's fields; those of a record inside it as `outer.inner`."""
    names = set()
    for field in record.fields:
        names.add(field.name)
        if isinstance(field.type, inspect.StructType):
            names |= {f"{field.name}.{inner}" for inner in field_names(field.type)}
    return names


def test_every_event_type_has_its_section() -> None:
    kinds = {str(record_of(kind).tag): record_of(data) for data, kind in EVENT_OF_DATA.items()}
    assert set(kinds) == set(EVENT_TYPES)
    for name, data in kinds.items():
        assert set(rows(section("events.md", f"`{name}`"))) == field_names(data), name


def test_the_envelope_of_events_is_complete() -> None:
    named = set(rows(section("events.md", "Envelope")))
    for kind in EVENT_OF_DATA.values():
        assert named == {"type", *(field.name for field in record_of(kind).fields)}


@pytest.mark.parametrize(
    "command",
    [
        "relay",
        "relay check",
        "relay tail",
        "relay verify",
        "relay config show",
        "optimize apply",
        "optimize restore",
        "optimize check",
        "optimize recommend",
        "optimize status",
        "optimize watch",
        "optimize bench",
        "cb-loadtest",
        "cb-chaos",
        "cb-monitor",
    ],
)
def test_every_option_is_listed_with_its_command(command: str) -> None:
    done = CliRunner().invoke(app, (*command.split(), "--help"))
    assert done.exit_code == 0, done.output
    offered = set(re.findall(r"^\s+(?:-\w, )?(--[a-z][a-z-]*)", done.stdout, flags=re.MULTILINE)) - {"--help"}
    listed = set(rows(section("commands.md", f"`sprint {command}`")))
    assert listed == offered


def test_every_setting_is_listed_in_its_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "python -m tests.configuration_page writes it"
    assert "`gap_after_s`" in section("configuration.md", "`[chains.NAME]`")


def test_every_problem_code_is_listed_with_its_status() -> None:
    listed = {
        code: int(rest.split("|")[0]) for code, rest in rows(section("errors.md", "Problem codes")).items()
    }
    assert listed == {code: problem.status for code, problem in PROBLEMS.items()}


def descendants(kind: type[SprintError]) -> Iterator[type[SprintError]]:
    for below in kind.__subclasses__():
        yield below
        yield from descendants(below)


def test_every_error_of_the_package_is_listed_with_its_code() -> None:
    listed = {
        name: rest.split("|")[0].strip(" `")
        for name, rest in rows(section("errors.md", "Exceptions")).items()
    }
    tree: list[type[SprintError]] = [SprintError, *descendants(SprintError)]
    own = [kind for kind in tree if kind.__module__ == SprintError.__module__]
    assert listed == {kind.__name__: kind.code for kind in own}
