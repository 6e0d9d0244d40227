"""What a header's place decides: its least and latest time, its target, its version, its pinned hash.

The reference is Bitcoin Core's `ContextualCheckBlockHeader` and its namesakes in Litecoin Core and
Dogecoin Core. A header's own proof was checked before.
"""

from __future__ import annotations

from sprint.core.chains import Header, display_hash
from sprint.core.chains.bitcoin_family.ancestry import Ancestry, median_time, median_time_min
from sprint.core.chains.bitcoin_family.auxpow import AUXPOW_VERSION_FLAG
from sprint.core.chains.bitcoin_family.difficulty import permitted_targets, required_bits
from sprint.core.chains.bitcoin_family.parameters import AuxpowRules, NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import target_of
from sprint.core.errors import RuleError

FUTURE_TIME_MAX_S = 2 * 60 * 60
_BASE_VERSIONS = 256  # of a version that also states a merged-mining chain's id
_LATEST_LEAST_VERSION = 4
_VERSION_BITS_MIN = 0x2000_0000  # BIP 9's top bits, 001, and nothing else set


def check_ancestry(
    parameters: NetworkParameters, ancestry: Ancestry, header: Header, unix_time: float
) -> None:
    """Check a header against its parent's ancestry and the network's time, in Unix seconds.

    RuleError if it is refused; with `early` where only its time is ahead of ours.
    """
    height = ancestry.height + 1
    _check_pinned(parameters, header, height)
    _check_version(parameters, int.from_bytes(header.raw[:4], "little", signed=True), height)
    _check_difficulty(parameters, ancestry, header)
    _check_median_time(ancestry, header)
    _check_time_warp(parameters, ancestry, header)
    _check_future_time(header, unix_time)


def ancestry_checks(parameters: NetworkParameters, ancestry: Ancestry) -> tuple[str, ...]:
    """Name the checks that `check_ancestry` could make on this ancestry, whatever the header.

    `difficulty` and `median_time` are left out where a header could only be held within bounds.
    """
    checks = ["version", "future_time"]
    if ancestry.height + 1 in parameters.pinned:
        checks.insert(0, "checkpoint")
    # A late header's target, where testnets make an exception for it, is known whenever any other's is.
    if required_bits(parameters, ancestry, timestamp=0) is not None:
        checks.append("difficulty")
    if median_time(ancestry) is not None:
        checks.append("median_time")
    if ancestry.times and _begins_guarded_period(parameters, ancestry.height + 1):
        checks.append("time_warp")
    return tuple(checks)


def _check_pinned(parameters: NetworkParameters, header: Header, height: int) -> None:
    wanted = parameters.pinned.get(height)
    if wanted is not None and header.hash != wanted:
        raise RuleError(
            "checkpoint",
            f"header {display_hash(header.hash)} at height {height}, pinned is {display_hash(wanted)}",
        )


def _check_version(parameters: NetworkParameters, version: int, height: int) -> None:
    """BIPs 34, 66 and 65 made versions below 2, 3 and 4 invalid; merged mining has bounds of its own.

    Litecoin Core takes none below BIP 9's from segwit on (its `ContextualCheckBlockHeader`).
    """
    if parameters.auxpow is not None:
        _check_merged_mining(parameters.auxpow, version, height)
        version = base_version(version)
    first = parameters.version_bits_height
    if first is not None and height >= first and version < _VERSION_BITS_MIN:
        raise RuleError(
            "version", f"version {version:#x} at height {height}, least is {_VERSION_BITS_MIN:#x}"
        )
    if version >= _LATEST_LEAST_VERSION:
        return
    for least, from_height in (
        (4, parameters.bip65_height),
        (3, parameters.bip66_height),
        (2, parameters.bip34_height),
    ):
        if version < least and height >= from_height:
            raise RuleError("version", f"version {version} at height {height}, least is {least}")


def _check_merged_mining(rules: AuxpowRules, version: int, height: int) -> None:
    """Merged mining wants a chain id from one height on and is not allowed below it.

    A version without one is 1, or 2 with nothing else set (Dogecoin Core's `IsLegacy`).
    """
    if height >= rules.height:
        if version in {1, 2}:
            raise RuleError(
                "version",
                f"version {version} without a chain id at height {height}, last {rules.height - 1}",
            )
    elif version & AUXPOW_VERSION_FLAG:
        raise RuleError(
            "version", f"version {version:#x} is merged mined at height {height}, first at {rules.height}"
        )


def base_version(version: int) -> int:
    """Return a version without chain id and flags; of a negative one the remainder is negative, as in C++."""
    return version % _BASE_VERSIONS if version >= 0 else -(-version % _BASE_VERSIONS)


def _check_difficulty(parameters: NetworkParameters, ancestry: Ancestry, header: Header) -> None:
    bits = int.from_bytes(header.raw[72:76], "little")
    wanted = required_bits(parameters, ancestry, header.timestamp)
    if wanted is not None:
        if bits != wanted:
            raise RuleError(
                "difficulty",
                f"compact target {bits:#010x} at height {ancestry.height + 1}, the rule gives {wanted:#010x}",
            )
        return
    permitted = permitted_targets(parameters, ancestry)
    if permitted is None:
        return
    hardest, easiest = permitted
    target = target_of(bits, parameters.target_limit)
    if not hardest <= target <= easiest:
        raise RuleError(
            "difficulty",
            f"target {target:#x} at height {ancestry.height + 1}, one step gives {hardest:#x}..{easiest:#x}",
        )


def _check_median_time(ancestry: Ancestry, header: Header) -> None:
    least = median_time_min(ancestry)
    if least is not None and header.timestamp <= least:
        raise RuleError(
            "median_time", f"time {header.timestamp}, the median of the headers below is {least} or later"
        )


def _check_time_warp(parameters: NetworkParameters, ancestry: Ancestry, header: Header) -> None:
    """BIP 94: the first header of a period is not much earlier than its parent."""
    rules = parameters.difficulty
    if rules is None or rules.time_warp_s is None or not ancestry.times:
        return
    least = ancestry.times[-1] - rules.time_warp_s
    if header.timestamp < least and _begins_guarded_period(parameters, ancestry.height + 1):
        raise RuleError(
            "time_warp",
            f"time {header.timestamp} of a period's first header, its parent's is {ancestry.times[-1]},"
            f" at most {rules.time_warp_s} s earlier is allowed",
        )


def _begins_guarded_period(parameters: NetworkParameters, height: int) -> bool:
    rules = parameters.difficulty
    return rules is not None and rules.time_warp_s is not None and height % rules.era_at(height).blocks == 0


def _check_future_time(header: Header, unix_time: float) -> None:
    if header.timestamp > unix_time + FUTURE_TIME_MAX_S:
        raise RuleError(
            "future_time",
            f"time {header.timestamp}, ours is {int(unix_time)}: more than {FUTURE_TIME_MAX_S} s ahead."
            " It may be valid later; if many sources say so, this machine's clock may be wrong",
            early=True,
        )
