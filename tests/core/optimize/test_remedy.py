"""Each refusal names what would permit it, for the value that was wanted."""

from __future__ import annotations

import errno

import msgspec
import pytest

from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.plan import IN_PROCESS, plan
from sprint.core.optimize.remedy import refusal, remedy

FACTS = msgspec.structs.replace(
    HostFacts(), memory_total_bytes=1 << 30, numa_nodes={0: (0,), 1: (1,)}, realtime_runtime_us=950_000
)


@pytest.mark.parametrize("key", sorted(
    {each.key for each in plan(LEVELS["turbo"].fields, FACTS)}
    - (IN_PROCESS - {"memory_lock"}) - {"huge_pages", "malloc_arenas"}
))  # fmt: skip
def test_a_refused_setting_has_the_lines_of_systemd_and_docker(key: str) -> None:
    (wanted,) = (each.value for each in plan(LEVELS["turbo"].fields, FACTS) if each.key == key)
    said = remedy(key, errno.EPERM, wanted)
    assert "systemd: " in said
    assert "docker: " in said
    assert "{" not in said


def test_another_users_process_was_to_be_permitted_by_a_limit_that_does_not_permit_it() -> None:
    """setpriority(2): EPERM is whose process it is, EACCES what RLIMIT_NICE is for."""
    assert "to be the same user" in remedy("nice", errno.EPERM, -5)
    assert "ulimit" not in remedy("nice", errno.EPERM, -5)


@pytest.mark.parametrize(("key", "value", "parts"), [
    ("scheduler", ("fifo reset-on-fork", 10), ("ulimit -r 10", "LimitRTPRIO=10", "rtprio=10")),
    ("memory_lock", ("all", 4097), ("ulimit -l 5", "LimitMEMLOCK=4097", "memlock=4097:4097")),
    ("nice", -10, ("ulimit -e 30", "LimitNICE=-10", "CAP_SYS_NICE", "nice=30")),
    ("sysctl:net.core.busy_poll", "50", ("sysctl -w net.core.busy_poll=50", "/etc/sysctl.d")),
    ("cpu_dma_latency", 0, ("--device /dev/cpu_dma_latency",)),
])  # fmt: skip
def test_the_figures_of_the_lines_are_those_that_were_wanted(
    key: str, value: str | int | tuple[str | int, ...], parts: tuple[str, ...]
) -> None:
    said = refusal(key, errno.EACCES, value)
    assert (said.errno, said.name) == (errno.EACCES, "EACCES")
    assert [part for part in parts if part not in said.remedy] == []


def test_the_timers_of_another_process_were_said_to_be_open_to_its_user() -> None:
    """They are not: proc(5), timerslack_ns."""
    said = remedy("timer_slack", errno.EPERM, 1)
    assert "or to be the same user" not in said
    assert "apply -- COMMAND" in said


def test_what_no_permission_would_help_says_so() -> None:
    assert "built without it" in remedy("scheduler", errno.ENOSYS)
    assert "has ended" in remedy("nice", errno.ESRCH)
    assert "cpuset" in remedy("cpu_affinity", errno.EINVAL)
    assert "read-only" in remedy("sysctl:vm.swappiness", errno.EROFS)


def test_an_errno_without_a_name_is_its_number() -> None:
    assert refusal("nice", 4_095).name == "4095"
