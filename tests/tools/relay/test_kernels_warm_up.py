"""Kernels are kept where nobody else writes, never served after an edit; a failure leaves plain Python."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint import core
from sprint.core import kernels
from sprint.core.errors import KernelError
from sprint.core.kernels.binding import REFERENCE_KERNELS
from sprint.tools.relay import kernels_warm_up
from sprint.tools.relay.check import check_kernels
from sprint.tools.relay.kernels_warm_up import (
    FOLDERS_MAX,
    KernelsWarmUp,
    cache_folder,
    compile_apart,
    own_folder,
    sources_hash,
)

ROOT = Path(core.__path__[0]).parent.parent
TIMEOUT_S = 120.0
QUICK = "sha"  # its pieces compile ten times as fast as the others'


@pytest.fixture(autouse=True)
def plain_again() -> Iterator[None]:
    before = kernels.in_use()
    yield
    kernels.use(before)


def warmed(wanted: str, **environment: str) -> KernelsWarmUp:
    warm_up = KernelsWarmUp(wanted, environment)
    asyncio.run(warm_up.run())
    return warm_up


def test_a_warm_up_swaps_the_kernels_that_callers_already_hold() -> None:
    from_before = kernels.merkle_root_of
    assert kernels.in_use() is REFERENCE_KERNELS
    warm_up = warmed("auto", **os.environ)
    assert warm_up.state.state == "compiled"
    assert kernels.in_use().tier == warm_up.state.tier != kernels.REFERENCE
    ids = bytes(range(256)) * 8
    assert from_before(ids) == REFERENCE_KERNELS.merkle_root_of(ids)
    assert kernels.scan_block(b"", 0, 1, 1, mweb=False) is None


def test_what_the_compiler_brought_is_left_out_of_later_collections() -> None:
    gc.unfreeze()
    try:
        warmed("auto", **os.environ)
        assert gc.get_freeze_count() > 100_000
    finally:
        gc.freeze()


def test_reference_is_what_it_is_told_and_starts_nothing() -> None:
    warm_up = warmed("reference")
    assert (warm_up.state.state, warm_up.state.tier) == ("reference", "reference")
    assert kernels.in_use() is REFERENCE_KERNELS


def test_a_failure_leaves_plain_python_and_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, kernels_warm_up.__name__):
        warm_up = warmed("no such form", **os.environ)
    assert warm_up.state.state == "failed"
    assert warm_up.state.tier == "reference"
    assert "there are auto, avx512, sha, avx2, portable, reference" in warm_up.state.reason
    assert "plain Python stays in use" in caplog.text
    assert kernels.in_use() is REFERENCE_KERNELS


def answers_nothing(*_: object, **__: object) -> bytes:
    return b""


@pytest.mark.parametrize(
    "name", ["hash_pairs", "hash_headers", "merkle_root_of", "header_chain", "scan_block"]
)
def test_kernels_that_answer_otherwise_are_named_and_not_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("sprint.core.kernels.warm_up")
    right = module._kernels
    monkeypatch.setattr(module, "_kernels", lambda *parts: right(*parts)._replace(**{name: answers_nothing}))
    named = name.removesuffix("_of")
    with pytest.raises(KernelError, match=f"other answers than plain Python: {named};"):
        kernels.warm(str(own_folder(os.environ)), bytes(32), QUICK)
    assert kernels.in_use() is REFERENCE_KERNELS


@pytest.mark.parametrize("wanted", ["auto", "portable", "reference"])
def test_the_check_names_the_form_that_a_warm_up_then_puts_into_use(wanted: str) -> None:
    found = check_kernels(wanted)
    warm_up = warmed(wanted, **os.environ)
    assert (found.usable, found.tier, found.text) == (True, warm_up.state.tier, warm_up.state.text)


def test_the_check_says_that_a_named_form_cannot_be_had_and_that_auto_still_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("sprint.core.kernels.warm_up")
    monkeypatch.setattr(module, "processor_features", lambda: frozenset({"sse4.1"}))
    found = check_kernels("avx512")
    assert (found.usable, found.tier) == (False, "reference")
    assert "kernels 'avx512' need avx512bw, avx512f, avx512vl, this processor has not" in found.text
    assert check_kernels("auto").tier == "portable"
    monkeypatch.setattr(module.numba.config, "DISABLE_JIT", True)
    assert check_kernels("auto").usable
    assert not check_kernels("portable").usable


def test_a_secret_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="a secret of 31 bytes, the least is 32"):
        kernels.warm(None, bytes(31), QUICK)


def test_a_folder_that_others_may_write_to_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = own_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(KernelError, match="others may write to it"):
        own_folder({"XDG_CACHE_HOME": str(tmp_path)})
    with caplog.at_level(logging.WARNING), cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) as used:
        assert used != folder
        assert used.is_dir()
    assert not used.exists()
    assert "not kept for the next start" in caplog.text


def test_a_cache_that_cannot_be_made_costs_a_warning_only(tmp_path: Path) -> None:
    (tmp_path / "sprint").write_text("a file where the folder should be")
    with cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) as used:
        assert used.is_dir()


def test_no_more_folders_are_kept_than_the_limit(tmp_path: Path) -> None:
    for number in range(FOLDERS_MAX + 3):
        old = tmp_path / "sprint" / f"kernels-0.0.{number}-x"
        old.mkdir(parents=True, mode=0o700)
        os.utime(old, (number, number))
    (tmp_path / "sprint").chmod(0o700)
    used = own_folder({"XDG_CACHE_HOME": str(tmp_path)})
    left = sorted(path.name for path in (tmp_path / "sprint").iterdir())
    assert len(left) == FOLDERS_MAX
    assert used.name in left
    assert "kernels-0.0.0-x" not in left


def test_every_file_of_the_kernels_is_in_the_name_of_the_folder(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sprint" / "core" / "kernels", tmp_path / "kernels")
    before = sources_hash(tmp_path / "kernels")
    assert before == sources_hash()
    for path in sorted((tmp_path / "kernels").glob("*.py")):
        kept = path.read_bytes()
        path.write_bytes(kept + b"\n# edited\n")
        assert sources_hash(tmp_path / "kernels") != before, path.name
        path.write_bytes(kept)
    (tmp_path / "kernels" / "one_more.py").touch()
    assert sources_hash(tmp_path / "kernels") != before


PROGRAM = """
import json, os
import numba
from sprint.tools.relay.kernels_warm_up import own_folder
folder = own_folder(os.environ)
numba.config.CACHE_DIR = str(folder)
from sprint.core.kernels import warm_up
kernel = warm_up.sha256_compiled.header_chain
kernel.enable_caching()
kernel.compile(warm_up._SIGNATURES[kernel])
pieces = warm_up.compile_pieces("sha", cached=True)
headers = bytes(72) + (0x01010000).to_bytes(4, "little") + bytes(4)
print(json.dumps([folder.name, warm_up._header_chain(pieces, headers, 2**255)[1][0]]))
"""


def test_an_edited_kernel_is_never_served_from_the_old_cache(tmp_path: Path) -> None:
    """The edit is in a file that numba does not look at when it looks into its cache."""
    shutil.copytree(ROOT / "sprint", tmp_path / "sprint", ignore=shutil.ignore_patterns("__pycache__"))
    edited = tmp_path / "sprint" / "core" / "kernels" / "reference.py"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run() -> tuple[str, int]:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        name, fault = json.loads(done.stdout)
        return name, fault

    first_name, fault = run()
    assert fault == 2
    assert run() == (first_name, 2)
    text = edited.read_text(encoding="utf-8")
    assert "HEADER_PROOF = 2 " in text
    edited.write_text(text.replace("HEADER_PROOF = 2 ", "HEADER_PROOF = 8 "), encoding="utf-8")
    second_name, fault = run()
    assert second_name != first_name
    assert fault == 8


def relay_state(setting: str, **environment: str) -> tuple[str, str]:
    """Return state and reason after a warm-up in a process of its own."""
    program = (
        f"import asyncio, sys\n{setting}\n"
        "from sprint.tools.relay.kernels_warm_up import KernelsWarmUp\n"
        "warm_up = KernelsWarmUp('auto')\nasyncio.run(warm_up.run())\n"
        "print(warm_up.state.state, warm_up.state.reason)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    state, _, reason = done.stdout.strip().partition(" ")
    return state, reason


def test_with_compiling_switched_off_plain_python_works() -> None:
    state, reason = relay_state("", NUMBA_DISABLE_JIT="1")
    assert state == "failed"
    assert "NUMBA_DISABLE_JIT" in reason


def test_without_numba_plain_python_works(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['numba'] = None\n")
    state, reason = relay_state("", PYTHONPATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert state == "failed"
    assert "numba" in reason


def test_numba_is_not_imported_until_kernels_are_warmed() -> None:
    program = (
        "import sys, sprint.tools.relay.service, sprint.core.kernels\n"
        "print([name for name in ('numba', 'llvmlite', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_compiling_process_that_dies_is_told_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"compiling ended with 1: .*no such form"):
        asyncio.run(compile_apart(tmp_path, "no such form"))


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_stop_ends_the_compiling_process(tmp_path: Path) -> None:
    async def stopped() -> set[str]:
        before = children()  # of what other tests of this process share, such as a database
        task = asyncio.create_task(compile_apart(tmp_path, "auto"))
        begun: set[str] = set()
        while not begun:
            await asyncio.sleep(0)
            begun = children() - before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return begun & children()

    assert asyncio.run(stopped()) == set()
