"""What stands around a relay that faults can be put on: proxies in the way, devnet nodes, processes.

Nothing of it is guessed. What an experiment needs and is not named here makes it NotPossible, with why.
"""

from __future__ import annotations

import msgspec

from sprint.core.chaos.topology import DependencyMap, MappedSource
from sprint.core.errors import SprintError

DURATION_S_DEFAULT = 20.0
BLOCKS_WITHIN_S_DEFAULT = 10.0


class NotPossible(SprintError):
    """An experiment that the relay and what stands around it don't allow; says what is missing."""

    code = "not_possible"


class ProxyInTheWay(msgspec.Struct, frozen=True):
    """A fault proxy between the relay and a source: where it is told, and its name there."""

    control_url: str
    proxy: str


class StartAgain(msgspec.Struct, frozen=True):
    """How a killed process is started anew, unless something listens at `address` (`host:port`) already."""

    command: tuple[str, ...]
    folder: str
    address: str


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Sources are keyed `CHAIN:NAME`.

    `devnets` has control URLs, by source where a node stands behind that source alone, else by chain.
    `relay_supervised`: somebody else starts the relay again once it is killed. `packets`: this process is
    root and nft works. `data_folder` is on the disk that may be filled. `api_url` is a tier's; empty takes
    the first of the map.
    """

    proxies: dict[str, ProxyInTheWay] = {}
    devnets: dict[str, str] = {}
    relay_pid: int | None = None
    relay_again: StartAgain | None = None
    relay_supervised: bool = False
    upstream_pids: dict[str, int] = {}
    packets: bool = False
    data_folder: str = ""
    api_url: str = ""

    def devnet_of(self, source: MappedSource) -> str | None:
        """Return the control URL of the devnet node behind a source."""
        return self.devnets.get(key_of(source), self.devnets.get(source.chain))


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants of an experiment.

    `figures` in the place of its own by name; `sources` (`CHAIN:NAME`) in the place of those that the seed
    chooses. `blocks_within_s`: a steady chain has a block in that time; 0 waits for none.
    """

    duration_s: float = DURATION_S_DEFAULT
    figures: dict[str, float] = {}
    sources: tuple[str, ...] = ()
    seed: int = 0
    blocks_within_s: float = BLOCKS_WITHIN_S_DEFAULT


class Request(msgspec.Struct, frozen=True):
    """What a builder is given. `figures` are all of the experiment's, as they are to be."""

    name: str
    says: str
    relay: DependencyMap
    wiring: Wiring
    wishes: Wishes
    figures: dict[str, float]

    @property
    def api_url(self) -> str:
        """Where a subscriber follows the relay. NotPossible where no tier is known."""
        url = self.wiring.api_url or next((each.url for each in self.relay.tiers), "")
        if not url:
            raise NotPossible(f"{self.name}: no tier of the relay is known; say where with --stream URL")
        return url


def key_of(source: MappedSource) -> str:
    """Return a source's key, `CHAIN:NAME`."""
    return f"{source.chain}:{source.name}"
