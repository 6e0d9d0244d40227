"""Texts of /proc as facts."""

from __future__ import annotations

import pytest

from sprint.core.errors import WireError
from sprint.core.optimize import host


def test_capabilities_are_named_by_their_bits() -> None:
    assert host.parse_capabilities("0000000000800000") == {"sys_nice"}
    assert host.parse_capabilities("0000000000004000") == {"ipc_lock"}
    everything = host.parse_capabilities("000001ffffffffff")
    assert everything == set(host.CAPABILITIES)
    assert len(everything) == 41
    with pytest.raises(WireError):
        host.parse_capabilities("none")


def test_limits_of_a_process() -> None:
    text = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max locked memory         8388608              unlimited            bytes     \n"
        "Max nice priority         0                    0                    \n"
        "Max realtime priority     10                   99                   \n"
        "Max realtime timeout      unlimited            unlimited            us        \n"
    )
    assert host.parse_limits(text) == {
        "memlock": (8_388_608, -1), "nice": (0, 0), "rtprio": (10, 99), "rttime": (-1, -1),
    }  # fmt: skip


def test_a_process_whose_name_has_brackets_and_spaces_began_when_it_did() -> None:
    rest = " ".join(["S", *["0"] * 18, "5882964", "0"])
    assert host.parse_started_ticks(f"12 (a) b) (c) {rest}\n") == 5_882_964
    with pytest.raises(WireError):
        host.parse_started_ticks("12 (sh) S 1")


def test_a_thread_of_the_kernels_own_is_told_from_a_program() -> None:
    kthreadd = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 3 0 0 20 0 1 0 24 0 0"
    shell = "12 (sh) S 1 12 12 34816 12 4194304 0 0 0 0 0 3 0 0 20 0 1 0 24 0 0"
    assert [host.parse_is_of_kernel(stat) for stat in (kthreadd, shell, "12 (sh) S 1")] == [
        True,
        False,
        False,
    ]


def test_the_chosen_word_of_huge_pages() -> None:
    assert host.parse_huge_pages_mode("always [madvise] never\n") == "madvise"
    assert host.parse_huge_pages_mode("") == ""


def test_cores_with_one_thread_have_no_siblings() -> None:
    assert host.parse_siblings(["0", "1"]) == ()
    assert host.parse_siblings(["0,2", "1,3", "0,2", "1,3"]) == ((0, 2), (1, 3))


def test_memory() -> None:
    assert host.parse_memory_total("MemFree: 1 kB\nMemTotal:       24684092 kB\n") == 24_684_092 * 1024
    with pytest.raises(WireError):
        host.parse_memory_total("MemFree: 1 kB\n")
