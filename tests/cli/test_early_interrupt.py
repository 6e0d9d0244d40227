"""Ctrl-C at any moment of a command's start ends it with 130 and without a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from sprint.cli.early_interrupt import end_quietly_when_interrupted, give_back
from sprint.cli.exits import INTERRUPTED, errors_end_the_command

# Stands still within the imports of a command, and says so.
AMID_IMPORTS = """
import sys
class Halt:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            print("amid", flush=True)
            sys.stdin.read()
sys.meta_path.insert(0, Halt())
sys.orig_argv = ["python", "sprint", "relay"]
import sprint.cli.main
"""
WAIT_S = 20.0


def test_an_interrupt_amid_the_imports_ends_quietly_with_130() -> None:
    """It had left a traceback of the imports."""
    with subprocess.Popen(
        [sys.executable, "-c", AMID_IMPORTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"amid\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_S)
    assert (process.returncode, said) == (INTERRUPTED, b"")


@pytest.mark.parametrize(
    "words",
    [
        ("python", "/somewhere/bin/sprint", "relay"),
        ("python", "-m", "sprint.cli.main", "relay"),
        ("/usr/bin/cb-chaos",),
    ],
)
def test_the_command_has_ctrl_c_to_itself_once_it_begins(words: tuple[str, ...]) -> None:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        end_quietly_when_interrupted(words)
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        with errors_end_the_command():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("words", [("python", "-m", "pytest"), ("python", "-c", "pass"), ("gunicorn",)])
def test_a_program_that_is_not_ours_keeps_its_ctrl_c(words: tuple[str, ...]) -> None:
    before = signal.getsignal(signal.SIGINT)
    end_quietly_when_interrupted(words)
    assert signal.getsignal(signal.SIGINT) is before
    give_back()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_another_has_set_stays() -> None:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        end_quietly_when_interrupted(("python", "sprint"))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
