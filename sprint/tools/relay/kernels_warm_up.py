"""Compiles the kernels beside a running relay and swaps them in; until then plain Python works.

    python -m sprint.tools.relay.kernels_warm_up FOLDER TIER

What has to be compiled is compiled by a process of its own, which this runs with low priority: the relay
keeps its event loop and its memory, and a stop waits for nobody. The relay then loads what is kept in FOLDER.

Loading runs code from files, so the folder is the user's own. Its name has a hash of every file of the
kernels in it, of numba's version and of this package's: numba itself does not notice a change in a file that
another one imports.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from sprint import __version__, core
from sprint.core import kernels
from sprint.core.errors import KernelError
from sprint.core.kernels.binding import Kernels
from sprint.tools.runtime import clock, importing_much, log_fields, random_bytes

COMPILE_TIMEOUT_S = 300.0
FOLDERS_MAX = 4  # kept, of other versions too; the ones used longest ago go
SECRET_SIZE = 32
NICENESS = 10
REASON_LENGTH_MAX = 500
_SECRET = random_bytes(SECRET_SIZE)
log = logging.getLogger(__name__)


class KernelState(msgspec.Struct, frozen=True):
    """Which form of the kernels works, and how it came to that; `reason` says why it is not compiled."""

    state: Literal["reference", "warming", "compiled", "failed"]
    tier: str = kernels.REFERENCE
    text: str = "plain Python and hashlib"
    reason: str = ""


class KernelsWarmUp:
    """Warms the kernels of this process once. `state` may be read at any time."""

    def __init__(self, wanted: str, environment: Mapping[str, str] = os.environ) -> None:
        self._wanted = wanted
        self._environment = environment
        reference = wanted == kernels.REFERENCE
        self.state = KernelState("reference" if reference else "warming")

    def __repr__(self) -> str:
        return f"KernelsWarmUp({self._wanted}, {self.state.state})"

    async def run(self) -> None:
        """Compile where nothing is kept, load, swap in. What fails is logged and told by `state`."""
        if self._wanted == kernels.REFERENCE:
            return
        begun = clock()
        try:
            found = await self._warm()
        except Exception as error:
            self.state = KernelState("failed", reason=str(error)[:REASON_LENGTH_MAX] or repr(error))
            log.exception(
                "no compiled kernels: plain Python stays in use, blocks take longer to check",
                extra={"fields": {"wanted": self._wanted, "reason": self.state.reason}},
            )
            return
        self.state = KernelState("compiled", found.tier, found.text)
        log_fields(
            log, logging.INFO, "kernels swapped in",
            tier=found.tier, what=found.text, after_s=round(clock() - begun, 2),
        )  # fmt: skip

    async def _warm(self) -> Kernels:
        with cache_folder(self._environment) as folder:
            kept = folder / f"kept-{processor_mark()}-{self._wanted}"
            if not await asyncio.to_thread(kept.exists):
                await compile_apart(folder, self._wanted)
                await asyncio.to_thread(kept.touch)
            with importing_much():
                return await asyncio.to_thread(kernels.warm, str(folder), _SECRET, self._wanted)


async def compile_apart(folder: Path, tier: str) -> None:
    """Compile into a folder by a process of its own. KernelError with its last line if it fails."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(folder), tier,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(COMPILE_TIMEOUT_S):
            _, said = await child.communicate()
    except TimeoutError:
        raise KernelError(f"compiling took longer than {COMPILE_TIMEOUT_S:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise KernelError(f"compiling ended with {child.returncode}: {last}")


@contextmanager
def cache_folder(environment: Mapping[str, str]) -> Iterator[Path]:
    """Give the folder for what is compiled: the user's own, else one that goes with the process."""
    try:
        folder = own_folder(environment)
    except (OSError, RuntimeError, KernelError) as error:
        log_fields(log, logging.WARNING, "compiled kernels are not kept for the next start", reason=error)
        with tempfile.TemporaryDirectory(prefix="sprint-kernels-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
        return
    yield folder


def own_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder in the user's cache, made if need be. KernelError where others may write to it."""
    parent = Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sprint"
    folder = parent / f"kernels-{__version__}-{sources_hash()[:16]}"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    for each in (parent, folder):
        status = each.stat()
        if os.name == "posix" and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
            raise KernelError(
                f"{each} is another user's, or others may write to it: chmod 700 it, or remove it"
            )
    with tempfile.TemporaryFile(dir=folder):
        os.utime(folder)
    _remove_old(parent, folder)
    return folder


def sources_hash(folder: Path | None = None) -> str:
    """Return a hash of all that compiled code depends on: the kernels' files, numba and llvmlite."""
    folder = folder or Path(core.__path__[0]) / "kernels"
    digest = hashlib.sha256()
    for name in ("numba", "llvmlite"):
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for path in sorted(folder.glob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def processor_mark() -> str:
    """Return what tells this processor and Python from others, with which the folder may be shared."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
        facts = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        facts = [platform.processor()]
    facts += [
        platform.machine(),
        sys.implementation.cache_tag or "",
        os.environ.get("NUMBA_CPU_FEATURES", ""),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _remove_old(parent: Path, used: Path) -> None:
    folders = sorted(parent.glob("kernels-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in folders[FOLDERS_MAX:]:
        if folder != used:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Compile the kernels into a folder; the process that loads them checks them again."""
    folder, tier = sys.argv[1:]
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    kernels.warm(folder, _SECRET, tier)


if __name__ == "__main__":
    main()
