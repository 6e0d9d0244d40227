"""The devnet that a relay brings itself: nodes in its process, reached three ways, and a folder for the log.

The folder goes with the process. One whose process was killed stays behind, and the next relay with a devnet
removes it: it knows by the lock on the log's file, which the kernel frees when its holder ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sprint.core.errors import ConfigError, StoreFailing
from sprint.core.relay.source_url import SourceSpec, source_of
from sprint.tools.devnet.edge import Devnet, DevnetOptions, checked_interval_s
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.runtime import log_fields, random_bytes, wall_clock
from sprint.tools.store.file_lock import is_held, lock_path

FOLDER_PREFIX = "sprint-devnet-"
# A younger folder may be one whose relay has not locked its log yet.
LEFTOVER_AGE_S_MIN = 60.0
LEFTOVERS_PER_START_MAX = 16
log = logging.getLogger(__name__)

Source = tuple[ChainNetwork, SourceSpec]


async def start_devnet(
    stack: contextlib.AsyncExitStack,
    catalog: ChainCatalog,
    ids: Sequence[str],
    *,
    faults: str | None,
    interval_ms: int | None,
) -> tuple[Devnet, list[Source]]:
    """Start a node for each chain, with a seed of faults if any; return the devnet and its nodes as sources.

    ConfigError for an interval that cannot be. A node is a source by P2P, by JSON-RPC and by ZMQ, under one
    provider: it is one node all the same.
    """
    seed = random_bytes(8).hex() if faults is None else faults
    try:
        interval_s = None if interval_ms is None else checked_interval_s(interval_ms / 1000)
    except ConfigError as error:
        raise ConfigError(f"--devnet-interval-ms {interval_ms}: {error}") from error
    free = dict.fromkeys(ids, 0)
    devnet = Devnet(
        ids,
        DevnetOptions(block_interval_s=interval_s, faults=faults, rpc_ports=free, zmq_ports=free),
        rng_of=lambda name: SeededBits(f"{seed}/{name}"),
        wall_clock=wall_clock,
    )
    stack.push_async_callback(devnet.stop)
    await devnet.start()
    sources: list[Source] = []
    for chain_id in ids:
        network = catalog.find_id(chain_id)
        urls = [url for url in devnet.state(chain_id).listeners.values() if url is not None]
        node = f"devnet-{network.chain.name}"
        for url in urls:
            name = f"{node}-{url.partition(':')[0]}"
            spec = source_of(network.chain.name, network.network, url, name=name, provider=node)
            sources.append((network, spec))
        log_fields(log, logging.INFO, "devnet node", chain=chain_id, urls=" ".join(urls))
    return devnet, sources


def temporary_folder(
    parent: Path | None, database: str, wall_clock: Callable[[], float]
) -> tempfile.TemporaryDirectory[str]:
    """Return a folder that goes with the process, in `parent` or where the system keeps such.

    First those of the same place are removed that were left behind; `database` is the name of the log's
    file in them. StoreFailing where there can be none.
    """
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.gettempdir() if parent is None else parent)
        for leftover in islice(_leftovers(place, database, wall_clock()), LEFTOVERS_PER_START_MAX):
            shutil.rmtree(leftover, ignore_errors=True)
            log_fields(log, logging.INFO, "removed what a killed devnet left", folder=leftover)
        return tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise StoreFailing(
            f"{parent or tempfile.gettempdir()}: {error}; give a folder with --data-dir"
        ) from error


def _leftovers(place: Path, database: str, unix_time: float) -> Iterator[Path]:
    """Yield the folders of devnets, of this user, whose log nobody holds; never a link to a folder."""
    for folder in place.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):  # it went meanwhile, or is another user's
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            old = unix_time - found.st_mtime >= LEFTOVER_AGE_S_MIN
            made_here = lock_path(folder / database).exists() or not any(folder.iterdir())
            if ours and old and made_here and not is_held(folder / database):
                yield folder
