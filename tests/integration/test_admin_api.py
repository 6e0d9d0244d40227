"""The admin API of a relay as an operator meets it: a process of its own, real sockets, a devnet node."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from sprint.core.monitor.codec import Delta, Snapshot, applied, decode, row_fields
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, wait_until_delivered

CHAIN = "litecoin-regtest"
ALICE, BOB = f"source:{CHAIN}:alice", f"source:{CHAIN}:bob/2 %"
BODY_SIZE = 10 * 1024 * 1024
ORDERS = 50
ORDERS_UNTIL_DROPPED_MAX = 3_000
WAIT_S = 20.0


class Scene(NamedTuple):
    """A relay on two ways to one node, and a client to its admin listener."""

    devnet: DevnetProcess
    relay: RelayProcess
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(str(self.client.base_url).rpartition(":")[2].rstrip("/"))

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.client.get("/api/breakers").json()["breakers"]}

    def sources(self) -> dict[str, dict[str, Any]]:
        listed = self.client.get("/api/sources").json()["sources"][CHAIN]
        return {source["name"]: source for source in listed}

    def order(self, breaker: str, action: str, reason: str = "") -> dict[str, Any]:
        answer = self.client.post(path_of(breaker, "state"), json={"action": action, "reason": reason})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def wait_for(self, source: str, state: str) -> None:
        wait_until(lambda: self.sources().get(source, {}).get("state") == state, f"{source} is {state}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("relay")
    with DevnetProcess(CHAIN, beside=True) as devnet:
        sources = (f"alice@{devnet.source_url}", f"bob/2 %@{devnet.url_of('rpc', 'rpc_port')}")
        arguments = [part for source in sources for part in ("--source", source)]
        with RelayProcess(folder, *arguments, "--data-dir", str(folder / "data")) as relay:
            client = httpx.Client(base_url=str(relay.serving.admin), trust_env=False, timeout=WAIT_S)
            made = Scene(devnet, relay, client)
            wait_until_delivered(relay.url, CHAIN, devnet.tip)
            made.wait_for("alice", "ready")
            made.wait_for("bob/2 %", "ready")
            yield made
            client.close()


def path_of(breaker: str, rest: str = "") -> str:
    return f"/api/breakers/{quote(breaker, safe='')}" + (f"/{rest}" if rest else "")


def watching(scene: Scene) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{scene.port}/ws", proxy=None, max_size=16 * 1024 * 1024)


def test_sources_and_breakers_are_told_with_each_other(scene: Scene) -> None:
    rows = scene.rows()
    assert {"store", ALICE, BOB} <= set(rows)
    assert rows[ALICE]["state"] == "closed"
    assert scene.sources()["alice"]["breaker"] == {
        "name": ALICE,
        "state": "closed",
        "reason": rows[ALICE]["reason"],
        "since": rows[ALICE]["since"],
    }
    health = scene.client.get("/api/health").json()
    assert (health["status"], health["reasons"]) == ("ok", [])
    chain = health["chains"][CHAIN]
    assert (chain["sources"], chain["sources_paused"], chain["breakers"]) == (2, 0, {"closed": 2})
    told = scene.client.get(path_of(BOB)).json()
    assert (told["source"], told["explanation"]["state"]) == ("bob/2 %", "closed")


def test_health_says_where_each_tier_is_served_and_how_many_follow_it(scene: Scene) -> None:
    def followed() -> list[int]:
        listeners = scene.client.get("/api/health").json()["listeners"]
        assert [(each["tier"], each["url"]) for each in listeners] == [("turbo", scene.relay.url)]
        return [each["subscribers"] for each in listeners]

    wait_until(lambda: followed() == [0], "nobody follows")
    with Listener(scene.relay.url):
        wait_until(lambda: followed() == [1], "one follows")


def test_an_operators_word_closes_a_connection_and_is_in_the_history_and_the_log(scene: Scene) -> None:
    with watching(scene) as watcher:
        assert isinstance(decode(watcher.recv(WAIT_S)), Snapshot)
        told = scene.order(ALICE, "force_open", "disk is replaced")
        assert (told["changed"], told["breaker"]["state"]) == (True, "force_open")
        transition = next_of(watcher, "transition")["transition"]
        assert transition["evidence"]["text"] == "operator via admin API: disk is replaced"
    scene.wait_for("alice", "waiting")
    health = scene.client.get("/api/health").json()
    assert health["status"] == "degraded"
    assert health["reasons"] == [f"breaker {ALICE} is force_open: operator via admin API: disk is replaced"]
    newest = scene.devnet.mine(1)[-1]
    wait_until_delivered(scene.relay.url, CHAIN, newest)
    scene.order(ALICE, "reset", "disk is there")
    scene.wait_for("alice", "ready")
    rows = scene.client.get(path_of(ALICE, "history")).json()["transitions"]
    assert [(row["to"], row["evidence"]["text"]) for row in rows[-2:]] == [
        ("force_open", "operator via admin API: disk is replaced"),
        ("closed", "operator via admin API: disk is there"),
    ]
    log = [json.loads(line) for line in scene.relay.stderr_path.read_text().splitlines()]
    (said,) = [line for line in log if line["message"] == "breaker told: force_open"]
    assert (said["breaker"], said["by"], said["reason"]) == (
        ALICE,
        "operator via admin API",
        "disk is replaced",
    )


def next_of(watcher: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = msgspec.json.decode(watcher.recv(WAIT_S))
        if message["type"] == kind:
            return message


def test_a_watcher_that_lays_deltas_over_its_snapshot_has_what_is_asked_for(scene: Scene) -> None:
    with watching(scene) as watcher:
        snapshot = decode(watcher.recv(WAIT_S))
        assert isinstance(snapshot, Snapshot)
        held: dict[str, Any] = {row.name: row_fields(row) for row in snapshot.breakers}
        scene.order(BOB, "force_close")
        scene.order(BOB, "reset")
        seq = snapshot.seq
        wanted = scene.rows()[BOB]["transitions"]
        while held[BOB]["transitions"] != wanted:
            message = decode(watcher.recv(WAIT_S))
            assert message.seq == seq + 1
            seq = message.seq
            if isinstance(message, Delta):
                held = dict(applied(held, message))
    assert held[BOB]["state"] == scene.rows()[BOB]["state"] == "closed"


def test_fifty_orders_at_once_leave_one_history_without_a_break(scene: Scene) -> None:
    before = scene.client.get(path_of(BOB, "history")).json()["transitions"]
    actions = ["force_open", "reset", "force_close", "release", "reset"] * (ORDERS // 5)
    with ThreadPoolExecutor(ORDERS) as pool:
        told = list(pool.map(lambda action: scene.order(BOB, action), actions))
    rows = scene.client.get(path_of(BOB, "history")).json()["transitions"][len(before) :]
    assert len(rows) >= sum(each["changed"] for each in told)
    assert all(first["to"] == second["from"] for first, second in pairwise(rows))
    assert all(first["number"] < second["number"] for first, second in pairwise(rows))
    assert scene.order(BOB, "reset")["breaker"]["state"] == "closed"
    scene.wait_for("bob/2 %", "ready")


@pytest.mark.parametrize(("scheme", "port"), [("p2p", "port"), ("rpc", "rpc_port"), ("zmq", "zmq_port")])
def test_a_source_is_added_paused_resumed_and_removed_while_blocks_flow(
    scene: Scene, scheme: str, port: str
) -> None:
    name = f"carol#{scheme}"
    source = {"source": f"{name}@{scene.devnet.url_of(scheme, port)}", "reason": "third"}
    added = scene.client.post("/api/sources", json=source)
    assert (added.status_code, added.json()["source"]["name"]) == (201, name)
    scene.wait_for(name, "ready")
    twice = scene.client.post("/api/sources", json=source)
    assert (twice.status_code, twice.json()["code"]) == (409, "source_refused")
    carol = f"/api/sources/{CHAIN}/{quote(name, safe='')}"
    paused = scene.client.post(f"{carol}/state", json={"action": "pause", "reason": "upgrade"}).json()
    assert (paused["changed"], paused["warning"]) == (True, None)
    told = scene.sources()[name]
    assert (told["state"], told["reason"]) == ("paused", "paused by operator via admin API: upgrade")
    assert told["retry_in_s"] is None
    assert scene.client.get("/api/health").json()["chains"][CHAIN]["sources_paused"] == 1
    wait_until_delivered(scene.relay.url, CHAIN, scene.devnet.mine(2)[-1])
    assert scene.client.post(f"{carol}/state", json={"action": "resume"}).json()["changed"] is True
    scene.wait_for(name, "ready")
    removed = scene.client.delete(f"{carol}?reason=enough")
    assert (removed.status_code, removed.json()) == (200, {"removed": name, "warning": None})
    assert name not in scene.sources()
    assert f"source:{CHAIN}:{name}" not in scene.rows()
    gone = scene.client.delete(carol)
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_source")
    assert "there is alice, bob/2 %" in gone.json()["detail"]


def test_with_all_sources_paused_the_chain_says_so_and_goes_on_when_one_is_resumed(scene: Scene) -> None:
    states = [f"/api/sources/litecoin/{quote(name, safe='')}/state" for name in ("alice", "bob/2 %")]
    assert scene.client.post(states[0], json={"action": "pause"}).json()["warning"] is None
    warning = scene.client.post(states[1], json={"action": "pause"}).json()["warning"]
    assert warning.startswith(f"no source of {CHAIN} runs")
    missed = scene.devnet.mine(1)[-1]
    for state in states:
        scene.client.post(state, json={"action": "resume"})
    wait_until_delivered(scene.relay.url, CHAIN, missed)
    scene.wait_for("alice", "ready")
    scene.wait_for("bob/2 %", "ready")


CHANGES = (
    ("POST", path_of(ALICE, "state")),
    ("PUT", path_of(ALICE, "config")),
    ("POST", "/api/sources"),
    ("POST", f"/api/sources/{CHAIN}/alice/state"),
)
FOREIGN = (
    ({"Origin": "http://evil.example"}, "origin_refused"),
    ({"Origin": "null"}, "origin_refused"),
    ({"Host": "rebound.example"}, "host_refused"),
)


@pytest.mark.parametrize(
    ("change", "headers", "code"),
    [
        *((change, *foreign) for change in CHANGES for foreign in FOREIGN),
        *((("DELETE", f"/api/sources/{CHAIN}/alice"), *foreign) for foreign in FOREIGN),
        *((change, {"Content-Type": "text/plain"}, "not_json") for change in CHANGES),
    ],
)
def test_a_page_of_another_origin_changes_nothing(
    scene: Scene, change: tuple[str, str], headers: dict[str, str], code: str
) -> None:
    before = scene.client.get(path_of(ALICE, "history")).json()
    given = {"Content-Type": "application/json", **headers}
    answer = scene.client.request(*change, content=b'{"action":"force_open"}', headers=given)
    assert answer.json()["code"] == code
    assert scene.client.get(path_of(ALICE, "history")).json() == before
    assert scene.sources()["alice"]["state"] == "ready"


def test_a_page_of_another_origin_watches_nothing(scene: Scene) -> None:
    url = f"ws://127.0.0.1:{scene.port}/ws"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None, origin=Origin("http://evil.example"))
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", [path_of(ALICE, "state"), "/api/sources"])
def test_ten_megabytes_are_refused_unread_and_the_next_is_served(scene: Scene, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = scene.client.post(path, content=b"[" * BODY_SIZE, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "limit 16384 bytes" in answer.json()["detail"]
    assert scene.client.get("/api/health").status_code == 200


def test_what_an_answer_names_as_its_type_is_served_where_it_was_given(scene: Scene) -> None:
    refused = scene.client.get(path_of("nobody"))
    kind = scene.client.get(refused.json()["type"])
    assert (kind.status_code, kind.json()["code"]) == (200, "unknown_breaker")
    assert kind.json() in scene.client.get("/problems").json()["problems"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/sources?chian=litecoin"),
        ("POST", "/api/sources?reason=x"),
        ("POST", "/api/sources/litecoin-regtest/alice/state?reason=x"),
        ("DELETE", "/api/sources/litecoin-regtest/alice?raeson=x"),
    ],
)
def test_a_misspelt_query_of_a_sources_path_is_refused(scene: Scene, method: str, path: str) -> None:
    body = {"action": "pause"} if method == "POST" else None
    answer = scene.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
    assert "query: no key" in answer.json()["detail"]
    assert scene.sources()["alice"]["state"] == "ready"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"action":"open"}', b'{"action":"reset","reason":1}', b"[" * 9_000]
)
def test_a_body_that_cannot_be_is_refused_with_what_would_be_right(scene: Scene, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = scene.client.post(path_of(ALICE, "state"), content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert scene.rows()[ALICE]["state"] == "closed"


def test_an_unknown_breaker_is_refused_with_those_near_it(scene: Scene) -> None:
    answer = scene.client.get(path_of(f"source:{CHAIN}:alise"))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_breaker")
    assert ALICE in answer.json()["detail"]


def test_a_watcher_that_does_not_read_is_dropped_and_costs_the_others_nothing(scene: Scene) -> None:
    with stalled_watcher(scene.port) as stalled, watching(scene) as watcher:
        snapshot = decode(watcher.recv(WAIT_S))
        seqs = [snapshot.seq]
        dropped = select.poll()
        dropped.register(stalled, 0)  # errors and hang-ups are told without being asked for
        for number in range(ORDERS_UNTIL_DROPPED_MAX):
            assert scene.order(BOB, "reset" if number % 2 else "force_close", "x" * 200)["changed"]
            seqs += seqs_upto_transition(watcher)
            if dropped.poll(0):
                break
        assert dropped.poll(WAIT_S * 1000)
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    scene.order(BOB, "reset")


def seqs_upto_transition(watcher: ClientConnection) -> list[int]:
    """Read up to the next transition; return the number of each message on the way."""
    seqs = []
    while True:
        message = msgspec.json.decode(watcher.recv(WAIT_S))
        seqs.append(message["seq"])
        if message["type"] == "transition":
            return seqs


@contextlib.contextmanager
def stalled_watcher(port: int) -> Iterator[socket.socket]:
    """A watcher that has begun and reads nothing any more."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        made.settimeout(WAIT_S)
        made.connect(("127.0.0.1", port))
        lines = (
            "GET /ws HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        made.sendall("\r\n".join([*lines, "\r\n"]).encode())
        assert made.recv(12) == b"HTTP/1.1 101"
        yield made
