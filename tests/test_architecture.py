"""Rules of the tree that linters don't hold: sizes, names, words, what core may touch, what start costs."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
DOCSTRING_FROM_LINES = 15
COMMAND_TIMEOUT_S = 60.0

# Written in parts, so that this file is not its own first finding.
LEFT_OVER_WORDS = tuple(
    head + tail
    for head, tail in (
        ("TO", "DO"),
        ("FIX", "ME"),
        ("X", "XX"),
        ("no", "qa"),
        ("pragma: no ", "cover"),
        ("NotImplemented", "Error"),
    )
)
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "enterprise"}
CORE_FORBIDDEN_MODULES = {
    "asyncio", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select",
    "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading",
    "time", "urllib.request", "uuid",
}  # fmt: skip
# `hash` among them: that of a str differs from run to run, so nothing kept or replayed may rest on it.
CORE_FORBIDDEN_CALLS = {"open", "print", "input", "eval", "exec", "breakpoint", "hash"}
CORE_CLOCK_CALLS = {".now", ".utcnow", ".today"}
HEAVY_MODULES = ("httpx", "msgspec", "numba", "rich", "textual")


class Function(NamedTuple):
    name: str
    line: int
    length: int


class Reading(NamedTuple):
    """What the rules look at of one file. The trees themselves would take a gigabyte."""

    path: Path
    text: str
    has_docstring: bool
    functions: list[Function]
    classes: list[tuple[int, str]]
    imports: list[tuple[int, str]]
    calls: list[tuple[int, str]]  # a method's name has its dot before it


def python_files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def place(path: Path, line: int | None = None) -> str:
    where = str(path.relative_to(ROOT))
    return where if line is None else f"{where}:{line}"


@functools.cache
def readings(*folders: str) -> tuple[Reading, ...]:
    return tuple(reading_of(path) for path in python_files(*folders))


@functools.cache
def reading_of(path: Path) -> Reading:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, str(path))
    found = Reading(path, text, bool(ast.get_docstring(tree)), [], [], [], [])
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                length = (node.end_lineno or 0) - node.lineno + 1
                found.functions.append(Function(node.name, node.lineno, length))
            case ast.ClassDef():
                found.classes.append((node.lineno, node.name))
            case ast.Import():
                found.imports.extend((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                found.imports.append((node.lineno, node.module or ""))
            case ast.Call(func=ast.Name(id=name)):
                found.calls.append((node.lineno, name))
            case ast.Call(func=ast.Attribute(attr=name)):
                found.calls.append((node.lineno, f".{name}"))
    return found


def test_there_is_something_to_check() -> None:
    assert len(readings("sprint/core")) > 5
    assert len(readings("tests")) > 5


def test_no_file_is_longer_than_its_limit() -> None:
    lengths = {each.path: len(each.text.splitlines()) for each in readings("sprint", "tests")}
    assert [f"{place(path)}: {n}" for path, n in lengths.items() if n > FILE_LINES_MAX] == []


def test_no_function_is_longer_than_its_limit() -> None:
    found = [
        f"{place(each.path, function.line)} {function.name}: {function.length}"
        for each in readings("sprint", "tests")
        if "kernels" not in each.path.parts
        for function in each.functions
        if function.length > FUNCTION_LINES_MAX
    ]
    assert found == []


def test_every_module_of_some_length_says_what_it_is_for() -> None:
    found = [
        place(each.path)
        for each in readings("sprint", "tests")
        if len(each.text.splitlines()) > DOCSTRING_FROM_LINES and not each.has_docstring
    ]
    assert found == []


@pytest.mark.parametrize("word", LEFT_OVER_WORDS)
def test_nothing_is_left_for_later_or_hidden_from_a_check(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}\b")
    texts = {each.path: each.text for each in readings("sprint", "tests")}
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    texts |= {path: path.read_text(encoding="utf-8") for path in scripts}
    found = [
        place(path, text.count("\n", 0, match.start()) + 1)
        for path, text in texts.items()
        if word in text
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_names_say_what_a_module_or_class_is() -> None:
    files = [
        place(path) for path in python_files("sprint", "tests") if EMPTY_NAMES & {path.parent.name, path.stem}
    ]
    classes = [
        place(each.path, line)
        for each in readings("sprint", "tests")
        for line, name in each.classes
        if name.endswith(("Manager", "Helper", "Util", "Utils"))
    ]
    assert files + classes == []


def test_core_imports_nothing_that_does() -> None:
    found = [
        f"{place(each.path, line)} {module}"
        for each in readings("sprint/core")
        for line, module in each.imports
        if {module, module.split(".")[0]} & CORE_FORBIDDEN_MODULES
    ]
    assert found == []


def test_core_opens_prints_and_asks_the_clock_for_nothing() -> None:
    found = [
        f"{place(each.path, line)} {called}"
        for each in readings("sprint/core")
        for line, called in each.calls
        if called in CORE_FORBIDDEN_CALLS or called in CORE_CLOCK_CALLS
    ]
    assert found == []


def test_the_reading_of_a_file_sees_what_the_rules_forbid(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        "import os.path\nfrom time import sleep\nclass RelayManager:\n"
        "    async def work(self):\n        open('x')\n        datetime.now().isoformat()\n"
    )
    assert reading_of(path)[2:] == (
        False,
        [Function("work", 4, 3)],
        [(3, "RelayManager")],
        [(1, "os.path"), (2, "time")],
        [(5, "open"), (6, ".isoformat"), (6, ".now")],
    )


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(linter)], cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout


def heavy_modules_after(statement: str) -> list[str]:
    program = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit as left:\n    assert not left.code\n"
        f"print('loaded:', *[name for name in {HEAVY_MODULES!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True,
    )  # fmt: skip
    return done.stdout.rpartition("loaded:")[2].split()


def test_help_loads_nothing_heavy() -> None:
    assert heavy_modules_after("from sprint.cli.main import run; run()") == []


def test_importing_sprint_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import sprint") == []


def test_the_check_for_heavy_modules_sees_one() -> None:
    assert heavy_modules_after("import msgspec") == ["msgspec"]
