"""The connections around an RPC session: opened again, paused, ended; logins are never shown."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from sprint.core.protocols.announcements import Announcement, BlockArrived, HashesAnnounced, HeadersAnnounced
from sprint.core.protocols.json_rpc.lane import RpcRequest
from sprint.core.protocols.json_rpc.settings import RpcSettings
from sprint.core.relay.source_url import SourceSpec, source_of
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.relay.check import check_sources
from sprint.tools.relay.sources import rpc
from sprint.tools.relay.sources.rpc import RpcConnection, RpcSource
from sprint.tools.runtime import clock
from tests.core.protocols.json_rpc.model_node import GENESIS, ModelNode
from tests.core.protocols.json_rpc.sessions import method_of
from tests.tools.relay.model_rpc_server import LOGIN, ModelRpcServer
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import CHAIN, Observer, SpyIntake

QUICK = RpcSettings(
    poll_interval_s_min=0.01, poll_interval_s_max=0.02, busy_wait_s_first=0.01, tip_interval_s_min=0.0
)


def spec_of(port: int, login: str = LOGIN, query: str = "") -> SourceSpec:
    return source_of("bitcoin", "regtest", f"rpc://{login}@127.0.0.1:{port}{query}", name="n")


def network() -> ChainNetwork:
    return ChainCatalog.installed().find_id(CHAIN)


Scene = Callable[[SpyIntake, RpcSource, ModelRpcServer], Awaitable[None]]


def against_a_node(
    scene: Scene, *, login: str = LOGIN, node: ModelNode | None = None, intake: SpyIntake | None = None
) -> None:
    """Run a source against a model of a node."""

    async def main() -> None:
        async with ModelRpcServer(node or ModelNode()) as server:
            spy = intake or SpyIntake()
            source = RpcSource(spec_of(server.port, login), network(), spy, Observer(), QUICK)
            task = asyncio.create_task(source.run())
            try:
                await scene(spy, source, server)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_block_is_heard_of_and_its_header_and_body_come_as_asked() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        view = source.view()
        assert (view.state, view.user_agent, view.connects) == ("ready", "/Model:1/", 1)
        (tip,) = server.mine()
        heard = await intake.next()
        assert isinstance(heard, HashesAnnounced)
        assert heard.hashes == (tip,)
        intake.request(locator=[GENESIS])
        headers = await intake.next()
        assert isinstance(headers, HeadersAnnounced)
        assert headers.headers == tuple(server.node.headers_above(0))
        intake.request(bodies=[tip])
        body = await intake.next()
        assert isinstance(body, BlockArrived)
        assert body.raw == server.node.blocks[tip]
        assert source.view().blocks_received == 1

    against_a_node(scene)


def test_a_node_that_cannot_wait_is_polled() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        for _ in range(3):
            (tip,) = server.mine()
            heard = await intake.next()
            assert isinstance(heard, HashesAnnounced)
            assert heard.hashes == (tip,)

    node = ModelNode()
    node.refuse["waitforblockheight"] = -32601
    against_a_node(scene, node=node)


def test_a_proxy_that_takes_no_batches_is_followed_and_said_to_be_one() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        (row,) = await check_sources([source.spec])
        assert row.usable
        assert row.reason == f"it has no block above genesis; {source.view().notes[0]}"
        (tip,) = server.mine()
        assert isinstance(await intake.next(), HashesAnnounced)
        intake.request(locator=[GENESIS], bodies=[tip])
        assert {type(await intake.next()) for _ in range(2)} == {HeadersAnnounced, BlockArrived}
        view = source.view()
        assert view.faults == {"batch_refused": 1}
        assert "(HTTP status 400): each call is asked alone" in view.notes[0]

    node = ModelNode()
    node.batch_calls_max = 0
    against_a_node(scene, node=node)


def test_connections_that_the_node_closes_are_opened_again_without_a_loss() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        intake.request(bodies=[GENESIS])
        assert isinstance(await intake.next(), BlockArrived)
        for _ in range(3):
            await server.drop_connections()
            (tip,) = server.mine()
            heard = await intake.next()
            assert isinstance(heard, HashesAnnounced)
            intake.request(bodies=[tip])
            assert isinstance(await intake.next(), BlockArrived)
        assert (source.view().connects, source.view().faults) == (1, {})

    against_a_node(scene)


def test_a_node_that_closes_after_each_answer_is_followed() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        server.closes = True
        assert await intake.next() == "ready"
        server.mine(3)
        assert isinstance(await intake.next(), HashesAnnounced)
        intake.request(locator=[GENESIS])
        assert isinstance(await intake.next(), HeadersAnnounced)

    against_a_node(scene)


def test_a_node_that_went_away_is_connected_to_again() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        await server.__aexit__(None, None, None)
        lost = await intake.next()
        assert isinstance(lost, str)
        assert lost.startswith("lost: ")
        async with server:
            assert await intake.next() == "ready"
            assert source.view().connects >= 2

    against_a_node(scene)


def test_a_source_over_its_score_is_closed_and_blocked_for_a_time() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        assert intake.upstream is not None
        intake.upstream.penalise(99, "a small thing")
        assert source.view().state == "ready"
        intake.upstream.penalise(1, "merkle_root: false")
        told = "blocked: merkle_root: false (score 100, limit 100); shut out for 5 to 10 s"
        assert await intake.next() == told
        await until(lambda: source.view().state == "blocked")
        assert source.view().faults == {"invalid": 2}

    against_a_node(scene)


def test_a_paused_source_reads_nothing_until_it_is_resumed() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        intake.request(bodies=[GENESIS])
        assert isinstance(await intake.next(), BlockArrived)
        upstream = intake.upstream
        assert upstream is not None
        upstream.pause(paused=True)
        upstream.pause(paused=True)
        intake.request(locator=[GENESIS], bodies=[GENESIS])
        server.mine()
        # Another source of the same node hears of the block; this one's answer is then on its way too.
        other = SpyIntake()
        beside = asyncio.create_task(RpcSource(source.spec, network(), other, Observer(), QUICK).run())
        assert await other.next() == "ready"
        server.mine()
        assert isinstance(await other.next(), HashesAnnounced)
        assert intake.heard.empty()
        assert source.view().awaited_s > 0.0
        beside.cancel()
        upstream.pause(paused=False)
        wanted: set[type] = {HashesAnnounced, HeadersAnnounced, BlockArrived}
        while wanted:
            wanted.discard(type(await intake.next()))

    against_a_node(scene)


def test_time_in_which_nothing_was_read_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead_s = 0.0
    monkeypatch.setattr(rpc, "clock", lambda: clock() + ahead_s)

    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        nonlocal ahead_s
        assert await intake.next() == "ready"
        upstream = intake.upstream
        assert isinstance(upstream, RpcConnection)
        upstream.pause(paused=True)
        ahead_s = 1_000.0
        upstream.pause(paused=False)
        upstream._on_timer()
        assert not upstream.ended.done()

    against_a_node(scene)


class AskingIntake(SpyIntake):
    """Asks for what it hears of at once, as the relay's own does."""

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        super().announce(announcement, framed_at)
        if isinstance(announcement, HashesAnnounced):
            self.request(locator=[GENESIS], bodies=announcement.hashes)


