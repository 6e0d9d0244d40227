"""The map as text keeps 80 columns and names everything; as DOT it is what Graphviz reads."""

from __future__ import annotations

import json
import shutil
import subprocess

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sprint.core.chaos.blast_radius import Target, predicted, whole
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.chaos.topology_text import WIDTH, map_dot, map_text, radius_text
from sprint.core.chaos.wiring import key_of
from tests.core.chaos.a_relay import a_relay

RELAY = a_relay()
NAMES = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=64)


def test_the_map_names_tiers_chains_sources_and_what_is_shared() -> None:
    first, second, *rest = RELAY.sources
    relay = replace(
        RELAY,
        sources=(first, replace(second, address=first.address, usable=False), *rest),
        breakers=(*RELAY.breakers, "store"),
    )
    lines = map_text(relay).splitlines()
    assert lines[:3] == [
        "relay http://127.0.0.1:8081",
        "  tier turbo  http://127.0.0.1:8080  2 subscribers",
        "  chain bitcoin-regtest  2 of 2 sources usable",
    ]
    assert "  chain litecoin-regtest  2 of 3 sources usable" in lines
    assert "    n1                       p2p://127.0.0.1:4001  not usable" in lines
    assert f"  shared address {first.address}: {key_of(first)}, {key_of(second)}" in lines
    assert any(line.startswith("  shared provider n0: ") for line in lines)
    assert lines[-1] == "  breaker store"


@given(NAMES, NAMES)
def test_text_keeps_its_width_but_for_names_that_are_longer(name: str, provider: str) -> None:
    relay = replace(
        RELAY, sources=tuple(replace(each, name=name, provider=provider) for each in RELAY.sources)
    )
    for text in (map_text(relay), radius_text(whole(relay))):
        for line in text.splitlines():
            assert len(line) <= WIDTH or " " not in line.strip(), line


def test_a_radius_says_what_there_is_of_it() -> None:
    assert radius_text(BlastRadius()) == "nothing\n"
    said = radius_text(predicted(RELAY, [Target("source", "dogecoin-regtest:n0")]))
    assert said.splitlines() == [
        "sources (1): dogecoin-regtest:n0",
        "breakers (1): source:dogecoin-regtest:n0",
        "chains cut (1): dogecoin-regtest",
        "tiers (1): turbo",
        "subscribers: 2",
    ]


def drawn(dot: str) -> dict[str, object]:
    program = shutil.which("dot")
    if program is None:
        pytest.skip("graphviz is not installed")
    done = subprocess.run([program, "-Tjson"], input=dot, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def nodes_of(dot: str) -> dict[str, dict[str, str]]:
    objects = drawn(dot)["objects"]
    assert isinstance(objects, list)
    return {each["name"]: each for each in objects}


def test_graphviz_reads_the_map_with_every_source_and_edge() -> None:
    found = nodes_of(map_dot(RELAY))
    expected = {f"source {key_of(each)}" for each in RELAY.sources}
    expected |= {f"chain {each.chain}" for each in RELAY.sources}
    expected |= {f"provider {each.provider}" for each in RELAY.sources} | {"tier turbo"}
    assert set(found) == expected
    edges = drawn(map_dot(RELAY))["edges"]
    assert isinstance(edges, list)
    assert len(edges) == 2 * len(RELAY.sources) + 3


def test_what_is_reached_is_coloured_and_nothing_else() -> None:
    radius = predicted(RELAY, [Target("source", "dogecoin-regtest:n0")])
    found = nodes_of(map_dot(RELAY, radius))
    coloured = {name for name, node in found.items() if node.get("fillcolor") == "tomato"}
    assert coloured == {"source dogecoin-regtest:n0", "chain dogecoin-regtest", "tier turbo"}


@pytest.mark.parametrize(
    "name", ['say "hi"', "ends in a back\\", "two -> three;", "a{b}<c>|d", "-x", "ünïcode", "%"]
)
def test_graphviz_reads_names_whatever_stands_in_them(name: str) -> None:
    first = replace(RELAY.sources[0], name=name, provider=name)
    found = nodes_of(map_dot(replace(RELAY, sources=(first,))))
    assert len(found) == 4


def test_the_map_as_json_is_read_back() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RELAY), type=DependencyMap) == RELAY
