"""Brings together the sources of a chain that hear a publisher and the nodes that can tell of it.

A node that serves JSON-RPC beside a ZMQ source is asked what it publishes. Where nothing listens for the ZMQ
source the node's answer says why, once, as a `source_status`; what it lacks stands in the source's notes.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.relay.publishers import missing_topics, why_silent
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.intake import Sink


class PublisherWatch:
    """One for each chain. `note_of` is what is known of a ZMQ source; sources are by name."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[SourceSpec, Callable[[], None]]] = {}
        self._told: dict[str, Publishing] = {}
        self._heard: dict[str, SourceSpec] = {}
        self._unreachable: dict[str, Sink] = {}
        self._noted: dict[str, dict[str, Publishing]] = {}  # by source and node, what was told on

    def __repr__(self) -> str:
        return f"PublisherWatch({len(self._heard)} publishers, {len(self._nodes)} nodes)"

    @staticmethod
    def of(intake: Sink) -> PublisherWatch:
        """Return the one that belongs to a chain's intake."""
        found = _chains.get(intake)
        if found is None:
            found = _chains[intake] = PublisherWatch()
        return found

    # What the nodes that are asked say.

    def serves(self, spec: SourceSpec, ask: Callable[[], None]) -> None:
        """Take up a node that is connected; it is asked where a publisher on its host is wanted."""
        self._nodes[spec.name] = (spec, ask)
        if any(each.host == spec.host for each in self._heard.values()):
            ask()

    def gone(self, name: str) -> None:
        self._nodes.pop(name, None)
        self._told.pop(name, None)

    def told(self, name: str, publishing: Publishing) -> None:
        """Take in what a node says that it publishes."""
        self._told[name] = publishing
        for each, intake in list(self._unreachable.items()):
            self._tell(each, intake)

    # What the sources that hear a publisher say.

    def wanted(self, spec: SourceSpec) -> None:
        """Take up a source that subscribes; the nodes on its host are asked."""
        self._heard[spec.name] = spec
        for node, ask in list(self._nodes.values()):
            if node.host == spec.host:
                ask()

    def unwanted(self, name: str) -> None:
        self._heard.pop(name, None)
        self.reached(name)

    def unreachable(self, name: str, intake: Sink) -> None:
        """Nothing publishes where the source subscribes: say why, if it is known."""
        self._unreachable[name] = intake
        self._tell(name, intake)

    def reached(self, name: str) -> None:
        self._unreachable.pop(name, None)
        self._noted.pop(name, None)

    def note_of(self, name: str) -> str:
        """Say what is known to be wrong with a publisher; empty where nothing is."""
        spec = self._heard.get(name)
        if spec is None:
            return ""
        nodes = self._nodes_beside(spec)
        return why_silent(spec, nodes) if name in self._unreachable else missing_topics(spec, nodes)

    def _nodes_beside(self, spec: SourceSpec) -> dict[str, Publishing]:
        return {name: told for name, told in self._told.items() if self._nodes[name][0].host == spec.host}

    def _tell(self, name: str, intake: Sink) -> None:
        """Tell on why nothing is heard, where a node has said something that was not told on before.

        So one that comes and goes, and says the same each time, is told of once.
        """
        reason = self.note_of(name)
        if not reason:
            return
        noted, said = self._noted.setdefault(name, {}), self._nodes_beside(self._heard[name])
        if any(noted.get(node) != publishing for node, publishing in said.items()):
            noted.update(said)
            intake.source_noted(name, f"nothing publishes there: {reason}")


# By the chain's intake, which all sources of a chain are given and which ends with the relay.
_chains: WeakKeyDictionary[Sink, PublisherWatch] = WeakKeyDictionary()
