"""What a node says of its publisher is held against what is subscribed to, and said with what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.relay.publishers import PLACES_SHOWN_MAX, missing_topics, why_silent
from sprint.core.relay.source_url import SourceSpec, parse_source

TOPICS = ("hashblock", "rawblock", "sequence")


def source(url: str = "zmq://127.0.0.1:28332") -> SourceSpec:
    return parse_source(f"bitcoin={url}")


def publishing(*topics: str, address: str = "tcp://127.0.0.1:28332") -> Publishing:
    return Publishing(built_in=True, addresses=tuple((f"pub{topic}", address) for topic in topics))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Publishing(built_in=False), "core-1 is built without ZMQ (getzmqnotifications: -32601)"),
        (publishing(), "core-1 publishes nothing: start it with -zmqpubhashblock=tcp://127.0.0.1:28332"),
        (publishing("hashblock", address="tcp://127.0.0.1:28333"), "at tcp://127.0.0.1:28333, not at"),
        (publishing("hashblock", address="ipc:///run/node"), "publishes at ipc:///run/node, not at"),
        (publishing("hashblock", address="tcp://[::1"), "not at port 28332"),
    ],
)  # fmt: skip
def test_why_nothing_publishes_is_said(node: Publishing, said: str) -> None:
    assert said in why_silent(source(), {"core-1": node})


def test_a_node_that_publishes_there_and_no_node_at_all_say_nothing_of_a_silence() -> None:
    assert why_silent(source(), {}) == ""
    assert why_silent(source(), {"a": Publishing(built_in=False), "b": publishing("rawblock")}) == ""


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:28332", "tcp://*:28332", "tcp://[::]:28332"])
def test_a_wildcard_is_any_address_of_the_host(address: str) -> None:
    there = {"a": publishing(*TOPICS, address=address)}
    assert why_silent(source("zmq://10.0.0.1:28332"), there) == ""
    assert missing_topics(source("zmq://10.0.0.1:28332"), there) == ""


def test_loopback_is_not_another_machines() -> None:
    there = {"a": publishing(*TOPICS)}
    assert "not at port" in why_silent(source("zmq://10.0.0.1:28332"), there)


def test_topics_that_are_not_published_there_are_named_with_the_options_that_would() -> None:
    said = missing_topics(source(), {"core-1": publishing("hashblock")})
    assert said.startswith("core-1 does not publish rawblock, sequence there")
    assert "-zmqpubsequence=tcp://127.0.0.1:28332" in said
    wanting_less = source("zmq://127.0.0.1:28332?topics=hashblock")
    assert missing_topics(wanting_less, {"a": publishing("hashblock")}) == ""


def test_another_node_of_the_host_says_nothing_of_topics() -> None:
    others = {"a": Publishing(built_in=False), "b": publishing("hashblock", address="tcp://127.0.0.1:1")}
    assert missing_topics(source(), others) == ""


@given(
    addresses=st.lists(st.tuples(st.text(max_size=12), st.text(max_size=30)), max_size=70),
    built_in=st.booleans(),
)
def test_whatever_a_node_says_the_words_are_few(addresses: list[tuple[str, str]], *, built_in: bool) -> None:
    said = why_silent(source(), {"a": Publishing(built_in, tuple(addresses))})
    assert len(said) < 200 + 32 * PLACES_SHOWN_MAX
