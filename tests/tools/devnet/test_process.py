"""A devnet node as a process of its own: what cannot be is said in words, without a traceback."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "sprint.tools.devnet", "--chain", "litecoin-regtest"]


def run(*arguments: str, lines: str | None = None) -> subprocess.CompletedProcess[str]:
    given = {"stdin": subprocess.DEVNULL} if lines is None else {"input": lines}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=30, **given
    )


def test_words_that_are_no_number_and_no_hash_are_named() -> None:
    asked = {
        "mine x": "'x' is no whole number",
        "reorg 1.5": "'1.5' is no whole number",
        "fault stall x": "'x' is no whole number",
        "fault stall 601": "the amount is 1 to 600",
        "invalidate zz": "'zz' is no hash; want 64 digits of hex",
    }
    done = run(lines="\n".join(asked) + "\nquit\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()[1:]]
    assert len(answers) == len(asked)
    for answer, said in zip(answers, asked.values(), strict=True):
        assert said in answer["error"]


@pytest.mark.parametrize("option", ["--port", "--rpc-port", "--zmq-port", "--control-port"])
def test_a_port_that_there_is_not_ended_in_a_traceback(option: str) -> None:
    done = run(option, "99999", lines="quit\n")
    assert done.returncode == 2
    assert f"argument {option}: '99999', want 0 to 65535" in done.stderr


@pytest.mark.parametrize("interval_ms", ["nan", "-1", "5", "1e400"])
def test_a_pace_that_cannot_be_was_taken_without_a_word(interval_ms: str) -> None:
    done = run("--interval-ms", interval_ms, lines="quit\n")
    assert (done.returncode, done.stdout) == (3, "")
    assert "want 0, which mines only when told, or 0.01 to 3600 s" in done.stderr


def test_an_input_that_was_closed_ended_in_a_traceback() -> None:
    command = f"exec {shlex.join(COMMAND)} <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 3
    assert done.stderr.startswith("standard input is no pipe")


def test_an_input_that_cannot_be_waited_for_ended_in_a_traceback() -> None:
    done = run()
    assert done.returncode == 3
    assert "standard input is no pipe" in done.stderr
    assert "Traceback" not in done.stderr
