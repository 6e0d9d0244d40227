"""Tolerances hold for what the Chaos Toolkit's hold for, and what isn't done is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from chaoslib.hypothesis import within_tolerance
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.json_path import found
from sprint.core.chaos.tolerance import check_tolerance, within
from sprint.core.errors import ConfigError

ANSWER = {"status": 200, "headers": {}, "body": {"chains": [{"name": "a", "up": True}, {"name": "b"}]}}


def path_tolerance(path: str, **more: Any) -> dict[str, Any]:
    return {"type": "jsonpath", "path": path, "target": "body", **more}


@pytest.mark.parametrize(
    ("tolerance", "value", "held"),
    [
        (True, True, True),
        (True, False, False),
        ("ok", "ok", True),
        ("ok", "bad", False),
        (5, 5, True),
        (200, ANSWER, True),
        (0, {"status": 1, "stdout": ""}, False),
        ([200, 301], ANSWER, True),
        ([301, 302], ANSWER, False),
        ([1, 5], 3.5, True),
        ([1, 5], 5.1, False),
        ([1, 5], "x", False),
        (["a", "b", "c"], "b", True),
        ([], 1, False),
        ({"type": "range", "range": [1, 5]}, 5, True),
        ({"type": "range", "range": [1, 5]}, "4.5", True),
        ({"type": "range", "range": [1, 5]}, "x", False),
        ({"type": "range", "range": [1, 5]}, None, False),
        ({"type": "range", "range": [1, 5]}, float("nan"), False),
        ({"type": "range", "range": [200, 200], "target": "status"}, ANSWER, True),
        ({"type": "regex", "pattern": "^o"}, "ok", True),
        ({"type": "regex", "pattern": "^x"}, "ok", False),
        ({"type": "regex", "pattern": "1"}, 1, False),
        (path_tolerance("$.chains[*].name", count=2), ANSWER, True),
        (path_tolerance("$.chains[*].name", expect=["a", "b"]), ANSWER, True),
        (path_tolerance("$.chains[1].name", expect="a"), ANSWER, False),
        (path_tolerance("$.chains[0]['up']"), ANSWER, True),
        (path_tolerance("$.chains[9]"), ANSWER, False),
        ({"type": "jsonpath", "path": "$.a"}, '{"a": 1}', True),
    ],
)
def test_a_tolerance_holds_for_what_is_meant(tolerance: Any, value: Any, held: object) -> None:
    check_tolerance(tolerance, "tolerance")
    assert within(tolerance, value) is held


scalars = st.booleans() | st.integers(-3, 3) | st.text("ab1", max_size=2)
numbers = st.integers(-3, 3) | st.floats(-3, 3)
answers = scalars | st.floats(-3, 3) | st.fixed_dictionaries({"status": st.integers(-3, 3), "body": scalars})
toolkit_tolerances = (
    scalars
    | st.lists(st.integers(-3, 3), min_size=2, max_size=4)
    | st.builds(lambda a, b: {"type": "range", "range": [a, b]}, numbers, numbers)
    | st.builds(lambda p: {"type": "regex", "pattern": p}, st.sampled_from(["a", "^b", "1$", "[ab]+"]))
)


@given(tolerance=toolkit_tolerances, value=answers)
def test_the_toolkit_says_the_same_wherever_it_says_anything(tolerance: Any, value: Any) -> None:
    try:
        theirs = within_tolerance(tolerance, value)
    except (TypeError, AttributeError, ValueError):
        assert within(tolerance, value) is False
        return
    assert within(tolerance, value) == bool(theirs)


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        (1.5, "t: 1.5; want .*range"),
        (None, "t: nothing"),
        ({"type": "probe", "name": "x"}, "t: a probe as a tolerance is not done"),
        ({"type": "xpath"}, "t.type: 'xpath'; want range, regex or jsonpath"),
        ({"type": "range", "range": [1]}, r"t.range: \[1\]; want two numbers"),
        ({"type": "range", "range": [1, "2"]}, "t.range"),
        ({"type": "range", "range": [1, 2], "most": 3}, "t.most: no such key"),
        ({"type": "regex", "pattern": "("}, "t.pattern: .* is no regular expression"),
        ({"type": "regex"}, "t.pattern: nothing"),
        ({"type": "jsonpath", "path": "$..a"}, r"t.path: path '\$..a': '..a' is not taken here"),
        ({"type": "jsonpath", "path": "$.a[?(@.b)]"}, "is not taken here"),
        ({"type": "jsonpath", "path": "$.a[1:2]"}, "is not taken here"),
        ({"type": "jsonpath", "path": "a"}, r"begins with \$"),
        ({"type": "jsonpath", "path": "$", "count": -1}, "t.count: -1"),
    ],
)
def test_what_is_not_done_is_refused_by_its_place(tolerance: Any, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        check_tolerance(tolerance, "t")


@given(st.lists(st.sampled_from(["a", "b"]) | st.integers(0, 2), max_size=4), st.data())
def test_a_path_finds_what_stepping_by_hand_finds(steps: list[Any], data: st.DataObject) -> None:
    inner = st.recursive(
        st.integers(),
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from("ab"), part),
        max_leaves=8,
    )
    value: Any = data.draw(inner)
    whole = value
    there = True
    for step in steps:
        inside = isinstance(value, dict) if isinstance(step, str) else isinstance(value, list)
        there = inside and (step in value if isinstance(step, str) else step < len(value))
        if not there:
            break
        value = value[step]
    path = "$" + "".join(f".{each}" if isinstance(each, str) else f"[{each}]" for each in steps)
    assert found(path, whole) == ([value] if there else [])
