"""Documents of the Chaos Toolkit's format: what is read comes back, what can't be is refused by its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chaos.experiment_codec import ACTIVITIES_MAX, document_of, read_experiment
from sprint.core.chaos.plain_values import NESTING_MAX
from sprint.core.chaos.substitution import resolved
from sprint.core.errors import ConfigError

PROBE: dict[str, Any] = {
    "type": "probe",
    "name": "answers",
    "tolerance": 200,
    "provider": {"type": "http", "url": "http://127.0.0.1:8080/", "timeout": [1, 2.5]},
}
ACTION: dict[str, Any] = {
    "type": "action",
    "name": "late",
    "provider": {"type": "python", "module": "a.b", "func": "late", "arguments": {"by": [1, {"x": None}]}},
    "pauses": {"before": 1, "after": "${hold_s}"},
    "background": True,
}
COMMAND: dict[str, Any] = {
    "type": "action",
    "name": "list",
    "provider": {"type": "process", "path": "ls", "arguments": ["-l", 3], "timeout": 5},
}
WHOLE: dict[str, Any] = {
    "version": "1.0.0",
    "title": "late",
    "description": "a source is late",
    "tags": ["a", "b"],
    "configuration": {"hold_s": 2, "token": {"type": "env", "key": "TOKEN", "default": "x"}},
    "contributions": {"availability": "high"},
    "extensions": [{"name": "ours", "more": 1}],
    "steady-state-hypothesis": {"title": "well", "probes": [PROBE]},
    "method": [ACTION, COMMAND],
    "rollbacks": [dict(COMMAND)],
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(WHOLE)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, part in inner for each in places(part, (*path, key)))]


def test_a_whole_document_comes_back_as_it_was() -> None:
    assert document_of(read_experiment(WHOLE)) == {
        **WHOLE,
        "steady-state-hypothesis": {
            "title": "well",
            "probes": [{**PROBE, "provider": {**PROBE["provider"], "method": "GET"}}],
        },
    }


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("title",), "", "title: ''; want a text"),
        (("method",), None, "method: nothing; want a list"),
        (("method", 0, "provider", "module"), "a b", r"method\[0\].provider.module: 'a b'; want a module"),
        (("method", 0, "provider", "func"), "_hidden", r"method\[0\].provider.func: '_hidden'; want"),
        (("method", 0, "provider", "type"), "magic", r"method\[0\].provider.type: 'magic'; want `python`"),
        (("method", 0, "type"), "deed", r"method\[0\].type: 'deed'; want `probe` or `action`"),
        (("method", 0, "pauses", "after"), "soon", r"method\[0\].pauses.after: 'soon'; want seconds"),
        (("method", 0, "pauses", "after"), -1, r"method\[0\].pauses.after: -1; want seconds"),
        (("method", 0, "background"), 1, r"method\[0\].background: 1; want true or false"),
        (("method", 1, "provider", "timeout"), 0, r"method\[1\].provider.timeout: 0; want seconds above 0"),
        (("method", 1, "provider", "path"), " ", r"method\[1\].provider.path: ' '; want a text"),
        (("rollbacks", 0, "name"), 3, r"rollbacks\[0\].name: 3; want a text"),
        (("tags",), ["", "b"], r"tags\[0\]: ''; want a text"),
        (("extensions", 0), {}, r"extensions\[0\].name: nothing"),
        (("steady-state-hypothesis", "probes", 0, "tolerance"), None, r"probes\[0\].tolerance: none"),
        (("steady-state-hypothesis", "probes", 0, "type"), "action", r"probes\[0\].type: 'action'"),
        (("steady-state-hypothesis", "title"), None, "steady-state-hypothesis.title: nothing"),
        (("steady-state-hypothesis", "probes", 0, "provider", "url"), "ftp://x", r"probes\[0\].provider.url"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(path: tuple[Any, ...], value: Any, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        read_experiment(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("rolbacks",), [], "rolbacks: no such key"),
        (("controls",), [{"name": "x", "provider": {}}], "controls: controls run code"),
        (("method", 0, "controls"), [{"name": "x"}], r"method\[0\].controls: controls run code"),
        (("method", 0, "ref"), "answers", r"method\[0\].ref: a reference is not followed"),
        (("method", 0, "provider", "secrets"), ["a"], r"method\[0\].provider.secrets: secrets are not read"),
        (("secrets",), {"a": {"b": {"type": "env", "key": "X"}}}, "secrets: secrets are not read"),
        (("dry",), "actions", "dry: `dry` is not read"),
        (("runtime",), {"rollbacks": {"strategy": "never"}}, "runtime: .*rollbacks are always done"),
    ],
)
def test_what_would_change_the_experiment_if_it_were_left_out_is_refused(
    path: tuple[Any, ...], value: Any, error: str
) -> None:
    with pytest.raises(ConfigError, match=error):
        read_experiment(changed(path, value))


def test_that_rollbacks_are_always_done_may_be_said() -> None:
    assert read_experiment(changed(("controls",), [])) == read_experiment(WHOLE)
    always = {"rollbacks": {"strategy": "always"}}
    assert read_experiment(changed(("runtime",), always)) == read_experiment(WHOLE)


def test_too_many_activities_and_too_deep_a_nesting_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"{ACTIVITIES_MAX + 1} activities, limit {ACTIVITIES_MAX}"):
        read_experiment(changed(("method",), [COMMAND] * (ACTIVITIES_MAX + 1)))
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ConfigError, match=f"limit {NESTING_MAX}"):
        read_experiment(changed(("configuration", "deep"), deep))
    with pytest.raises(ConfigError, match="more than"):
        read_experiment(changed(("configuration", "wide"), [0] * 30_000))


def test_what_json_does_not_have_is_refused() -> None:
    for value in (float("nan"), float("inf"), {1: 2}, b"x"):
        with pytest.raises(ConfigError, match=r"configuration\.x"):
            read_experiment(changed(("configuration", "x"), value))


@given(path=st.sampled_from(places(WHOLE)[1:]), value=json_values)
@settings(max_examples=400)
def test_a_document_with_any_value_in_any_place_is_read_the_same_twice_or_refused(
    path: tuple[Any, ...], value: Any
) -> None:
    try:
        experiment = read_experiment(changed(path, value))
    except ConfigError:
        return
    assert read_experiment(document_of(experiment)) == experiment
    try:
        resolved(experiment, {})
    except ConfigError:
        return


@given(json_values)
def test_garbage_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        read_experiment(value)
