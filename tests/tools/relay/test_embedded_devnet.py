"""The devnet that a relay brings: each node is three sources, told over HTTP, and no folder stays behind."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from sprint.core.errors import StoreFailing
from sprint.tools.relay.embedded_devnet import (
    FOLDER_PREFIX,
    LEFTOVER_AGE_S_MIN,
    LEFTOVERS_PER_START_MAX,
    temporary_folder,
)
from sprint.tools.relay.service import Serving
from sprint.tools.store.file_lock import FileLock, is_held, lock_path
from sprint.tools.store.settings import STORE_FILE
from tests.tools.relay.test_service import START_S, options, with_a_relay

NOW = 1_700_000_000.0


def leftover(place: Path, name: str, *, age_s: float = LEFTOVER_AGE_S_MIN, locked: bool = True) -> Path:
    """Make what a devnet leaves: a folder with its log and the log's lock, last changed `age_s` ago."""
    folder = place / f"{FOLDER_PREFIX}{name}"
    folder.mkdir()
    if locked:
        (folder / STORE_FILE).write_bytes(b"a log")
        lock_path(folder / STORE_FILE).write_text("4711\n")
    os.utime(folder, (NOW - age_s, NOW - age_s))
    return folder


async def until_found(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(START_S):
        while (await client.get(url)).status_code != 200:
            pass


def taken(place: Path) -> None:
    with temporary_folder(place, STORE_FILE, lambda: NOW) as folder:
        assert Path(folder).parent == place


def test_the_folder_of_a_killed_devnet_is_removed_by_the_next(tmp_path: Path) -> None:
    leftover(tmp_path, "left")
    leftover(tmp_path, "killed-before-its-log", locked=False)
    taken(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_log_is_held_or_that_is_young_or_foreign_stays(tmp_path: Path) -> None:
    held = leftover(tmp_path, "held")
    lock = FileLock(held / STORE_FILE)
    os.utime(held, (0, 0))
    young = leftover(tmp_path, "young", age_s=LEFTOVER_AGE_S_MIN - 1)
    somebodys = leftover(tmp_path, "somebodys", locked=False)
    (somebodys / "notes").write_text("not of a devnet")
    os.utime(somebodys, (0, 0))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("not ours to remove")
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(elsewhere)
    taken(tmp_path)
    assert {held, young, somebodys, elsewhere} < set(tmp_path.iterdir())
    assert (elsewhere / "kept").exists()
    lock.release()
    os.utime(held, (0, 0))
    taken(tmp_path)
    assert not held.exists()


def test_one_start_removes_a_bounded_number(tmp_path: Path) -> None:
    for number in range(LEFTOVERS_PER_START_MAX + 1):
        leftover(tmp_path, str(number), locked=False)
    taken(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_where_no_folder_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreFailing, match="--data-dir"):
        temporary_folder(tmp_path / "file" / "below", STORE_FILE, time.time)


def test_whether_a_lock_is_held_is_told_without_taking_it(tmp_path: Path) -> None:
    database = tmp_path / STORE_FILE
    assert not is_held(database)
    assert not lock_path(database).exists()
    lock = FileLock(database)
    assert is_held(database)
    lock.release()
    assert not is_held(database)


def test_each_node_is_a_source_by_p2p_by_json_rpc_and_by_zmq_that_all_announce_its_blocks() -> None:
    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient(base_url=serving.admin, trust_env=False) as client:
            await client.post("/api/devnet/litecoin/interval", json={"ms": 100})
            listed, heard = [], [0]
            async with asyncio.timeout(START_S):
                while not all(heard):
                    listed = (await client.get("/api/sources")).json()["sources"]["litecoin-regtest"]
                    heard = [row["standing"]["wins"] + row["standing"]["confirmations"] for row in listed]
            status = await client.get(f"{serving.listeners[0].url}/api/v1/chains/litecoin-regtest/status")
            assert status.json()["sources_ready"] == 3, "one that only announces is ready as well"
            assert [row["url"].partition(":")[0] for row in listed] == ["p2p", "rpc", "zmq"]
            assert {row["provider"] for row in listed} == {"devnet-litecoin"}

    with_a_relay(options(chains=("ltc",)), scene)


def test_the_devnet_keeps_the_pace_that_is_asked_for() -> None:
    asked = msgspec.structs.replace(options(chains=("ltc",)), devnet_interval_ms=0)

    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            node = (await client.get(f"{serving.admin}/api/devnet/litecoin")).json()
        assert (node["block_interval_ms"], node["height"]) == (0, 3)

    with_a_relay(asked, scene)


def test_a_relays_devnet_is_told_on_the_admin_listener_alone() -> None:
    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            nodes = (await client.get(f"{serving.admin}/api/devnet")).json()["nodes"]
            assert list(nodes) == ["litecoin-regtest"]
            # What is mined before the log has begun is below its first block.
            await until_found(client, f"{serving.listeners[0].url}/api/v1/litecoin/latest")
            mine = "/api/devnet/litecoin/mine"
            mined = (await client.post(serving.admin + mine, json={"count": 2})).json()["hashes"]
            assert len(mined) == 2
            for each in mined:
                await until_found(client, f"{serving.listeners[0].url}/api/v1/litecoin/block/{each}")
            assert (await client.post(serving.listeners[0].url + mine)).status_code == 404
            assert (await client.get(f"{serving.metrics}/api/devnet")).status_code == 404

    with_a_relay(options(chains=("ltc",)), scene)
