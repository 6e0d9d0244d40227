"""The REST answers of a relay as typed records, and its problems as errors of the one tree.

Fields that a newer relay adds are ignored. A chain's status and the relay's health are reports whose parts
grow with the relay; they stay plain mappings.
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from sprint.core.errors import ClientError, CursorExpired, CursorForeign, CursorUnknown, SprintError
from sprint.core.model import BlockData

API = "/api/v1"
ANSWER_SIZE_MAX = 16 * 1024 * 1024
_TEXT_SHOWN_MAX = 200

Json = dict[str, Any]


class BlockAnswer(BlockData, frozen=True, kw_only=True):
    """A block: its event's data, its place in the log, and where it stands now.

    `confirmations` counts the block itself; 0 where it is not on the best branch.
    """

    chain: str
    seq: int
    cursor: str
    canonical: bool
    confirmations: int


class ChainAnswer(msgspec.Struct, frozen=True):
    """A chain that the relay serves. `height` and `hash` are its head's, None before there is one."""

    chain: str
    name: str
    network: str
    aliases: tuple[str, ...]
    status: str
    height: int | None = None
    hash: str | None = None


class ChainsAnswer(msgspec.Struct, frozen=True):
    chains: tuple[ChainAnswer, ...]


class VersionAnswer(msgspec.Struct, frozen=True):
    version: str


class ProblemAnswer(msgspec.Struct, frozen=True):
    """An RFC 9457 problem."""

    status: int = 0
    type: str = ""
    title: str = ""
    detail: str = ""
    advice: str = ""
    earliest: str = ""

    @property
    def code(self) -> str:
        """The stable code: what follows `/problems/`, or `http_404` and the like from a stranger."""
        name = self.type.rpartition("/problems/")[2] if "/problems/" in self.type else ""
        return name or f"http_{self.status}"

    def __str__(self) -> str:
        return ": ".join(
            part for part in (f"{self.status} {self.code}", self.title, self.detail, self.advice) if part
        )


Answer = TypeVar("Answer")


def chain_path(chain: str, *rest: str) -> str:
    """Return the path of one chain's resource; every part is quoted."""
    return "/".join((API, *(quote(part, safe="") for part in (chain, *rest))))


def parse_problem(status: int, body: bytes) -> ProblemAnswer:
    """Read a problem; where the body is none, one that shows its beginning."""
    try:
        problem = msgspec.json.decode(body, type=ProblemAnswer)
    except (msgspec.DecodeError, UnicodeError):
        text = body[:_TEXT_SHOWN_MAX].decode("utf-8", "replace").strip()
        return ProblemAnswer(status=status, detail=text)
    return msgspec.structs.replace(problem, status=status)


def error_of(problem: ProblemAnswer) -> SprintError:
    """Return the error that a problem stands for."""
    if problem.code == CursorExpired.code:
        return CursorExpired(str(problem), earliest=problem.earliest)
    if problem.code == CursorForeign.code:
        return CursorForeign(str(problem))
    if problem.code == CursorUnknown.code:
        return CursorUnknown(str(problem))
    return ClientError(str(problem), code=problem.code)


def read_answer(kind: type[Answer], status: int, body: bytes, url: str) -> Answer:
    """Decode an answer's body, or raise what its problem stands for."""
    if status != 200:
        raise error_of(parse_problem(status, body))
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ClientError(
            f"{url}: the answer is not what a relay gives: {error}", code="bad_answer"
        ) from error
