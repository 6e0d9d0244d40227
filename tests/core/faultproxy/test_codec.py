"""The words of the API: what is right is taken, what is wrong is told with key, value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import (
    CONNECTIONS_MAX_DEFAULT,
    CONNECTIONS_MAX_MOST,
    NAME_LENGTH_MAX,
    SEED_LENGTH_MAX,
    Address,
    ProxySettings,
    changed_toxic,
    proxy_of,
    refuse_fields,
    toxic_of,
    toxic_row,
)
from sprint.core.faultproxy.toxics import KINDS, TTL_MS_MAX, ActiveToxic, Direction, Kind, Toxic, ToxicCounts
from tests.core.faultproxy.toxics import active

LATENCY = {"kind": "latency", "latency_ms": 200}
PROXY = {"name": "node", "target": "127.0.0.1:19444"}
# Whatever JSON can say.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    sorted(
        {
            "name",
            "kind",
            "direction",
            "toxicity",
            "ttl_ms",
            "target",
            "listen",
            "connections_max",
            "seed",
            "x",
        }
        | {figure for rules in KINDS.values() for figure in rules.figures}
    )
)
VALUES = JSON | st.sampled_from([*map(str, Kind), *map(str, Direction), "127.0.0.1:1", "[::1]:65535", 1, 0.5])


def test_a_toxic_has_the_name_of_its_kind_both_directions_all_connections_and_no_end() -> None:
    assert toxic_of(LATENCY) == Toxic(
        name="latency", kind=Kind.LATENCY, figures={"latency_ms": 200, "jitter_ms": 0}
    )
    assert toxic_of({**LATENCY, "ttl_ms": None}).ttl_ms is None


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_taken_at_the_limits_of_its_figures_and_refused_beyond(kind: Kind) -> None:
    figures = KINDS[kind].figures
    least = {"kind": str(kind), **{name: figure.least for name, figure in figures.items()}}
    most = {"kind": str(kind), **{name: figure.most for name, figure in figures.items()}}
    assert toxic_of(least).figures == {name: figure.least for name, figure in figures.items()}
    assert toxic_of(most).figures == {name: figure.most for name, figure in figures.items()}
    for name, figure in figures.items():
        for value in (figure.least - 1, figure.most + 1, 1.5, True, "1", None):
            with pytest.raises(
                ConfigError, match=rf"^{name}: .*whole number from {figure.least} to {figure.most}$"
            ):
                toxic_of({**least, name: value})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "kind: nothing; want one of latency, bandwidth, slicer"),
        ({"kind": "latancy"}, "kind: 'latancy'; want one of latency"),
        ({"kind": "latency"}, "latency_ms: nothing; want a whole number from 0 to 3600000"),
        (
            {**LATENCY, "delay": 1},
            "latency: no key 'delay'; there is name, kind, direction, toxicity, ttl_ms,",
        ),
        ({**LATENCY, "bytes": 1}, "latency: no key 'bytes'"),
        ({**LATENCY, "direction": "up"}, "direction: 'up'; want one of upstream, downstream, both"),
        ({**LATENCY, "toxicity": 1.1}, "toxicity: 1.1; want a number from 0 to 1, the share of connections"),
        ({**LATENCY, "toxicity": True}, "toxicity: True; want a number"),
        ({**LATENCY, "toxicity": float("nan")}, "toxicity: nan; want a number"),
        ({**LATENCY, "ttl_ms": 0}, f"ttl_ms: 0; want a whole number from 1 to {TTL_MS_MAX}"),
        ({**LATENCY, "name": ""}, "name: ''; want 1 to 64 letters, digits or .-_~, no sign first"),
        ({**LATENCY, "name": "a/b"}, "name: 'a/b'"),
        ({**LATENCY, "name": "a" * (NAME_LENGTH_MAX + 1)}, "name: 'aaa"),
        ({"kind": "down", "direction": "upstream"}, "direction: 'upstream'; down is of the whole proxy"),
        ({"kind": "down", "toxicity": 0.5}, "toxicity: 0.5; down is of the whole proxy, leave it out"),
    ],
)
def test_what_cannot_be_is_told_with_key_value_and_what_is_wanted(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        toxic_of(fields)
    assert str(raised.value).startswith(said)


def test_a_change_keeps_what_it_does_not_name() -> None:
    toxic = toxic_of({**LATENCY, "name": "far", "direction": "upstream", "toxicity": 0.5, "ttl_ms": 900})
    changed = changed_toxic(toxic, {"jitter_ms": 7})
    assert changed == msgspec.structs.replace(toxic, figures={"latency_ms": 200, "jitter_ms": 7})
    assert changed_toxic(toxic, {}) == toxic
    assert changed_toxic(toxic, {"ttl_ms": None}).ttl_ms is None
    assert changed_toxic(toxic, {"name": "far", "kind": "latency"}) == toxic


def test_a_change_of_name_or_kind_or_to_what_cannot_be_is_refused() -> None:
    toxic = toxic_of(LATENCY)
    for fields, said in (
        ({"kind": "stall"}, "kind: 'stall'; this is latency, remove it and add another"),
        ({"name": "near"}, "name: 'near'; this is latency"),
        ({"latency_ms": -1}, "latency_ms: -1; want a whole number"),
        ({"bytes": 5}, "latency: no key 'bytes'"),
    ):
        with pytest.raises(ConfigError) as raised:
            changed_toxic(toxic, fields)
        assert str(raised.value).startswith(said)


def test_a_proxy_listens_on_a_free_port_of_loopback_unless_it_is_told() -> None:
    assert proxy_of(PROXY) == ProxySettings(
        name="node",
        target=Address("127.0.0.1", 19_444),
        listen=Address("127.0.0.1", 0),
        connections_max=CONNECTIONS_MAX_DEFAULT,
    )
    told = proxy_of(
        {**PROXY, "target": "[::1]:1", "listen": "localhost:65535", "connections_max": 1, "seed": "7"}
    )
    assert (str(told.target), str(told.listen), told.connections_max, told.seed) == (
        "[::1]:1", "localhost:65535", 1, "7",
    )  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1", ":1", "::1:80", "[::1]", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "a:1 ",
     "a\n:1", "a:\u0661", "a:000001", "h" * 300 + ":1", None, 80, ["a:1"]],
)  # fmt: skip
def test_a_target_that_is_no_address_is_refused(address: object) -> None:
    with pytest.raises(
        ConfigError, match=r"^target: .*want HOST:PORT or \[IPv6\]:PORT, the port from 1 to 65535"
    ):
        proxy_of({**PROXY, "target": address})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "a:1"}, "name: nothing"),
        ({**PROXY, "upstream": "a:1"}, "no key 'upstream'; there is name, target, listen"),
        (
            {**PROXY, "connections_max": 0},
            f"connections_max: 0; want a whole number from 1 to {CONNECTIONS_MAX_MOST}",
        ),
        ({**PROXY, "seed": "a\nb"}, r"seed: 'a\nb'; want a text"),
        ({**PROXY, "seed": 7}, "seed: 7; want a text of up to 64 printable characters"),
        ({**PROXY, "seed": "s" * (SEED_LENGTH_MAX + 1)}, "seed: 'sss"),
    ],
)  # fmt: skip
def test_a_proxy_that_cannot_be_is_told_with_its_key(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        proxy_of(fields)
    assert str(raised.value).startswith(said)


def refusal(read: Callable[[dict[str, Any]], object], fields: dict[str, Any]) -> str | None:
    try:
        read(fields)
    except ConfigError as error:
        return str(error)
    return None


@given(st.dictionaries(KEYS | st.text(max_size=5), VALUES, max_size=8))
def test_any_json_object_is_taken_or_refused_in_a_bounded_message(fields: dict[str, Any]) -> None:
    for read in (toxic_of, proxy_of, lambda given_: changed_toxic(toxic_of(LATENCY), given_), refuse_fields):
        said = refusal(read, fields)
        assert said is None or (10 < len(said) < 400 and said.isprintable())


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.sampled_from(list(Kind)))
def test_a_toxic_that_was_taken_is_within_all_limits_and_comes_back_from_its_row(
    fields: dict[str, Any], kind: Kind
) -> None:
    least = {name: figure.least for name, figure in KINDS[kind].figures.items()}
    try:
        toxic = toxic_of({**least, **fields, "kind": str(kind)})
    except ConfigError:
        return
    for name, figure in KINDS[kind].figures.items():
        assert figure.least <= toxic.figures[name] <= figure.most
    assert 0 <= toxic.toxicity <= 1
    row = toxic_row(ActiveToxic(toxic, ToxicCounts(), 0.0), 0.0)
    common = {key: row[key] for key in ("name", "kind", "direction", "toxicity", "ttl_ms")}
    assert toxic_of({**row["figures"], **common}) == toxic


def test_a_row_says_what_is_left_of_the_time_and_what_was_done() -> None:
    toxic = active("latency", latency_ms=5, ttl_ms=1_500)
    toxic.counts.bytes_delayed = 3
    row = toxic_row(toxic, 1.0)
    assert (row["ttl_ms"], row["left_ms"], row["counts"]["bytes_delayed"]) == (1_500, 500, 3)
    assert toxic_row(toxic, 9.0)["left_ms"] == 0
    assert msgspec.json.decode(msgspec.json.encode(row)) == row
