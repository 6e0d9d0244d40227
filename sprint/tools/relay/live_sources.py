"""What an operator changes of a running relay's sources: adds, removes, pauses, resumes.

Nothing of it is written down: a restart begins with the config's sources again, all of them running. A reload
applies what its file says otherwise than before and leaves the rest as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sprint.core.errors import ConfigError, RequestError
from sprint.core.relay.source_url import NAME_LENGTH_MAX, SourceSpec, parse_source
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.live_config import NOT_FOLLOWED, OF_DEVNET
from sprint.tools.relay.source_tasks import SourceTasks
from sprint.tools.relay.sources.paused import PausedSource
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.view import ServedChain

# Each is a connection, and is asked whenever the head moves.
SOURCES_MAX = 256
# What comes over these tells of blocks and can be asked for none.
ANNOUNCING_SCHEMES = ("zmq",)


class LiveSources:
    """The sources of a running relay. `devnet_ids`: chains whose nodes are the devnet's."""

    def __init__(
        self,
        catalog: ChainCatalog,
        chains: Mapping[str, ServedChain],
        tasks: SourceTasks,
        devnet_ids: Collection[str],
    ) -> None:
        self._catalog = catalog
        self._chains = chains
        self._tasks = tasks
        self._devnet_ids = frozenset(devnet_ids)

    async def add(self, text: str) -> tuple[str, Source]:
        """Start a source that is named as by `--source`; return its chain and itself.

        Raises ConfigError where it can't be one, RequestError where it can't be had now.
        """
        spec = parse_source(text)
        _refuse_to_read_for_others(spec)
        chain_id = self._catalog.find(spec.chain, spec.network).chain_id
        async with self._tasks.changing:
            self._refuse(chain_id, spec.name)
            source = self._tasks.make(chain_id, spec)
            self._tasks.add(chain_id, source)
        return chain_id, source

    async def remove(self, chain: str, name: str, why: str) -> str | None:
        """End a source for good; return what to beware of then. RequestError where it is the last one."""
        async with self._tasks.changing:
            chain_id, source = self._find(chain, name)
            if sum(len(each.sources) for each in self._chains.values()) == 1:
                raise RequestError(
                    "last_source",
                    f"{name[:NAME_LENGTH_MAX]!a} is the last source, want at least 1; "
                    "stop the relay to follow nothing, or pause it",
                )
            await self._tasks.remove(source.spec, why)
        return self._warning(chain_id)

    async def pause(self, chain: str, name: str, why: str) -> tuple[bool, str, Source, str | None]:
        """Let a source rest; return whether that is new, its chain, itself, and what to beware of."""
        async with self._tasks.changing:
            chain_id, source = self._find(chain, name)
            rests = isinstance(source, PausedSource)
            if not rests:
                source = await self._tasks.pause(chain_id, source, why)
        return not rests, chain_id, source, self._warning(chain_id)

    async def resume(self, chain: str, name: str) -> tuple[bool, str, Source, str | None]:
        """Let a source that rests go on; return as `pause` does."""
        async with self._tasks.changing:
            chain_id, source = self._find(chain, name)
            rests = isinstance(source, PausedSource)
            if isinstance(source, PausedSource):
                source = self._tasks.resume(chain_id, source)
        return rests, chain_id, source, self._warning(chain_id)

    def _refuse(self, chain_id: str, name: str) -> None:
        """Refuse a source that the relay can't take."""
        why = ""
        if chain_id not in self._chains:
            why = f"{chain_id}: {NOT_FOLLOWED}; followed are {', '.join(self._chains)}"
        elif chain_id in self._devnet_ids:
            why = f"{chain_id}: {OF_DEVNET}"
        names = [source.spec.name for chain in self._chains.values() for source in chain.sources]
        if name in names:
            why = why or f"two sources would be called {name!a}; give one a name: NAME@CHAIN=URL"
        if len(names) >= SOURCES_MAX:
            why = why or f"{len(names)} sources, limit {SOURCES_MAX}; remove one first"
        if why:
            raise RequestError("source_refused", why)

    def _find(self, chain: str, name: str) -> tuple[str, Source]:
        """Return the chain's id and the source of a name; RequestError where there is none."""
        chain_id = self._catalog.resolve(chain, list(self._chains))
        if chain_id is None:
            raise RequestError("unknown_chain", f"chain {chain[:64]!a}: there are {', '.join(self._chains)}")
        sources = self._chains[chain_id].sources
        for source in sources:
            if source.spec.name == name:
                return chain_id, source
        names = ", ".join(source.spec.name for source in sources) or "none"
        raise RequestError("unknown_source", f"no source {name[:64]!a} of {chain_id}; there is {names}")

    def _warning(self, chain_id: str) -> str | None:
        running = [each for each in self._chains[chain_id].sources if not isinstance(each, PausedSource)]
        if not running:
            return f"no source of {chain_id} runs: nothing new of it comes until one is resumed or added"
        if all(source.spec.scheme in ANNOUNCING_SCHEMES for source in running):
            names = ", ".join(source.spec.name for source in running)
            return (
                f"no source of {chain_id} that serves blocks runs, as {names} only announces them: "
                "nothing new of it comes until one is resumed or added"
            )
        return None


def _refuse_to_read_for_others(spec: SourceSpec) -> None:
    """Refuse a source that has the relay send what it alone may read to wherever the URL says.

    Every user of the machine reaches the listener; files and variables are this process's own.
    """
    login = spec.login
    if login is not None and (login.cookie_file or login.user_env or login.password_env):
        raise ConfigError(
            "source: cookie_file, user_env and password_env are for the config, as they read what is the "
            "relay's own; name the source there, or give it a user and password in its URL"
        )
    if not spec.name.isprintable():
        raise ConfigError(f"source name {spec.name!a}; want printable characters, as it stands in logs")


def made_of(fields: Mapping[str, object]) -> str:
    """Return the text of a body that names a source; ConfigError says what would be right."""
    text = fields.get("source")
    if not isinstance(text, str):
        raise ConfigError("source: want NAME@CHAIN=URL, as in core-2@litecoin:regtest=p2p://127.0.0.1:19444")
    return text
