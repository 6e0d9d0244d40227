"""Where a block is on its way: times taken at the edges between the pipeline's calls.

Stages, in order: read, framed, admitted, proved, settled, encoded, logged, handed_over. An observer is told
of each as it is reached; the relay's own one keeps histograms, and a test can take its place.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Histogram

Stage = Literal["read", "framed", "admitted", "proved", "settled", "encoded", "logged", "handed_over"]
STAGES: tuple[Stage, ...] = (
    "read",
    "framed",
    "admitted",
    "proved",
    "settled",
    "encoded",
    "logged",
    "handed_over",
)
BLOCKS_OBSERVED_MAX = 256
STAGE_BOUNDS_S = tuple(1e-5 * 2**n for n in range(20))
WHOLE_WAY = "relay"  # how the way through all stages is called among them


class StageObserver(Protocol):
    """Is told when a block reaches a stage. `block` is empty while bytes are read and not yet framed."""

    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None: ...


class StageTimes:
    """Keeps a histogram of the time to each stage from the one before, and of the whole way."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._last: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._stage = Histogram(
            "sprint_stage_seconds",
            "Time a block took to a stage from the stage before",
            ("chain", "stage"),
            buckets=STAGE_BOUNDS_S,
            registry=registry,
        )
        # Looking a child up by its labels takes as long as counting in it.
        self._stages: dict[tuple[str, Stage], Histogram] = {}
        self._whole = Histogram(
            "sprint_relay_seconds",
            "Time from reading a block's last byte to handing its event over",
            ("chain",),
            buckets=STAGE_BOUNDS_S,
            registry=registry,
        )

    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        if not block:
            return
        first, before = self._last.get(block, (at, at))
        if stage == "read":
            first = before = at
        else:
            child = self._stages.get((chain, stage))
            if child is None:
                child = self._stages[chain, stage] = self._stage.labels(chain, stage)
            child.observe(at - before)
        self._last[block] = (first, at)
        if stage == "handed_over":
            self._whole.labels(chain).observe(at - first)
            del self._last[block]
        elif len(self._last) > BLOCKS_OBSERVED_MAX:
            self._last.popitem(last=False)

    def counts(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return by chain and stage how many took up to each bound from the one before, and beyond all."""
        up_to: dict[tuple[str, str], list[int]] = {}
        for histogram in (self._stage, self._whole):
            for sample in next(iter(histogram.collect())).samples:
                if sample.name.endswith("_bucket"):
                    key = (sample.labels["chain"], sample.labels.get("stage", WHOLE_WAY))
                    up_to.setdefault(key, [0]).append(int(sample.value))
        return {key: tuple(after - before for before, after in pairwise(each)) for key, each in up_to.items()}
