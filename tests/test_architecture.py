"""Rules of the tree that linters don't hold: sizes, names, words, what core may touch, what start costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
CORE_CLOCK_CALLS = {"now", "utcnow", "today"}
HEAVY_MODULES = ("httpx", "msgspec", "numba", "rich", "textual")


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


def parsed(*folders: str) -> Iterator[tuple[Path, str, ast.Module]]:
    for path in python_files(*folders):
        text = path.read_text(encoding="utf-8")
        yield path, text, ast.parse(text, str(path))


def test_there_is_something_to_check() -> None:
    assert len(python_files("sprint/core")) > 5
    assert len(python_files("tests")) > 5


def test_no_file_is_longer_than_its_limit() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files("sprint", "tests")
    }
    assert [f"{place(path)}: {n}" for path, n in lengths.items() if n > FILE_LINES_MAX] == []


def test_no_function_is_longer_than_its_limit() -> None:
    found = [
        f"{place(path, node.lineno)} {node.name}: {(node.end_lineno or 0) - node.lineno + 1}"
        for path, _, tree in parsed("sprint", "tests")
        if "kernels" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert found == []


def test_every_module_of_some_length_says_what_it_is_for() -> None:
    found = [
        place(path)
        for path, text, tree in parsed("sprint", "tests")
        if len(text.splitlines()) > DOCSTRING_FROM_LINES and not ast.get_docstring(tree)
    ]
    assert found == []


@pytest.mark.parametrize("word", LEFT_OVER_WORDS)
def test_nothing_is_left_for_later_or_hidden_from_a_check(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}\b")
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    found = [
        place(path, number)
        for path in [*python_files("sprint", "tests"), *scripts]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_names_say_what_a_module_or_class_is() -> None:
    files = [
        place(path) for path in python_files("sprint", "tests") if EMPTY_NAMES & {path.parent.name, path.stem}
    ]
    classes = [
        place(path, node.lineno)
        for path, _, tree in parsed("sprint", "tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Util", "Utils"))
    ]
    assert files + classes == []


def imported_modules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_core_imports_nothing_that_does() -> None:
    found = [
        f"{place(path, line)} {module}"
        for path, _, tree in parsed("sprint/core")
        for line, module in imported_modules(tree)
        if {module, module.split(".")[0]} & CORE_FORBIDDEN_MODULES
    ]
    assert found == []


def test_core_opens_prints_and_asks_the_clock_for_nothing() -> None:
    found = []
    for path, _, tree in parsed("sprint/core"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            by_name = isinstance(called, ast.Name) and called.id in CORE_FORBIDDEN_CALLS
            by_clock = isinstance(called, ast.Attribute) and called.attr in CORE_CLOCK_CALLS
            if by_name or by_clock:
                found.append(f"{place(path, node.lineno)} {ast.unparse(called)}")
    assert found == []


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
