"""A connection is opened in plain and over TLS, by IPv4 and IPv6, and none stays open where it fails."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import subprocess
from pathlib import Path

import psutil
import pytest

from sprint.core.duration import SECOND_NS
from sprint.tools import runtime
from sprint.tools.loadtest.opening import Place, open_socket
from sprint.tools.loadtest.request_template import RequestForm
from sprint.tools.loadtest.target_url import parse_url
from tests.tools.loadtest.one_run import OneRun, for_half_a_second, http, kinds
from tests.tools.loadtest.small_server import SmallServer, answering

BODY = "b" * 200_000
PATIENCE_NS = 20 * SECOND_NS  # for a machine that is busy with other work
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_requests_and_answers_come_whole_over_tls(
    certificate: tuple[Path, Path], version: ssl.TLSVersion
) -> None:
    """Of what TLS has taken in beyond what was asked of it the system doesn't tell again."""
    made, key = certificate
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made, key)
    serving.maximum_version = version
    asking = ssl.create_default_context(cafile=made)

    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                bodies.append(await reader.readexactly(len(BODY)))
                writer.write(LARGE)
                await writer.drain()
        writer.transport.abort()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        form = RequestForm(method="POST", body=BODY)
        make = http(url, form, tls=asking, timeout_ns=PATIENCE_NS)
        recording = await OneRun(for_half_a_second(20), make, timeout_ns=PATIENCE_NS).run()
        server.close()
        totals = recording.totals(SECOND_NS // 2)
        assert (totals.successes, kinds(recording)) == (10, {})
        assert totals.bytes_in == 10 * len(LARGE)
        assert bodies == [BODY.encode()] * 10

    runtime.run(main())


def test_ipv6_is_spoken_where_the_address_is_one() -> None:
    async def main() -> None:
        try:
            server = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = server.getsockname()[1]
        opened = await open_socket(Place(parse_url(f"http://[::1]:{port}/"), "::1", port, None))
        assert opened.getpeername()[:2] == ("::1", port)
        assert opened.gettimeout() == 0
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        opened.close()
        server.close()

    runtime.run(main())


def test_nothing_stays_open_of_one_that_could_not_be_opened(certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made, key)

    async def main() -> None:
        async with SmallServer(answering(LARGE), tls=serving) as server:
            place = Place(parse_url(server.url), "127.0.0.1", server.port, ssl.create_default_context())
            before = _ours(server.port)
            for _ in range(5):
                with pytest.raises(ssl.SSLCertVerificationError):
                    await open_socket(place)
            silent = socket.create_server(("127.0.0.1", 0))
            deaf = place._replace(port=silent.getsockname()[1])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await open_socket(deaf)
            gc.collect()
            assert (_ours(server.port), _ours(deaf.port)) == (before, 0)
            silent.close()

    runtime.run(main())


def _ours(port: int) -> int:
    """Count the ends of this process that are connected to a port."""
    found = psutil.Process().net_connections("tcp")
    return [tuple(each.raddr)[1:] for each in found].count((port,))
