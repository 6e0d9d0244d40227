"""Limits and times of a conversation over JSON-RPC."""

from __future__ import annotations

import msgspec


class RpcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and times of a session.

    `wait_s` is how long one call waits for a new tip. It takes one of the node's few threads for RPC: where a
    request for headers gets no answer for `starved_s` meanwhile, waiting is given up, at first for
    `starved_again_s_first` and each time for twice as long, up to `starved_again_s_max`. Where a node cannot
    wait it is asked once per `poll_interval_share` of the time between its blocks, within
    `poll_interval_s_min` and `_max`.
    `tip_interval_s_min`: a node that tells of tips faster than this is asked no faster. `headers_max` and
    `bodies_max` are per request, and of bodies about `bodies_size_wanted` bytes. `answer_overhead_size` is
    what JSON may have beside the hex of a block. `busy_wait_s_first` doubles with each refusal up to
    `busy_wait_s_max`; `busy_max` of them, or `lost_max` connections over one request, close the session.
    """

    answer_timeout_s: float = 30.0
    wait_s: float = 10.0
    starved_s: float = 3.0
    starved_again_s_first: float = 60.0
    starved_again_s_max: float = 3_600.0
    poll_interval_share: float = 0.7
    poll_interval_s_min: float = 0.1
    poll_interval_s_max: float = 1.0
    tip_interval_s_min: float = 0.005
    busy_wait_s_first: float = 0.5
    busy_wait_s_max: float = 10.0
    busy_max: int = 6
    lost_max: int = 2
    headers_max: int = 1_000
    headers_max_with_auxpow: int = 500
    bodies_max: int = 8
    bodies_size_wanted: int = 500_000
    bodies_waiting_max: int = 1_024
    answer_overhead_size: int = 65_536
    score_max: int = 100