def test_what_a_tip_leads_to_is_asked_for_before_the_next_wait_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wait takes one of the node's threads, of which there may be one."""
    asked: list[str] = []
    send = rpc._LaneConnection.send

    def note(lane: rpc._LaneConnection, request: RpcRequest) -> None:
        asked.append(method_of(request))
        send(lane, request)

    monkeypatch.setattr(rpc._LaneConnection, "send", note)

    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        asked.clear()
        server.mine()
        assert isinstance(await intake.next(), HashesAnnounced)
        assert asked[:3] == ["getblockheader", "getblock", "waitforblockheight"]

    against_a_node(scene, intake=AskingIntake())


async def ending_of(intake: SpyIntake) -> str:
    """How the connection ended, whatever was heard before."""
    while not isinstance(heard := await intake.next(), str):
        pass
    return heard


def test_what_is_no_node_is_given_up_and_its_fault_counted() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        server.raw = b"SSH-2.0-OpenSSH_9.2\r\n"
        server.mine()
        assert "does not speak HTTP" in await ending_of(intake)
        assert source.view().faults["http"] == 3

    against_a_node(scene)


def test_an_answer_over_its_limit_is_given_up() -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        server.raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
        server.mine()
        assert "blocked: answer of 99999999 bytes or more" in await ending_of(intake)

    against_a_node(scene)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_in_the_view_and_the_log_and_no_login_is(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(intake: SpyIntake, source: RpcSource, server: ModelRpcServer) -> None:
        server.status = status
        await until(lambda: f"({status})" in source.view().reason)
        assert source.view().state == "waiting"

    with caplog.at_level(logging.DEBUG):
        against_a_node(scene, login="alice:hunter2" if status == 401 else LOGIN)
    logged = [f"{record.getMessage()} {record.__dict__.get('fields')}" for record in caplog.records]
    assert any(f"({status})" in line for line in logged)
    assert not any("hunter2" in line or "alice" in line for line in logged)


def test_check_says_what_it_found() -> None:
    async def main() -> None:
        node = ModelNode()
        node.spoil["getblockhash"] = lambda _: "07" * 32
        async with ModelRpcServer(ModelNode()) as good, ModelRpcServer(node) as foreign:
            rows = await check_sources([spec_of(good.port), spec_of(foreign.port), spec_of(1)])
        assert [row.usable for row in rows] == [True, False, False]
        assert (rows[0].user_agent, rows[0].height) == ("/Model:1/", 0)
        assert rows[0].reason == "it has no block above genesis"
        assert "not at the genesis of bitcoin-regtest" in rows[1].reason
        assert "127.0.0.1" in rows[2].reason

    asyncio.run(main())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key in the same file."""
    path = tmp_path / "node.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here to make a certificate")
    made = tmp_path / "made.pem"
    subject = ("-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*command, *subject, "-keyout", path, "-out", made], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + made.read_bytes())
    return path


def test_rpcs_asks_over_tls_and_only_a_node_whose_certificate_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        async with ModelRpcServer(ModelNode(), tls=tls) as server:
            url = f"rpcs://{LOGIN}@127.0.0.1:{server.port}"
            spec = source_of("bitcoin", "regtest", url, name="n")
            (refused,) = await check_sources([spec])
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            (taken,) = await check_sources([spec])
            plain = msgspec.structs.replace(spec, scheme="rpc")
            (unencrypted,) = await check_sources([plain])
        assert (refused.usable, taken.usable, unencrypted.usable) == (False, True, False)
        assert "certificate verify failed" in refused.reason

    asyncio.run(main())


def test_a_providers_path_is_asked_over_tls_and_never_logged(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with ModelRpcServer(ModelNode(), tls=tls) as server:
            server.path = "/v1/hunter2"
            url = f"rpcs://{LOGIN}@127.0.0.1:{server.port}"
            right, wrong = (
                source_of("bitcoin", "regtest", url + path) for path in ("/v1/hunter2", "/hunter2")
            )
            rows = await check_sources([right, wrong])
            intake = SpyIntake()
            task = asyncio.create_task(RpcSource(right, network(), intake, Observer(), QUICK).run())
            assert await intake.next() == "ready"
            task.cancel()
        assert [row.usable for row in rows] == [True, False]
        assert "(404)" in rows[1].reason
        assert not any("hunter2" in repr(row) for row in rows)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    assert not any("hunter2" in f"{record.getMessage()} {record.__dict__}" for record in caplog.records)


def test_a_first_header_of_another_target_is_refused_by_check() -> None:
    async def main() -> None:
        node = ModelNode()
        node.mine(bits=0x1D00_FFFF)
        async with ModelRpcServer(node) as server:
            (row,) = await check_sources([spec_of(server.port)])
        assert not row.usable
        assert row.reason.startswith("its first header is refused: target: ")

    asyncio.run(main())
