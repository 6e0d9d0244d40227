"""Sums of multiples are what doubling and adding by the textbook gives, at every edge of the group."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.kernels.secp256k1 import (
    FIELD,
    GENERATOR,
    ORDER,
    Point,
    add_points,
    read_point,
    square_y,
    sum_of_multiples,
)

SCALARS = st.integers(0, ORDER - 1) | st.integers(0, 40) | st.integers(ORDER - 40, ORDER + 40)
# SEC 2's curve; twice and three times the generator as published in many places.
TWICE = (
    0xC6047F94_41ED7D6D_3045406E_95C07CD8_5C778E4B_8CEF3CA7_ABAC09B9_5C709EE5,
    0x1AE168FE_A63DC339_A3C58419_466CEAEE_F7F63265_3266D0E1_236431A9_50CFE52A,
)
THRICE_X = 0xF9308A01_9258C310_49344F85_F89D5229_B531C845_836F99B0_8601F113_BCE036F9


def slow_sum(left: Point, right: Point) -> Point:
    """Add as the curve is drawn: through two points goes a line, and it meets a third."""
    if left is None or right is None:
        return left or right
    if left[0] == right[0]:
        if (left[1] + right[1]) % FIELD == 0:
            return None
        slope = 3 * left[0] ** 2 * pow(2 * left[1], -1, FIELD)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, FIELD)
    x = (slope**2 - left[0] - right[0]) % FIELD
    return x, (slope * (left[0] - x) - left[1]) % FIELD


def slow_multiple(scalar: int, point: Point) -> Point:
    total: Point = None
    for bit in f"{scalar % ORDER:b}":
        total = slow_sum(total, total)
        if bit == "1":
            total = slow_sum(total, point)
    return total


def test_small_multiples_are_the_published_ones() -> None:
    assert sum_of_multiples([(2, GENERATOR)]) == add_points([GENERATOR, GENERATOR]) == TWICE
    found = sum_of_multiples([(3, GENERATOR)])
    assert found is not None
    assert found[0] == THRICE_X


@given(st.lists(st.tuples(SCALARS, SCALARS), max_size=4))
@settings(max_examples=30)
def test_a_sum_of_multiples_is_the_slow_sum(pairs: list[tuple[int, int]]) -> None:
    terms = [(scalar, slow_multiple(of, GENERATOR)) for scalar, of in pairs]
    wanted: Point = None
    for scalar, point in terms:
        wanted = slow_sum(wanted, slow_multiple(scalar, point))
    assert sum_of_multiples(terms) == wanted


@given(st.lists(SCALARS, max_size=5))
@settings(max_examples=30)
def test_points_are_added_as_the_slow_way_does(scalars: list[int]) -> None:
    points = [slow_multiple(scalar, GENERATOR) for scalar in scalars]
    wanted: Point = None
    for point in points:
        wanted = slow_sum(wanted, point)
    assert add_points(points) == wanted


def test_opposites_and_the_whole_order_add_up_to_nothing() -> None:
    opposite = (GENERATOR[0], FIELD - GENERATOR[1])
    assert add_points([GENERATOR, opposite]) is None
    assert add_points([]) is None
    assert sum_of_multiples([]) is None
    assert sum_of_multiples([(ORDER, GENERATOR)]) is None
    assert sum_of_multiples([(5, GENERATOR), (5, opposite)]) is None
    assert sum_of_multiples([(-1, GENERATOR)]) == opposite
    assert sum_of_multiples([(7, None), (1, GENERATOR)]) == GENERATOR


@given(SCALARS.filter(lambda scalar: scalar % ORDER))
@settings(max_examples=50)
def test_a_point_is_read_back_from_its_x_and_parity(scalar: int) -> None:
    point = sum_of_multiples([(scalar, GENERATOR)])
    assert point is not None
    x, y = point
    assert read_point(x, odd=bool(y % 2)) == point
    assert read_point(x, odd=not y % 2) == (x, FIELD - y)
    square = square_y(x)
    assert square in {y, FIELD - y}
    assert pow(square or 0, (FIELD - 1) // 2, FIELD) == 1


@pytest.mark.parametrize("x", [5, FIELD, FIELD + GENERATOR[0], 2**256 - 1])
def test_an_x_without_a_point_or_above_the_field_is_none(x: int) -> None:
    assert square_y(x) is None
    assert read_point(x, odd=True) is None
