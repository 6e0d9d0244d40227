"""How bad things are in one seed."""

from __future__ import annotations

from random import Random

import msgspec

NO_CATCH_UP_LIMIT = 2016


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """Drawn from the seed. Probabilities are per frame or per body, counts are per run.

    `deep_reorgs` fork up to 12 blocks below a tip; `drops` make a node leave its branch for a lower block,
    as `invalidateblock` does, and then mine a longer one; `refused` are branches that begin with a block that
    breaks a rule, each time another one, or that has no body; `ahead` are blocks whose time is more than two
    hours ahead, which a node tells of at once and all others once it is not; `lighter` are chains that are
    true but have less work, which a node takes for its best. Honest clocks are up to `skew_s` ahead.
    `publishers` nodes have one that only announces; at a change of its tip it loses messages with a chance of
    `lost_messages`. `quorum` sources are waited for `quorum_wait_ms`, or for good if `quorum_strict`.
    `down_s_max` is how long the relay may stay down after a kill. A small
    `catch_up_blocks_max` turns what was missed meanwhile into a gap.
    """

    nodes: int
    loss: float
    duplicate: float
    delay_s: float
    lie: float
    cut: float
    kills: int
    down_s_max: float
    stalls: int
    deep_reorgs: int
    drops: int
    refused: int
    ahead: int
    lighter: int
    skew_s: int
    gossip_s: float
    withhold: float
    gap_after_s: float
    catch_up_blocks_max: int
    publishers: int
    lost_messages: float
    quorum: int
    quorum_wait_ms: int
    quorum_strict: bool

    @classmethod
    def draw(cls, rng: Random, more: Random) -> Weather:
        """Draw from `rng`, and from `more` what came later, so that seeds stayed what they were."""
        nodes = rng.randint(1, 4)
        quorum = more.choice((1, 1, 2, 3))
        return cls(
            publishers=min(nodes, more.choice((0, 0, 1, 2))),
            lost_messages=more.choice((0.0, 0.1, 0.3)),
            quorum=quorum,
            quorum_wait_ms=more.choice((50, 500, 5_000)),
            quorum_strict=more.choice((False, False, True)) and 1 < quorum <= nodes,
            nodes=nodes,
            loss=rng.choice((0.0, 0.0, 0.02, 0.1)),
            duplicate=rng.choice((0.0, 0.05, 0.3)),
            delay_s=rng.choice((0.001, 0.05, 0.5)),
            lie=rng.choice((0.0, 0.0, 0.1, 0.3)),
            cut=rng.choice((0.0, 0.0, 0.01)),
            kills=rng.choice((0, 0, 1, 2, 4)),
            down_s_max=rng.choice((0.0, 0.5, 30.0)),
            stalls=rng.choice((0, 0, 1, 3)),
            deep_reorgs=rng.choice((0, 0, 1, 2)),
            drops=rng.choice((0, 0, 1, 2)),
            refused=rng.choice((0, 1, 3, 6)),
            gossip_s=rng.choice((0.1, 3.0, 15.0)),
            withhold=rng.choice((0.0, 0.0, 0.0, 0.2)),
            gap_after_s=rng.choice((5.0, 60.0)),
            catch_up_blocks_max=rng.choice((NO_CATCH_UP_LIMIT, NO_CATCH_UP_LIMIT, 3, 8)),
            ahead=rng.choice((0, 0, 0, 1, 2)),
            lighter=rng.choice((0, 0, 1, 2)),
            skew_s=rng.choice((0, 0, 10, 1500)),
        )
