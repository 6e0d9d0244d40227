"""The sources that only announce, as a ZMQ publisher does: they serve nothing, so nothing is asked of them.

One that says nothing while the head moves on by what others say is told of: a node may take the options that
make it a publisher and yet have none built in. One that names hashes without end that nobody has makes work
for all others, so these are asked about it less often.
"""

from __future__ import annotations

from collections.abc import Iterator

from sprint.core.model import SourceStatusData

SILENT_HEADS_MAX = 3  # heads that came by others' word, and
SILENT_S_MAX = 30.0  # a time that must both have passed: a catch-up moves the head often in no time
UNBACKED_MAX = 64  # questions to others in a row that led to no block of a source's, and then
UNBACKED_EVERY_S = 1.0  # one in this time: it may be ahead of all others, so it is not shut out for that


class _Silence:
    """How long a source has said nothing."""

    __slots__ = ("heads", "since", "told")

    def __init__(self, since: float) -> None:
        self.since = since
        self.heads = 0
        self.told = False


class _Questions:
    """What others were asked on a source's account."""

    __slots__ = ("asked_at", "unbacked")

    def __init__(self) -> None:
        self.unbacked = 0
        self.asked_at = 0.0


class Announcers:
    """The ready sources that only announce, by name."""

    def __init__(self) -> None:
        self._silences: dict[str, _Silence] = {}
        self._questions: dict[str, _Questions] = {}
        self._noted: list[SourceStatusData] = []
        self._heard: list[str] = []  # again, after it was told that they are silent

    def __repr__(self) -> str:
        return f"Announcers({', '.join(self._silences)})"

    def __len__(self) -> int:
        return len(self._silences)

    def __iter__(self) -> Iterator[str]:
        return iter(self._silences)

    def __contains__(self, source: str) -> bool:
        return source in self._silences

    def ready(self, source: str, now: float) -> None:
        self._silences[source] = _Silence(now)
        self._questions.setdefault(source, _Questions())

    def lost(self, source: str) -> bool:
        """Forget a source; tell whether it was one of these."""
        self._questions.pop(source, None)
        return self._silences.pop(source, None) is not None

    def may_ask(self, source: str, now: float) -> bool:
        """Tell whether others may be asked about what a source has told, and count it where they may."""
        questions = self._questions.get(source)
        if questions is None:
            return True
        if questions.unbacked >= UNBACKED_MAX and now < questions.asked_at + UNBACKED_EVERY_S:
            return False
        questions.unbacked += 1
        questions.asked_at = now
        return True

    def backed(self, source: str) -> None:
        """Note that a block is in the tree that a source has told of."""
        questions = self._questions.get(source)
        if questions is not None:
            questions.unbacked = 0

    def heard(self, source: str, now: float) -> None:
        """Note that a source has said something, if it is one of these."""
        silence = self._silences.get(source)
        if silence is None:
            return
        if silence.told:
            self._heard.append(source)
        self.ready(source, now)

    def note(self, source: str, reason: str) -> None:
        """Take what others say of a source that cannot be heard; it is told with what is told next."""
        self._noted.append(SourceStatusData(source, "demoted", reason))

    def head_moved(self) -> None:
        for silence in self._silences.values():
            silence.heads += 1

    def check(self, now: float) -> list[SourceStatusData]:
        """Return what is to be told: who has been silent for too long, who is heard again."""
        told = [SourceStatusData(source, "re-admitted", "it is heard again") for source in self._heard]
        told += self._noted
        self._heard.clear()
        self._noted.clear()
        for source, silence in self._silences.items():
            for_s = now - silence.since
            if silence.told or silence.heads < SILENT_HEADS_MAX or for_s < SILENT_S_MAX:
                continue
            silence.told = True
            reason = (
                f"not a word for {for_s:.0f} s in which the head moved {silence.heads} times: "
                "a node that was asked for ZMQ but has none?"
            )
            told.append(SourceStatusData(source, "demoted", reason))
        return told
