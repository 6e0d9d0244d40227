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

KILLS = 2
KILLS_SOAK = 100
LINES_MAX = 60
POSTS_MAX = 12
CALM_S_MAX = 60.0


class Lives:
    """One desk after the other on the same file, and what they said."""

    def __init__(self, folder: Path, receiver: HttpReceiver, seed: int) -> None:
        self.random = random.Random(seed)
        self.file, self.receiver = folder / "alerts.sqlite", receiver
        self.lines: list[dict[str, Any]] = []

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


def lost_in(lives: Lives) -> list[str]:
    """Return what was said to be on disk and had to be sent, and was not or never arrived."""
    received = lives.receiver.alerts()
    came, known = {(each["id"], each["number"]) for each in received}, {each["id"] for each in received}
    ended = {each["id"] for each in received if each["change"] == "resolved"}
    kept = [line["kept"] for line in lives.lines if "kept" in line]
    unheard = [each for each in kept if each["id"] not in known and not each["silenced"]]
    never_sent = [each for each in unheard if each["change"] == "raised"]
    lost = [each for each in kept if any((each["id"], number) not in came for number in each["sent"])]
    no_end = [{"id": alert_id, "change": "resolved"} for alert_id in known - ended]
    return [f"{each['id']}: {each['change']}" for each in (*never_sent, *lost, *no_end)]


def repeated_in(lives: Lives) -> list[str]:
    """Return what came again from a process that had sent it already."""
    bodies = [json.loads(body) for _, body in lives.receiver.received.all()]
    counts = Counter(
        (body["process"], f"{each['id']} #{each['number']}") for body in bodies for each in body["alerts"]
    )
    return [name for (_, name), count in counts.items() if count > 1]


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
    assert repeated_in(lives) == []
    assert forgotten_in(lives) == []
    assert len(received) > len(unique), "half of the kills cut a confirmation off"
    if kills >= KILLS_SOAK:
        assert words["acknowledged"] > kills
        assert words["silenced"] > kills


def test_no_alert_is_lost_by_kills_and_none_is_repeated_but_by_them(tmp_path: Path, seed: int) -> None:
    killed(tmp_path, seed, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_no_alert_is_lost_by_a_hundred_kills(tmp_path: Path, seed: int) -> None:
    killed(tmp_path, seed, KILLS_SOAK)
