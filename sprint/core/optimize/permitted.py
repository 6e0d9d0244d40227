"""What a host would refuse, known from its facts before anything is tried.

A guess where a status is asked for and nothing may be changed: only what was tried and read back is called
applied or denied for certain.
"""

from __future__ import annotations

import errno

from sprint.core.optimize.host import UNLIMITED, HostFacts
from sprint.core.optimize.plan import lock_is_covered
from sprint.core.optimize.remedy import refusal
from sprint.core.optimize.setting import Refusal, Setting

NICE_LIMIT_BASE = 20  # RLIMIT_NICE is 20 minus the lowest nice value, setrlimit(2)
ROOT = 0


def refused_beforehand(setting: Setting, facts: HostFacts) -> Refusal | None:
    """Return why a setting would be refused, None where nothing speaks against it."""
    if setting.unsupported or _is_permitted(setting, facts):
        return None
    return refusal(setting.key, errno.EACCES if setting.scope == "host" else errno.EPERM, setting.value)


def _is_permitted(setting: Setting, facts: HostFacts) -> bool:
    value = setting.value
    last = value[-1] if isinstance(value, tuple) and value else value
    number = last if isinstance(last, int) else 0
    match setting.key:
        case "scheduler":
            return facts.may("sys_nice") or _covers(facts, "rtprio", number)
        case "memory_lock":
            limit = facts.limits.get("memlock", (0, 0))[0]
            return lock_is_covered(limit, may_lock=facts.may("ipc_lock"), bytes_most=number)
        case "nice":
            return facts.may("sys_nice") or number >= 0 or _covers(facts, "nice", NICE_LIMIT_BASE - number)
        case _:
            return setting.scope != "host" or facts.user == ROOT


def _covers(facts: HostFacts, name: str, wanted: int) -> bool:
    soft = facts.limits.get(name, (0, 0))[0]
    return soft == UNLIMITED or soft >= wanted
