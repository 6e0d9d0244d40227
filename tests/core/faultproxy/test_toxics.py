"""The toxics of one proxy: their order, their limits, and each gone by itself when its time is over."""

from __future__ import annotations

import pytest

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import Address, changed_toxic, toxic_of
from sprint.core.faultproxy.targets import check_target, is_loopback
from sprint.core.faultproxy.toxics import TOXICS_PER_PROXY_MAX, ToxicSet


def names(toxics: ToxicSet) -> list[str]:
    return [active.toxic.name for active in toxics.active]


def full() -> ToxicSet:
    toxics = ToxicSet()
    for number in range(TOXICS_PER_PROXY_MAX):
        toxics.add(toxic_of({"kind": "stall", "name": f"s{number}"}), 0.0)
    return toxics


def test_there_are_as_many_as_the_limit_says_and_not_one_more() -> None:
    toxics = full()
    with pytest.raises(ConfigError, match=f"{TOXICS_PER_PROXY_MAX} toxics on this proxy, limit"):
        toxics.add(toxic_of({"kind": "stall"}), 0.0)
    toxics.remove("s3")
    toxics.add(toxic_of({"kind": "stall"}), 0.0)
    assert names(toxics)[-1] == "stall"


def test_a_name_is_taken_once_and_free_again_when_it_is_gone() -> None:
    toxics = ToxicSet()
    toxics.add(toxic_of({"kind": "stall"}), 0.0)
    with pytest.raises(ConfigError, match="name: a toxic 'stall' is there already"):
        toxics.add(toxic_of({"kind": "black_hole", "name": "stall"}), 0.0)
    toxics.remove("stall")
    toxics.add(toxic_of({"kind": "black_hole", "name": "stall"}), 0.0)


def test_a_changed_one_keeps_its_place_and_its_counts_and_its_time_begins_anew() -> None:
    toxics = ToxicSet()
    first = toxics.add(toxic_of({"kind": "latency", "latency_ms": 1, "ttl_ms": 1_000}), 0.0)
    toxics.add(toxic_of({"kind": "stall"}), 0.0)
    first.counts.bytes_delayed = 7
    changed = toxics.change(changed_toxic(first.toxic, {"latency_ms": 2}), 0.9)
    assert names(toxics) == ["latency", "stall"]
    assert (changed.counts.bytes_delayed, changed.expires_at) == (7, 1.9)
    assert toxics.find("latency") is changed


def test_each_is_gone_when_its_time_is_over_and_not_before() -> None:
    toxics = ToxicSet()
    for name, ttl_ms in (("a", 2_000), ("b", None), ("c", 1_000)):
        toxics.add(toxic_of({"kind": "stall", "name": name, "ttl_ms": ttl_ms}), 10.0)
    assert toxics.next_expiry() == 11.0
    assert toxics.expire(10.999) == []
    assert [each.toxic.name for each in toxics.expire(11.0)] == ["c"]
    assert (toxics.next_expiry(), names(toxics)) == (12.0, ["a", "b"])
    toxics.expire(99.0)
    assert (toxics.next_expiry(), names(toxics)) == (None, ["b"])


def test_a_proxy_is_down_as_long_as_one_of_its_toxics_says_so() -> None:
    toxics = full()
    toxics.remove("s0")
    seen = [toxics.is_down]
    toxics.add(toxic_of({"kind": "down"}), 0.0)
    seen.append(toxics.is_down)
    assert toxics.clear() == TOXICS_PER_PROXY_MAX
    assert [*seen, toxics.is_down] == [False, True, False]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.1", "::1", "localhost"])
def test_loopback_is_a_target_for_everybody(host: str) -> None:
    check_target(Address(host, 1), ())


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.a.org", "127.1", "2130706433", "::ffff:1.2.3.4"],
)  # fmt: skip
def test_any_other_target_must_be_listed_by_address_or_by_host(host: str) -> None:
    target = Address(host, 8_333)
    assert not is_loopback(host)
    for allowed in ([], ["other:8333"], [f"{host}:8334"], ["8333"]):
        with pytest.raises(ConfigError, match="is not on loopback, and the allow list has"):
            check_target(target, allowed)
    check_target(target, [str(target)])
    check_target(target, [host])
