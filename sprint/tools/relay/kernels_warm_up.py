"""Compiles the kernels beside a running relay and swaps them in; until then plain Python works.

    python -m sprint.tools.relay.kernels_warm_up FOLDER TIER

What has to be compiled is compiled by a process of its own, which this runs with low priority: the relay
keeps its event loop and its memory, and a stop waits for nobody. The relay then loads what is kept in FOLDER.

Loading runs code from files, so the folder is the user's own. Its name has a hash of every file of the
kernels in it, of numba's version and of this package's: numba itself does not notice a change in a file that
another one imports. In it each machine has a folder, which gets its name when everything is in it, with a
hash of that: numba loads what it finds, and a damaged file ends the process.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import os
import platform
import shutil
import stat
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
from sprint.tools.xdg import base_folder

COMPILE_TIMEOUT_S = 1_800.0  # it has low priority, and a busy machine leaves it little
FOLDERS_MAX = 4  # kept, of versions and in each of machines; the ones used longest ago go
LEFT_BEHIND_S = 2 * COMPILE_TIMEOUT_S  # a folder that was begun so long ago and not finished is nobody's
SECRET_SIZE = 32
NICENESS = 10
REASON_LENGTH_MAX = 500
_SECRET = random_bytes(SECRET_SIZE)
_HASH_NAME = "hash-of-content"
_BEGUN = "begun-"
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
            kept = await compiled_folder(folder, self._environment, self._wanted)
            with importing_much():
                return await asyncio.to_thread(kernels.warm, str(kept), _SECRET, self._wanted)


async def compiled_folder(folder: Path, environment: Mapping[str, str], tier: str) -> Path:
    """Return this machine's part of a folder, compiled unless it is whole."""
    kept = folder / f"machine-{machine_mark(environment)}-{tier}"
    if not await asyncio.to_thread(is_whole, kept):
        await compile_for(kept, tier)
    _remove_old(folder, "machine-*", kept)
    return kept


async def compile_for(kept: Path, tier: str) -> None:
    """Compile beside a folder and put it into place when it is whole: a kill leaves no half of one.

    Where another relay was faster, its folder stays.
    """
    begun = Path(tempfile.mkdtemp(prefix=_BEGUN, dir=kept.parent))
    try:
        sources = await asyncio.to_thread(sources_hash)
        await compile_apart(begun, tier)
        if await asyncio.to_thread(sources_hash) != sources:
            raise KernelError("the kernels' files changed while they were compiled: start the relay again")
        await asyncio.to_thread(_put_into_place, begun, kept)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def _put_into_place(begun: Path, kept: Path) -> None:
    (begun / _HASH_NAME).write_text(content_hash(begun), encoding="utf-8")
    if is_whole(kept):
        return
    shutil.rmtree(kept, ignore_errors=True)
    try:
        begun.rename(kept)
    except OSError:
        if not is_whole(kept):
            raise


def is_whole(kept: Path) -> bool:
    """Tell whether a folder is there and everything in it is as it was compiled; note that it is used."""
    try:
        whole = (kept / _HASH_NAME).read_text(encoding="utf-8") == content_hash(kept)
        os.utime(kept)
    except (OSError, ValueError):
        return False
    return whole


def content_hash(folder: Path) -> str:
    """Return a hash of all files in a folder but the one that keeps it."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _HASH_NAME):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


async def compile_apart(folder: Path, tier: str) -> None:
    """Compile into a folder by a process of its own. KernelError with its last line if it fails.

    It is told not to import from the folder that the relay was started in, as `-m` would.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, str(folder), tier,
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
    # Where links lead is found out once, so that what is checked is what is used.
    parent = (base_folder("XDG_CACHE_HOME", environment) / "sprint").resolve()
    folder = parent / f"kernels-{__version__}-{sources_hash()[:16]}"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix":
        _check_nobody_else_writes(folder, parent)
    with tempfile.TemporaryFile(dir=folder):
        os.utime(folder)
    _remove_old(parent, "kernels-*", folder)
    for begun in folder.glob(f"{_BEGUN}*"):
        if _used_at(begun) < _used_at(folder) - LEFT_BEHIND_S:
            shutil.rmtree(begun, ignore_errors=True)
    return folder


def _check_nobody_else_writes(*ours: Path) -> None:
    """Look at our folders and at those above, whose owners could put another one into their place.

    OpenSSH looks at the same of its files (`safe_path`); as it does, this trusts root.
    """
    for each in (*ours, *ours[-1].parents):
        status = each.stat()
        owners = {os.geteuid()} if each in ours else {os.geteuid(), 0}
        others = 0o022 if each in ours else 0 if status.st_mode & stat.S_ISVTX else 0o002
        if status.st_uid not in owners or status.st_mode & others:
            what = "chmod 700 it, or remove it" if each in ours else "let XDG_CACHE_HOME name another place"
            raise KernelError(f"{each} is another user's, or others may write to it: {what}")


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


def machine_mark(environment: Mapping[str, str]) -> str:
    """Return what tells this processor, Python and place of the kernels from others that share the folder.

    numba keeps code by the kernels' place and by the processor; what it is told by NUMBA_… changes the code.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
        facts = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        facts = [platform.processor()]
    facts += [platform.machine(), sys.implementation.cache_tag or "", core.__path__[0]]
    facts += [f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith("NUMBA_")]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _remove_old(parent: Path, pattern: str, used: Path) -> None:
    folders = sorted(parent.glob(pattern), key=_used_at, reverse=True)
    for folder in folders[FOLDERS_MAX:]:
        if folder != used:
            shutil.rmtree(folder, ignore_errors=True)


def _used_at(folder: Path) -> float:
    """Return when a folder was last used, by the clock of its disk; 0 if another relay just removed it."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def main() -> None:
    """Compile the kernels into a folder; the process that loads them checks them again."""
    folder, tier = sys.argv[1:]
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    kernels.warm(folder, _SECRET, tier)


if __name__ == "__main__":
    main()
