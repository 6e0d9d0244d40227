"""A slow second opinion on targets and times: it walks a list of headers, as the rules are told.

Written from the rules, sharing nothing with `sprint`: the constants are restated as plain numbers, compact
targets are taken apart and put together as bytes, and nothing is summed up on the way.
"""

from __future__ import annotations

from collections.abc import Callable


class HeaderList:
    """Headers from `lowest` on, as pairs of time and compact target. Asked for one below, it raises."""

    def __init__(self, lowest: int, time: int, bits: int) -> None:
        self.lowest = lowest
        self.headers = [(time, bits)]

    @property
    def next_height(self) -> int:
        return self.lowest + len(self.headers)

    def time(self, height: int) -> int:
        return self._at(height)[0]

    def bits(self, height: int) -> int:
        return self._at(height)[1]

    def _at(self, height: int) -> tuple[int, int]:
        if height < self.lowest:
            raise LookupError(f"header {height} is below {self.lowest}")
        return self.headers[height - self.lowest]


def expand(bits: int) -> int:
    """A compact target's bytes: how many there are, then the three that lead."""
    raw = bits.to_bytes(4, "big")
    return int.from_bytes((raw[1:] + bytes(256))[: raw[0]], "big")


def compact(target: int) -> int:
    """The shortest big-endian bytes that are no negative number, of which three are kept."""
    raw = target.to_bytes(target.bit_length() // 8 + 1, "big")
    return int.from_bytes(bytes([len(raw)]) + (raw + bytes(3))[:3], "big")


def scaled(target: int, taken: int, wanted: int, least: int, most: int, easiest: int) -> int:
    taken = max(taken, least)
    taken = min(taken, most)
    moved = target * taken // wanted
    return compact(min(moved, easiest))


def last_ordinary_bits(headers: HeaderList, period: int, easiest_bits: int) -> int:
    """The target of the last header that was not mined under the testnet's exception."""
    height = headers.next_height - 1
    while height > 0 and height % period != 0 and headers.bits(height) == easiest_bits:
        height -= 1
    return headers.bits(height)


def bitcoin_main(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 != 0:
        return headers.bits(height - 1)
    taken = headers.time(height - 1) - headers.time(height - 2016)
    old = expand(headers.bits(height - 1))
    return scaled(old, taken, 1209600, 302400, 4838400, 2**224 - 1)


def bitcoin_signet(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 != 0:
        return headers.bits(height - 1)
    taken = headers.time(height - 1) - headers.time(height - 2016)
    return scaled(expand(headers.bits(height - 1)), taken, 1209600, 302400, 4838400, 0x377AE * 2**216)


def bitcoin_testnet3(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 == 0:
        return bitcoin_main(headers, time)
    if time > headers.time(height - 1) + 1200:
        return 0x1D00FFFF
    return last_ordinary_bits(headers, 2016, 0x1D00FFFF)


def bitcoin_testnet4(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 != 0:
        return bitcoin_testnet3(headers, time)
    taken = headers.time(height - 1) - headers.time(height - 2016)
    old = expand(headers.bits(height - 2016))
    return scaled(old, taken, 1209600, 302400, 4838400, 2**224 - 1)


def litecoin_main(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 != 0:
        return headers.bits(height - 1)
    start = 0 if height == 2016 else height - 2017
    taken = min(max(headers.time(height - 1) - headers.time(start), 75600), 1209600)
    old = expand(headers.bits(height - 1))
    new = old // 2 * taken // 302400 * 2 if old >= 2**235 else old * taken // 302400
    return compact(min(new, 2**236 - 1))


def litecoin_testnet(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    if height % 2016 == 0:
        return litecoin_main(headers, time)
    if time > headers.time(height - 1) + 300:
        return 0x1E0FFFFF
    return last_ordinary_bits(headers, 2016, 0x1E0FFFFF)


def dogecoin_main(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    old = expand(headers.bits(height - 1))
    if height >= 145000:
        off = headers.time(height - 1) - headers.time(height - 2) - 60
        eighth = off // 8 if off > 0 else -(-off // 8)
        return scaled(old, 60 + eighth, 60, 45, 90, 2**236 - 1)
    if height % 240 != 0:
        return headers.bits(height - 1)
    start = 0 if height == 240 else height - 241
    taken = headers.time(height - 1) - headers.time(start)
    least = 3600 if height > 10000 else 1800 if height > 5000 else 900
    return scaled(old, taken, 14400, least, 57600, 2**236 - 1)


def dogecoin_testnet(headers: HeaderList, time: int) -> int:
    height = headers.next_height
    late = time > headers.time(height - 1) + 120
    if height > 157500 and late:
        return 0x1E0FFFFF
    if height >= 145000 or height % 240 == 0:
        return dogecoin_main(headers, time)
    return 0x1E0FFFFF if late else last_ordinary_bits(headers, 240, 0x1E0FFFFF)


NEXT_BITS: dict[str, Callable[[HeaderList, int], int]] = {
    "bitcoin": bitcoin_main,
    "bitcoin-testnet": bitcoin_testnet3,
    "bitcoin-testnet4": bitcoin_testnet4,
    "bitcoin-signet": bitcoin_signet,
    "litecoin": litecoin_main,
    "litecoin-testnet": litecoin_testnet,
    "dogecoin": dogecoin_main,
    "dogecoin-testnet": dogecoin_testnet,
}


def least_time(chain_id: str, headers: HeaderList) -> int:
    """Return the first second that is above the median of the last eleven times, or of all there are.

    On testnet4 a period's first header is at most ten minutes earlier than the one before it.
    """
    height = headers.next_height
    times = [headers.time(h) for h in range(max(headers.lowest, height - 11), height)]
    least = sorted(times)[len(times) // 2] + 1
    if chain_id == "bitcoin-testnet4" and height % 2016 == 0:
        return max(least, headers.time(height - 1) - 600)
    return least
