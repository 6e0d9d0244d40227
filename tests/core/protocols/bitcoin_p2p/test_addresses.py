"""Addresses of nodes: both messages, the bounded book, and a session that wants them."""

from __future__ import annotations

import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p import address_book
from sprint.core.protocols.bitcoin_p2p.address_book import (
    ADDRESSES_KEPT_MAX,
    FAILURES_MAX,
    PER_PLACE_MAX,
    RETRY_AFTER_S,
    SEEDS_ASKED_MAX,
    AddressBook,
    seeds_to_ask,
)
from sprint.core.protocols.bitcoin_p2p.addresses import Addresses, AddressesV2, NodeAddress
from sprint.core.protocols.bitcoin_p2p.events import AddressesReceived
from sprint.core.protocols.bitcoin_p2p.messages import NODE_BLOOM
from sprint.core.wire import compact_size
from tests.core.protocols.bitcoin_p2p.peers import (
    SETTINGS,
    bare,
    commands,
    frame,
    peer_session,
    taken,
    version,
)

V4 = NodeAddress("8.8.4.4", 8333, 9, 1_700_000_000)
V6 = NodeAddress("2606:4700::1111", 8333, 1033, 1_700_000_000)
ADDRESSES = st.builds(
    NodeAddress,
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str),
    st.integers(0, 65_535),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
)


def is_ipv4_in_ipv6(address: NodeAddress) -> bool:
    return ipaddress.ip_address(address.host).packed.startswith(bytes(10) + b"\xff\xff")


@given(st.lists(ADDRESSES, max_size=20))
def test_addresses_are_read_again_in_both_forms(addresses: list[NodeAddress]) -> None:
    told = tuple(each for each in addresses if not is_ipv4_in_ipv6(each))
    assert Addresses.decode(Addresses(told).encode()).addresses == told
    assert AddressesV2.decode(AddressesV2(told).encode()).addresses == told


def entry_v2(network: int, address: bytes) -> bytes:
    return bytes(4) + compact_size(1) + bytes((network,)) + compact_size(len(address)) + address + b"\x20\x8d"


@pytest.mark.parametrize(("network", "size"), [(3, 10), (4, 32), (5, 32), (6, 16), (99, 512), (99, 0)])
def test_networks_other_than_ip_are_passed_over(network: int, size: int) -> None:
    payload = compact_size(2) + entry_v2(network, bytes(size)) + AddressesV2((V4,)).encode()[1:]
    assert AddressesV2.decode(payload).addresses == (V4,)


@pytest.mark.parametrize(("network", "size"), [(1, 3), (1, 5), (2, 4), (4, 16), (99, 513)])
def test_an_address_of_another_length_than_its_networks_is_refused(network: int, size: int) -> None:
    with pytest.raises(WireError):
        AddressesV2.decode(compact_size(1) + entry_v2(network, bytes(size)))


def test_ipv4_dressed_up_as_ipv6_is_passed_over() -> None:
    payload = compact_size(1) + entry_v2(2, bytes(10) + b"\xff\xff\x08\x08\x08\x08")
    assert AddressesV2.decode(payload).addresses == ()


@pytest.mark.parametrize("message", [Addresses, AddressesV2])
def test_a_thousand_addresses_are_taken_and_one_more_is_refused(
    message: type[Addresses | AddressesV2],
) -> None:
    assert len(message.decode(message((V4,) * 1_000).encode()).addresses) == 1_000
    with pytest.raises(WireError, match="addresses 1001, limit 1000"):
        message.decode(message((V4,) * 1_001).encode())


def test_a_session_that_wants_addresses_asks_for_them_and_tells_them_on() -> None:
    session = peer_session(msgspec.structs.replace(SETTINGS, addresses_wanted=True))
    session.receive_data(frame(version()), 0.0)
    assert commands(session) == ["version", "sendaddrv2", "verack"]
    session.receive_data(bare("verack"), 0.0)
    assert "getaddr" in commands(session)
    told = session.receive_data(bare("addr", Addresses((V4,)).encode()), 0.0)
    told += session.receive_data(bare("addrv2", AddressesV2((V6,)).encode()), 0.0)
    assert told == [AddressesReceived((V4,)), AddressesReceived((V6,))]


