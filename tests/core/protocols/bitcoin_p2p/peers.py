"""What these tests share: a chain of headers, a ledger in memory, the other side's frames, two ends wired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sprint.core.chains.bitcoin import REGTEST
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import SessionEvent
from sprint.core.protocols.bitcoin_p2p.framing import Frame, FrameReader, encode_frame
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.messages import (
    NODE_NETWORK,
    NODE_WITNESS,
    Message,
    Version,
    decode_message,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession

SETTINGS = SessionSettings(user_agent="/sprint-test/")
OWN_NONCE = 11
PEER_NONCE = 22


def make_headers(count: int, parent: bytes = REGTEST.genesis_hash) -> list[bytes]:
    """Headers that follow one another; their proof of work is nobody's business here."""
    headers = []
    for number in range(count):
        headers.append(bytes(4) + parent + bytes(32) + number.to_bytes(12, "little"))
        parent = sha256d(headers[-1])
    return headers


class MemoryLedger:
    """Serves the blocks of `make_headers`; a body is its header and some bytes that tell the witness."""

    def __init__(self, headers: Sequence[bytes] = (), body_size: int = 100) -> None:
        self.headers = list(headers)
        self.body_size = body_size
        self.bodies_made = 0

    def height(self) -> int:
        return len(self.headers)

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        hashes = [sha256d(header[:HEADER_SIZE]) for header in self.headers]
        start = next((hashes.index(digest) + 1 for digest in locator if digest in hashes), 0)
        end = hashes.index(stop) + 1 if stop in hashes else len(hashes)
        return self.headers[start:end][:limit]

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        for header in self.headers:
            if sha256d(header[:HEADER_SIZE]) == digest:
                self.bodies_made += 1
                return body_of(header, witness=witness, size=self.body_size)
        return None


def body_of(header: bytes, *, witness: bool = True, size: int = 100) -> bytes:
    return header + (b"w" if witness else b"s") * (size - len(header))


def peer_session(
    settings: SessionSettings = SETTINGS, now: float = 0.0, network: NetworkParameters = REGTEST
) -> PeerSession:
    return PeerSession(network, settings, nonce=OWN_NONCE, now=now)


def serving_session(
    ledger: MemoryLedger | None = None, settings: SessionSettings = SETTINGS, now: float = 0.0
) -> ServingSession:
    return ServingSession(REGTEST, ledger or MemoryLedger(), settings, nonce=PEER_NONCE, now=now)


def version(
    *,
    protocol_version: int = 70_016,
    services: int = NODE_NETWORK | NODE_WITNESS,
    nonce: int = PEER_NONCE,
    user_agent: str = "/peer/",
) -> Version:
    return Version(
        protocol_version=protocol_version,
        services=services,
        timestamp=1_700_000_000,
        nonce=nonce,
        user_agent=user_agent,
        start_height=7,
        relay=True,
    )


def frame(message: Message, network: NetworkParameters = REGTEST) -> bytes:
    return encode_frame(network.magic, message.command, message.encode())


def bare(command: str, payload: bytes = b"", network: NetworkParameters = REGTEST) -> bytes:
    return encode_frame(network.magic, command, payload)


HANDSHAKE = frame(version()) + bare("verack")


def ready_peer_session(
    settings: SessionSettings = SETTINGS,
    now: float = 0.0,
    network: NetworkParameters = REGTEST,
    services: int = NODE_NETWORK | NODE_WITNESS,
) -> PeerSession:
    """A session whose handshake is done and whose own words are taken."""
    session = peer_session(settings, now, network)
    session.receive_data(frame(version(services=services), network) + bare("verack", b"", network), now)
    taken(session)
    return session


def ready_serving_session(
    ledger: MemoryLedger | None = None, settings: SessionSettings = SETTINGS, now: float = 0.0
) -> ServingSession:
    session = serving_session(ledger, settings, now)
    session.receive_data(frame(version(nonce=OWN_NONCE, services=NODE_WITNESS)) + bare("verack"), now)
    taken(session)
    return session


def taken(session: Link) -> list[Frame]:
    """All that a session has to say, as frames."""
    reader = FrameReader(session.parameters.magic)
    return [each for data in drained(session) for each in reader.feed(data)]


def is_open(session: Link) -> bool:
    return session.closed is None


def drained(session: Link) -> Iterator[bytes]:
    while data := session.data_to_send():
        yield data


def said(session: Link) -> list[Message]:
    """The messages with a record among what a session has to say."""
    messages = (decode_message(each.command, each.payload, session.parameters) for each in taken(session))
    return [message for message in messages if message is not None]


def commands(session: Link) -> list[str]:
    return [each.command for each in taken(session)]


def exchange(
    first: Link, second: Link, now: float = 0.0, cuts: Iterable[int] = ()
) -> tuple[list[SessionEvent], list[SessionEvent]]:
    """Carry bytes both ways until both are silent, in pieces of the sizes of `cuts`, then whole."""
    sizes = iter(cuts)
    events: tuple[list[SessionEvent], list[SessionEvent]] = ([], [])
    moved = True
    while moved:
        moved = False
        for sender, receiver, heard in ((first, second, events[1]), (second, first, events[0])):
            data = b"".join(drained(sender))
            moved = moved or bool(data)
            while data:
                size = next(sizes, len(data))
                heard.extend(receiver.receive_data(data[:size], now))
                data = data[size:]
    return events
