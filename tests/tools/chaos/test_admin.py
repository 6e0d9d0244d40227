"""The client of a relay's admin API: it goes to no stranger, and says what a place is that is no relay."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sprint.core.chaos.blast_radius import Target, predicted
from sprint.core.chaos.map_codec import SOURCES_MAX, map_of
from sprint.core.chaos.sampling import AdminAnswers
from sprint.core.errors import ConfigError
from sprint.tools.chaos import admin as admin_module
from sprint.tools.chaos.admin import AdminFailed, RelayAdmin, checked_url
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import HOST, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener

CHAIN = "litecoin-regtest"


def test_the_map_and_a_sample_of_a_relay_are_what_it_is(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN, beside=True) as devnet:
        sources = (f"alice@{devnet.source_url}?provider=rack", f"bob@{devnet.url_of('rpc', 'rpc_port')}")
        arguments = [part for source in sources for part in ("--source", source)]
        with (
            RelayProcess(tmp_path, *arguments, "--data-dir", str(tmp_path / "data")) as relay,
            RelayAdmin(str(relay.serving.admin)) as admin,
        ):
            wait_until(lambda: all(each.usable for each in admin.map().sources), "both are usable")
            with Listener(relay.url):
                wait_until(lambda: admin.map().tiers[0].subscribers == 1, "one follows")
                found = admin.map()
            alice, bob = found.sources
            assert (alice.chain, alice.name, alice.provider) == (CHAIN, "alice", "rack")
            assert (alice.address, alice.breaker) == (f"{HOST}:{devnet.port}", f"source:{CHAIN}:alice")
            assert bob.url == f"rpc://{HOST}:{devnet.addresses['rpc_port']}"
            assert (found.tiers[0].tier, found.tiers[0].url) == ("turbo", relay.url)
            assert set(found.breakers) == {"store", alice.breaker, bob.breaker}
            assert predicted(found, [Target("provider", "rack")]).sources == (f"{CHAIN}:alice",)
            devnet.mine(2)
            wait_until(lambda: admin.sample(1.0).heights == {CHAIN: devnet.height}, "it has the tip")
            sample = admin.sample(2.5)
            assert (sample.at_s, sample.answered, sample.health) == (2.5, True, "ok")
            assert {each.name: each.state for each in sample.sources} == {"alice": "ready", "bob": "ready"}
            places = (
                (relay.url, "so it is the port of a tier"),
                (str(relay.serving.metrics), "so it is the metrics' port"),
            )
            for url, said in places:
                with RelayAdmin(url) as other, pytest.raises(AdminFailed, match=f"no /api/health, {said}"):
                    other.map()
        with RelayAdmin(admin.url) as after:
            assert not after.sample(3.0).answered


def test_a_place_where_nobody_listens_is_told_as_that() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        url = f"http://{HOST}:{taken.getsockname()[1]}"
        with RelayAdmin(url) as admin, pytest.raises(AdminFailed, match="nobody listens there"):
            admin.map()


def test_one_that_never_answers_is_given_up() -> None:
    with socket.create_server((HOST, 0)) as silent:
        url = f"http://{HOST}:{silent.getsockname()[1]}"
        with (
            RelayAdmin(url, timeout_s=0.2) as admin,
            pytest.raises(AdminFailed, match=r"no answer in 0\.2 s"),
        ):
            admin.map()


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Run a web server that answers all the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>", 200, "is no relay's admin listener (JSON is malformed"),
        (b"[]", 200, "is no relay's admin listener (Expected `object`"),
        (b"{}", 200, "is no relay's admin listener (Object missing required field `status`"),
        (b"", 404, "has no /api/health, so it is no relay"),
        (b"", 500, "/api/health: answered 500"),
    ],
)
def test_a_server_that_is_no_relay_is_told_as_that(body: bytes, status: int, said: str) -> None:
    with answering(body, status) as url, RelayAdmin(url) as admin:
        with pytest.raises(AdminFailed) as raised:
            admin.map()
        assert said in str(raised.value)
        assert not admin.sample(0.0).answered


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_module, "ANSWER_SIZE_MAX", 1_000)
    for size, said in ((1_000, "is no relay's admin listener"), (1_001, "over 1000 bytes")):
        with answering(b" " * size) as url, RelayAdmin(url) as admin, pytest.raises(AdminFailed, match=said):
            admin.map()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8081", "http://node.example:8081", "https://[2001:db8::1]"]
)
def test_a_stranger_is_not_asked_unless_it_is_allowed(url: str) -> None:
    with pytest.raises(ConfigError, match="is not on loopback, and the allow list has nothing"):
        RelayAdmin(url)
    host = url.partition("://")[2].removesuffix(":8081").strip("[]")
    assert checked_url(url, [host]) == url


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8081", "ftp://127.0.0.1", "http://127.0.0.1:8081/api", "http://127.0.0.1:x"]
)
def test_what_is_no_url_of_a_listener_is_refused_with_one_that_is(url: str) -> None:
    with pytest.raises(ConfigError, match=r"as --target http://127\.0\.0\.1:8081"):
        checked_url(url)


@pytest.mark.parametrize("over", [0, 1])
def test_a_map_has_a_limit_of_sources(over: int) -> None:
    row = b'{"name":"n","url":"p2p://127.0.0.1:1","provider":"n","state":"ready","breaker":null}'
    sources = b'{"sources":{"c":[' + b",".join([row] * (SOURCES_MAX + over)) + b"]}}"
    answers = AdminAnswers(b'{"status":"ok","chains":{}}', sources, b'{"breakers":[]}')
    if over:
        with pytest.raises(ValueError, match=f"{SOURCES_MAX + 1} sources, limit {SOURCES_MAX}"):
            map_of("http://127.0.0.1:1", answers)
    else:
        assert map_of("http://127.0.0.1:1", answers).sources[0].breaker == "source:c:n"
