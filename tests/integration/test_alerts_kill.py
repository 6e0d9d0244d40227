"""kill -9 of a desk of alerts: none is lost, none comes twice but where the kill cut off a confirmation."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.tools.monitor.alert_receivers import HttpReceiver, http_receiver

KILLS = 4
KILLS_SOAK = 200
LINES_MAX = 60
POSTS_MAX = 12
CALM_S_MAX = 60.0
SENT = {"raised", "worsened", "acknowledged", "escalated"}


class Lives:
    """What the lives of a desk said, and how many of the received alerts were there at the end of each."""

    def __init__(self, folder: Path, receiver: HttpReceiver, seed: int) -> None:
        self.random = random.Random(seed)
        self.file, self.receiver = folder / "alerts.sqlite", receiver
        self.lines: list[dict[str, Any]] = []
        self.received_by: list[int] = []

    def live(self, *, in_a_post: bool) -> None:
        """Let one live, and kill it after some lines, or when a post is there and not confirmed yet."""
        with self._started() as process:
            assert process.stdout is not None
            if in_a_post:
                posts = iter(range(self.random.randint(1, POSTS_MAX), -1, -1))
                self.receiver.before_answer = lambda: process.kill() if next(posts, 0) == 0 else None
                said = process.stdout.read()
            else:
                lines = [process.stdout.readline() for _ in range(self.random.randint(2, LINES_MAX))]
                process.kill()
                said = b"".join(lines) + process.stdout.read()
            process.wait()
        self.receiver.before_answer = lambda: None
        self._take(said)

    def calm(self) -> None:
        """Let the last one end what there is."""
        with self._started("calm") as process:
            try:
                said, _ = process.communicate(timeout=CALM_S_MAX)
            finally:
                process.kill()
        self._take(said)
        assert self.lines[-1] == {"calm": True}

    def _started(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.killed_desk", str(self.file), self.receiver.url]
        seed = str(self.random.randrange(2**32))
        return subprocess.Popen([*command, seed, *options], stdout=subprocess.PIPE)

    def _take(self, said: bytes) -> None:
        """Take the whole lines; the last may be cut off."""
        self.lines += [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith(b"\n")]
        self.received_by.append(len(self.receiver.alerts()))


def lost_in(lives: Lives) -> list[str]:
    """Return what was said to be on disk, was not silenced, and never arrived."""
    received = lives.receiver.alerts()
    came, known = {(each["id"], each["number"]) for each in received}, {each["id"] for each in received}
    ended = {each["id"] for each in received if each["change"] == "resolved"}
    told = [line["told"] for line in lives.lines if "told" in line]
    lost = [
        f"{each['id']} #{each['number']} {each['change']}"
        for each in told
        if each["change"] in SENT and not each["silenced"] and (each["id"], each["number"]) not in came
        if each["change"] != "acknowledged" or each["id"] in known
    ]
    return [*lost, *(f"{alert_id}: no end" for alert_id in known - ended)]


def repeated_in(lives: Lives) -> list[int]:
    """Return for each life how many messages came again that the same life had sent."""
    received, first, repeats = lives.receiver.alerts(), 0, list[int]()
    for last in lives.received_by:
        counts = Counter((each["id"], each["number"]) for each in received[first:last])
        repeats.append(sum(count - 1 for count in counts.values()))
        first = last
    return repeats


def forgotten_in(lives: Lives) -> list[str]:
    """Return acknowledgements that a later life did not know of."""
    acknowledged, forgotten = set[str](), list[str]()
    for line in lives.lines:
        if "acknowledged" in line:
            acknowledged.add(line["acknowledged"])
        for alert in line.get("standing", ()):
            if alert["id"] in acknowledged and not alert["acknowledged_at"]:
                forgotten.append(alert["id"])
    return forgotten


def killed(folder: Path, seed: int, kills: int) -> None:
    with http_receiver() as receiver:
        lives = Lives(folder, receiver, seed)
        for number in range(kills):
            lives.live(in_a_post=number % 2 == 0)
        lives.calm()
        received = receiver.alerts()
    unique = {(each["id"], each["number"]) for each in received}
    words = Counter(next(iter(line)) for line in lives.lines)
    print(
        f"{kills} kills: {len(unique)} alerts arrived, {len(received) - len(unique)} of them again, where a "
        f"kill had cut off their confirmation; said on disk: {dict(words)}"
    )
    assert lost_in(lives) == []
    assert repeated_in(lives) == [0] * (kills + 1)
    assert forgotten_in(lives) == []
    assert len(received) > len(unique), "half of the kills cut a confirmation off"
    if kills >= KILLS_SOAK:
        assert words["acknowledged"] > kills
        assert words["silenced"] > kills


def test_no_alert_is_lost_by_kills_and_none_is_repeated_but_by_them(tmp_path: Path, seed: int) -> None:
    killed(tmp_path, seed, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_no_alert_is_lost_by_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    killed(tmp_path, seed, KILLS_SOAK)
