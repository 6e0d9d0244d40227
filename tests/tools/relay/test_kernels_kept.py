"""Compiled kernels are kept whole or not at all, in a folder that is nobody else's, for one machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sprint import core
from sprint.core.errors import KernelError
from sprint.tools.relay import kernels_warm_up
from sprint.tools.relay.kernels_warm_up import (
    LEFT_BEHIND_S,
    compile_apart,
    compile_for,
    is_whole,
    machine_mark,
    own_folder,
)


def fill(folder: Path, content: bytes) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "scan.nbc").write_bytes(content)


async def compile_nothing(folder: Path, tier: str) -> None:
    """Stand in for the compiling process, which takes a minute."""
    fill(folder, tier.encode() * 100)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernels_warm_up, "compile_apart", compile_nothing)
    return tmp_path / "machine-0123-auto"


def test_a_truncated_file_of_the_cache_is_compiled_anew_instead_of_failing_at_every_start(kept: Path) -> None:
    asyncio.run(compile_for(kept, "auto"))
    assert is_whole(kept)
    file = kept / "code" / "scan.nbc"
    whole = file.read_bytes()
    file.write_bytes(b"")
    assert not is_whole(kept)
    asyncio.run(compile_for(kept, "auto"))
    assert is_whole(kept)
    assert file.read_bytes() == whole


@pytest.mark.parametrize("change", ["a bit", "one file more", "one less", "a name", "no hash", "no text"])
def test_changed_code_is_not_loaded_as_it_would_end_the_process(kept: Path, change: str) -> None:
    asyncio.run(compile_for(kept, "auto"))
    file = kept / "code" / "scan.nbc"
    if change == "a bit":
        file.write_bytes(b"b" + file.read_bytes()[1:])
    elif change == "one file more":
        (kept / "code" / "more.nbc").touch()
    elif change == "one less":
        file.unlink()
    elif change == "a name":
        file.rename(file.with_name("other.nbc"))
    elif change == "no hash":
        (kept / "hash-of-content").unlink()
    else:
        (kept / "hash-of-content").write_bytes(b"\xff")
    assert not is_whole(kept)


def test_a_compilation_that_was_killed_half_way_is_not_taken_for_whole_and_is_removed_later(
    tmp_path: Path,
) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    folder = own_folder(environment)
    killed, at_work = folder / "begun-killed", folder / "begun-at-work"
    for each in (killed, at_work):
        each.mkdir()
        fill(each, b"half")
    long_ago = folder.stat().st_mtime - LEFT_BEHIND_S - 60
    os.utime(killed, (long_ago, long_ago))
    assert not is_whole(folder / "machine-0123-auto")
    own_folder(environment)
    assert not killed.exists()
    assert at_work.exists()


def test_what_another_relay_compiled_meanwhile_stays_as_it_may_be_in_use(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def while_another_is_faster(folder: Path, tier: str) -> None:
        fill(folder, b"second")
        monkeypatch.setattr(kernels_warm_up, "compile_apart", compile_nothing)
        await compile_for(kept, tier)

    monkeypatch.setattr(kernels_warm_up, "compile_apart", while_another_is_faster)
    asyncio.run(compile_for(kept, "auto"))
    assert is_whole(kept)
    assert (kept / "code" / "scan.nbc").read_bytes() == b"auto" * 100
    assert list(kept.parent.glob("begun-*")) == []


def test_a_failed_compilation_leaves_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def without_room(folder: Path, tier: str) -> None:
        fill(folder, b"half")
        raise KernelError("compiling ended with 1: OSError: No space left on device")

    monkeypatch.setattr(kernels_warm_up, "compile_apart", without_room)
    with pytest.raises(KernelError, match="No space left"):
        asyncio.run(compile_for(kept, "auto"))
    assert list(kept.parent.iterdir()) == []


def test_code_of_an_upgrade_that_came_while_compiling_is_not_kept_under_the_old_name(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = iter(["before", "after"])
    monkeypatch.setattr(kernels_warm_up, "sources_hash", lambda: next(hashes))
    with pytest.raises(KernelError, match="changed while they were compiled"):
        asyncio.run(compile_for(kept, "auto"))
    assert list(kept.parent.iterdir()) == []


def test_another_place_of_the_kernels_is_compiled_apart_and_not_in_the_relay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """numba keeps code by the place of its source: a second checkout found a mark, and none of its code."""
    before = machine_mark({})
    assert machine_mark({"NUMBA_BOUNDSCHECK": "1"}) != before == machine_mark({"HOME": "elsewhere"})
    monkeypatch.setattr(core, "__path__", ["/another/checkout/sprint/core"])
    assert machine_mark({}) != before


def test_the_compiling_process_imports_nothing_from_where_the_relay_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("msgspec", "sprint", "numba"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KernelError, match=r"compiling ended with 1: .*no such form"):
        asyncio.run(compile_apart(tmp_path, "no such form"))


def test_a_folder_below_one_that_all_may_write_to_is_not_used(tmp_path: Path) -> None:
    """Whoever may rename a folder above puts his own in its place after it was looked at."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(KernelError, match="XDG_CACHE_HOME name another place"):
        own_folder({"XDG_CACHE_HOME": str(shared / "cache")})
    shared.chmod(0o1777)  # as /tmp is: only who owns a folder in it may rename it
    assert own_folder({"XDG_CACHE_HOME": str(shared / "cache")}).is_dir()


def test_a_link_is_followed_once_and_what_it_leads_to_is_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "sprint").symlink_to(tmp_path / "real")
    assert own_folder({"XDG_CACHE_HOME": str(tmp_path)}).parent == tmp_path / "real"
