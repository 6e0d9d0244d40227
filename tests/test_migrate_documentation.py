"""The pages on migrations say what the command does: its options, its findings, and what it prints."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner

from sprint.cli.migrate import app
from sprint.core.migrate.order import Kind
from sprint.tools.store.migrating import LOCK_WAIT_S, STATEMENT_LOCK_WAIT_S

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "howto" / "migrate.md"
COMMANDS = DOCS / "reference" / "commands.md"
FIGURE = re.compile(r"\d+(?:\.\d+)? ms")


def console_blocks() -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        block.splitlines() for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def calls(block: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Give each command of a block, with the lines that it printed."""
    starts = [number for number, line in enumerate(block) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(block)], strict=True):
        yield shlex.split(block[start][2:]), block[start + 1 : end]


def said_by(words: list[str], folder: Path) -> list[str]:
    if words[0] == "sqlite3":
        with closing(sqlite3.connect(words[1])) as connection, connection:
            connection.execute(words[2])
        return []
    assert words[:2] == ["sprint", "migrate"]
    done = CliRunner().invoke(app, words[2:])
    return [masked(line.replace(f"{folder}/", "")) for line in done.output.splitlines()]


def masked(line: str) -> str:
    return FIGURE.sub("_ ms", line)


def test_the_output_on_the_page_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in console_blocks():
        for words, shown in calls(block):
            said = said_by(words, tmp_path.resolve())
            # A long plan is shown by its beginning.
            said = said[: len(shown)] if "plan" in words else said
            assert said == [masked(line) for line in shown], words


def options_by_verb() -> dict[str, set[str]]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: {parameter.opts[0] for parameter in command.params if isinstance(parameter, TyperOption)}
        for name, command in group.commands.items()
    }


def section(heading: str) -> str:
    found = re.search(
        rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)",
        COMMANDS.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found
    return found[1]


def test_every_verb_and_every_option_is_listed_with_those_that_take_it() -> None:
    offered = options_by_verb()
    text = section("`sprint migrate`")
    assert re.findall(r"^\| `(\w+)(?: NAME)?` \|", text, re.MULTILINE) == list(offered)
    listed = {
        option: set(re.findall(r"`(\w+)`", of)) if of.strip() != "all" else set(offered)
        for option, of in re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \|", text, re.MULTILINE)
    }
    every = {option for options in offered.values() for option in options}
    assert listed == {option: {verb for verb, has in offered.items() if option in has} for option in every}


def test_every_finding_has_its_row() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## What is refused")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(get_args(Kind))


def test_the_figures_on_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"`--wait` ({LOCK_WAIT_S:g} s)" in text
    assert f"at most {STATEMENT_LOCK_WAIT_S:g} s for a table that somebody else has" in text
