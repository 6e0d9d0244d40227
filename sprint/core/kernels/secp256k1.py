"""Points of the curve secp256k1: reading them, adding them, and sums of multiples (SEC 2, section 2.4.1).

y² = x³ + 7 over the field of `FIELD`; the points have the prime order `ORDER`. A point is a pair of
integers; None is the point at infinity. For public data only: the time taken depends on the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FIELD = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
GENERATOR = (
    0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
    0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
)
_WINDOW_BITS = 5
_SQUARE_ROOT = (FIELD + 1) // 4

Point = tuple[int, int] | None
_Jacobian = tuple[int, int, int]  # (X, Y, Z) stands for (X / Z², Y / Z³); Z = 0 for infinity
_INFINITY: _Jacobian = (1, 1, 0)


def square_y(x: int) -> int | None:
    """Return the y of x that is itself a square; None if no point has this x. The other y is its negative."""
    if x >= FIELD:
        return None
    squared = (x * x * x + 7) % FIELD
    y = pow(squared, _SQUARE_ROOT, FIELD)
    return y if y * y % FIELD == squared else None


def read_point(x: int, *, odd: bool) -> Point:
    """Return the point of a compressed key: with this x, and a y of this parity. None if there is none."""
    y = square_y(x)
    if y is None:
        return None
    return x, y if y % 2 == odd else FIELD - y


def add_points(points: Iterable[Point]) -> Point:
    """Return the sum of points."""
    total = _INFINITY
    for point in points:
        if point is not None:
            total = _add(total, point)
    return _affine(total)


def sum_of_multiples(terms: Sequence[tuple[int, Point]]) -> Point:
    """Return the sum of scalar times point over all terms, by signed windows that share their doublings."""
    tables = [_odd_multiples(point) for _, point in terms]
    digits = [_signed_digits(scalar % ORDER) for scalar, _ in terms]
    total = _INFINITY
    for place in range(max(map(len, digits), default=0) - 1, -1, -1):
        total = _double(total)
        for places, table in zip(digits, tables, strict=True):
            digit = places[place] if place < len(places) else 0
            if digit and table:
                x, y = table[abs(digit) >> 1]
                total = _add(total, (x, y if digit > 0 else FIELD - y))
    return _affine(total)


def _odd_multiples(point: Point) -> list[tuple[int, int]]:
    """1, 3, 5, … times a point, as far as a window reaches; none for infinity, which adds nothing."""
    if point is None:
        return []
    twice = _affine(_double((*point, 1)))
    table = [point]
    for _ in range((1 << _WINDOW_BITS - 2) - 1):
        following = add_points((table[-1], twice))
        if following is None:
            raise AssertionError("a small multiple of a point is infinity on a curve of prime order")
        table.append(following)
    return table


def _signed_digits(scalar: int) -> list[int]:
    """Write a scalar with odd digits below 16 in size and zeros between them, lowest first (wNAF)."""
    digits = []
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (1 << _WINDOW_BITS) - 1
            if digit >> _WINDOW_BITS - 1:
                digit -= 1 << _WINDOW_BITS
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _add(left: _Jacobian, right: tuple[int, int]) -> _Jacobian:
    x, y, z = left
    if not z:
        return (*right, 1)
    square = z * z % FIELD
    across = (right[0] * square - x) % FIELD
    up = (right[1] * square * z - y) % FIELD
    if not across:
        return _INFINITY if up else _double(left)
    across_2 = across * across % FIELD
    across_3 = across * across_2 % FIELD
    base = x * across_2 % FIELD
    sum_x = (up * up - across_3 - 2 * base) % FIELD
    return sum_x, (up * (base - sum_x) - y * across_3) % FIELD, z * across % FIELD


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    square = y * y % FIELD
    base = 4 * x * square % FIELD
    slope = 3 * x * x % FIELD
    twice_x = (slope * slope - 2 * base) % FIELD
    return twice_x, (slope * (base - twice_x) - 8 * square * square) % FIELD, 2 * y * z % FIELD


def _affine(point: _Jacobian) -> Point:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, FIELD)
    square = inverse * inverse % FIELD
    return x * square % FIELD, y * square * inverse % FIELD
