"""What a node says that it publishes over ZMQ, held against what a source of it is to hear.

A node is asked over JSON-RPC (`getzmqnotifications`, as Bitcoin Core's doc/zmq.md has it). Some builds have
no ZMQ and take its options all the same: only this call tells. Whether a node on the same host is the one
that publishes is not known, so what one says counts where nothing listens, or where the port is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.relay.source_url import SourceSpec

PLACES_SHOWN_MAX = 4
_TOPIC_PREFIX = "pub"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def why_silent(source: SourceSpec, nodes: Mapping[str, Publishing]) -> str:
    """Say why nothing publishes where a source subscribes, by what the nodes on its host say; else empty.

    `nodes` are by the names of the sources that they are asked over.
    """
    if not nodes or any(_topics_at(source, each) for each in nodes.values()):
        return ""
    return "; ".join(f"{name} {_words(source, each)}" for name, each in sorted(nodes.items()))


def missing_topics(source: SourceSpec, nodes: Mapping[str, Publishing]) -> str:
    """Name the topics that a source subscribes to and its node doesn't publish there; empty if none is known.

    Of several nodes on the host it is the one that names the port.
    """
    for name, publishing in sorted(nodes.items()):
        there = _topics_at(source, publishing)
        missing = [topic for topic in source.topics if topic not in there]
        if there and missing:
            options = " ".join(f"-zmqpub{topic}=tcp://{source.host}:{source.port}" for topic in missing)
            return f"{name} does not publish {', '.join(missing)} there; it is asked to by {options}"
    return ""


def _words(source: SourceSpec, publishing: Publishing) -> str:
    if not publishing.built_in:
        return "is built without ZMQ (getzmqnotifications: -32601), whatever its -zmqpub options say"
    if not publishing.addresses:
        return f"publishes nothing: start it with -zmqpubhashblock=tcp://{source.host}:{source.port}"
    places = sorted({address for _, address in publishing.addresses})[:PLACES_SHOWN_MAX]
    return f"publishes at {', '.join(places)}, not at port {source.port}"


def _topics_at(source: SourceSpec, publishing: Publishing) -> set[str]:
    """Return the topics that a node publishes where the source subscribes."""
    return {
        topic.removeprefix(_TOPIC_PREFIX)
        for topic, address in publishing.addresses
        if _reaches(address, source)
    }


def _reaches(address: str, source: SourceSpec) -> bool:
    """Tell whether an address that a node binds is the one subscribed to; a wildcard is any of its host's."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    loopback_only = parts.hostname in _LOOPBACK and source.host not in _LOOPBACK
    return port == source.port and not loopback_only