def test_a_session_that_wants_none_asks_for_none_and_tells_none() -> None:
    session = peer_session()
    session.receive_data(frame(version(services=9 | NODE_BLOOM)) + bare("verack"), 0.0)
    assert not {"getaddr", "sendaddrv2", "wtxidrelay", "mempool"} & set(commands(session))
    assert session.receive_data(bare("addr", Addresses((V4,)).encode()), 0.0) == []


def test_offers_are_not_made_to_a_version_that_does_not_know_them() -> None:
    session = peer_session(msgspec.structs.replace(SETTINGS, addresses_wanted=True))
    session.receive_data(frame(version(protocol_version=70_015)), 0.0)
    assert [each.command for each in taken(session)] == ["version", "verack"]


def many(count: int) -> list[NodeAddress]:
    """Addresses that are all in different places."""
    hosts = (f"{20 + n // 200}.{n % 200}.8.8" for n in range(count))
    return [NodeAddress(host, 8333, 9) for host in hosts]


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    book = AddressBook()
    assert book.add(many(ADDRESSES_KEPT_MAX + 1)) == ADDRESSES_KEPT_MAX == len(book)


def test_one_place_in_the_network_has_a_bounded_share() -> None:
    book = AddressBook()
    near = [NodeAddress(f"20.1.{n}.8", 8333, 9) for n in range(PER_PLACE_MAX + 5)]
    assert book.add(near) == PER_PLACE_MAX
    book.forget(near[0])
    assert book.add(near[-1:]) == 1


@pytest.mark.parametrize(
    "address",
    [
        NodeAddress("127.0.0.1", 8333, 9),
        NodeAddress("10.0.0.1", 8333, 9),
        NodeAddress("::1", 8333, 9),
        NodeAddress("224.0.0.1", 8333, 9),
        NodeAddress("8.8.4.4", 0, 9),
        NodeAddress("8.8.4.4", 8333, NODE_BLOOM),
        NodeAddress("no address", 8333, 9),
    ],
)
def test_what_cannot_be_reached_or_serves_no_blocks_is_not_kept(address: NodeAddress) -> None:
    assert AddressBook().add([address]) == 0


def test_one_that_served_before_is_chosen_before_one_that_was_only_told_of() -> None:
    book = AddressBook()
    addresses = many(20)
    book.add(addresses)
    book.succeeded(addresses[7], 0.0)
    assert {book.choose(draw / 10, 0.0) for draw in range(10)} == {addresses[7]}
    assert book.choose(0.99, 0.0, in_use=[(addresses[7].host, 8333)]) == addresses[19]


def test_one_that_failed_is_tried_later_and_later_and_then_never() -> None:
    book = AddressBook()
    (address,) = many(1)
    book.add([address])
    now = 0.0
    for failure in range(FAILURES_MAX - 1):
        assert book.choose(0.0, now) == address
        book.failed(address, now)
        assert book.choose(0.0, now + RETRY_AFTER_S * 2**failure - 1) is None
        now += RETRY_AFTER_S * 2**failure
    book.failed(address, now)
    assert (len(book), book.choose(0.0, now * 100)) == (0, None)


def test_what_is_kept_on_disk_is_taken_in_again() -> None:
    book = AddressBook()
    book.add(many(5))
    book.succeeded(many(5)[2], 0.0)
    assert AddressBook(book.entries()).entries() == book.entries()


@given(st.floats(0, 1, exclude_max=True))
def test_a_few_different_seeds_are_asked_from_a_random_one_on(draw: float) -> None:
    for chain_id, seeds in address_book.DNS_SEEDS.items():
        asked = seeds_to_ask(chain_id, draw)
        assert len(set(asked)) == len(asked) == min(SEEDS_ASKED_MAX, len(seeds))
    assert seeds_to_ask("bitcoin-regtest", draw) == ()
