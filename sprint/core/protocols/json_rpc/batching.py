"""How many calls are asked in one request: as many as there are, until the node refuses that.

Bitcoin Core takes batches of any length. Proxies and providers before nodes may take few calls at once, or
none but single ones, and say so in one of many ways: by an HTTP status, by one answer in the place of many,
by fewer answers than calls. Each is taken for a refusal once: what was asked is asked again in smaller
requests, and if that is refused as well the refusal was of the calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.protocols.json_rpc.calls import (
    Answer,
    Call,
    Failure,
    Refused,
    decode_batch,
    decode_single,
    encode_batch,
    encode_single,
    short,
)
from sprint.core.protocols.json_rpc.refusals import HTTP_FORBIDDEN, HTTP_OK, MAY_CARRY_JSON

BATCH_CALLS_MAX = 2_000  # more than any job asks at once
SMALL_BATCH_CALLS_MAX = 20  # what is tried once more where a larger batch was refused
# A node that keeps a login to a list of calls refuses a whole batch with 403 for one call in it.
_OF_A_BATCH = (400, HTTP_FORBIDDEN, 405, 413, 415, 422, 500, 501)


class Batching:
    """One session's. `calls_max` is how many calls a request may have; at 1 it is no batch."""

    def __init__(self) -> None:
        self.calls_max = BATCH_CALLS_MAX
        self.refusal = ""

    def __repr__(self) -> str:
        return f"Batching({self.calls_max})"

    @property
    def single(self) -> bool:
        return self.calls_max == 1

    @property
    def note(self) -> str:
        """What to know of a node that refused a batch; empty of one that did not."""
        if not self.refusal:
            return ""
        how = "each call is asked alone" if self.single else f"at most {self.calls_max} are asked at once"
        return f"it refuses batches of calls ({self.refusal}): {how}, which is slower"

    def encode(self, calls: Sequence[Call], first_id: int) -> bytes:
        """Write a request of at most `calls_max` calls."""
        return encode_single(calls[0], first_id) if self.single else encode_batch(calls, first_id)

    def decode(
        self, status: int, body: bytes, first_id: int, calls: Sequence[Call]
    ) -> tuple[Answer, ...] | Refused:
        """Read the answers to a request; `Refused` where one stands for all, by its HTTP status or in JSON.

        WireError where it is no JSON-RPC.
        """
        if not carries_json(status, body):
            if status == HTTP_FORBIDDEN and len(calls) == 1 and not calls[0].needed:
                return (Failure(HTTP_FORBIDDEN, "forbidden"),)
            return Refused(f"HTTP status {status}", status)
        if self.single:
            return (decode_single(body, first_id),)
        return decode_batch(body, first_id, len(calls))

    def ask_fewer(self, refused: Refused, count: int) -> bool:
        """Take a refusal of `count` calls for one of their number; False where it was of the calls."""
        of_a_batch = refused.status == 0 or refused.status in _OF_A_BATCH
        if self.single or not of_a_batch or (refused.status == HTTP_FORBIDDEN and count == 1):
            return False
        self.calls_max = SMALL_BATCH_CALLS_MAX if count > SMALL_BATCH_CALLS_MAX else 1
        self.refusal = short(refused.reason)
        return True


def carries_json(status: int, body: bytes) -> bool:
    """Tell whether an answer is to be read, whatever its status."""
    return status == HTTP_OK or (status in MAY_CARRY_JSON and body.lstrip()[:1] in (b"{", b"["))
