"""`${name}` becomes what configuration and environment say, of its type, and a secret is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from sprint.core.chaos.experiment import HttpProvider, ProcessProvider
from sprint.core.chaos.experiment_codec import read_experiment
from sprint.core.chaos.substitution import configuration_of, resolved
from sprint.core.errors import ConfigError


def with_command(arguments: Any, configuration: dict[str, Any], **more: Any) -> Any:
    experiment = read_experiment(
        {
            "title": "a",
            "description": "b",
            "configuration": configuration,
            "method": [
                {
                    "type": "action",
                    "name": "run",
                    "provider": {"type": "process", "path": "ls", "arguments": arguments},
                    **more,
                }
            ],
        }
    )
    (activity,) = resolved(experiment, {"PORT": "80", "BAD": "se cret"}).method
    assert isinstance(activity.provider, ProcessProvider)
    return activity.provider.arguments, activity.pauses


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${n}", 5),
        ("$n", 5),
        ("at ${n}!", "at 5!"),
        ("$$n", "$n"),
        ("${HOME}", "${HOME}"),
        ("$", "$"),
        (["${n}", {"k": "${t}"}], [5, {"k": "x"}]),
    ],
)
def test_a_pattern_becomes_its_value_and_what_is_none_stays(text: Any, value: Any) -> None:
    given = text if isinstance(text, list) else [text]
    wanted = value if isinstance(text, list) else [value]
    assert with_command(given, {"n": 5, "t": "x"})[0] == wanted


def test_without_a_configuration_nothing_is_touched() -> None:
    assert with_command(["$$n", "${n}"], {})[0] == ["$$n", "${n}"]


def test_a_pause_may_be_a_pattern_and_must_then_be_known() -> None:
    assert with_command([], {"s": 3}, pauses={"after": "${s}"})[1].after == 3.0
    with pytest.raises(ConfigError, match=r"\$\{s\} is not in `configuration`, which has t"):
        with_command([], {"t": 3}, pauses={"after": "${s}"})
    with pytest.raises(ConfigError, match=r"pauses\.after: 'x'; want seconds"):
        with_command([], {"s": "x"}, pauses={"after": "${s}"})


def test_a_value_comes_from_the_environment_in_the_type_that_is_asked_for() -> None:
    env: dict[str, Any] = {"type": "env", "key": "PORT"}
    environment = {"PORT": "80", "FLAG": "no", "LIST": "[1]"}
    given = {
        "text": env,
        "whole": {**env, "env_var_type": "int"},
        "flag": {"type": "env", "key": "FLAG", "env_var_type": "bool"},
        "list": {"type": "env", "key": "LIST", "env_var_type": "json"},
        "default": {"type": "env", "key": "NONE", "default": 7},
        "plain": {"a": 1},
    }
    wanted = {"text": "80", "whole": 80, "flag": False, "list": [1], "default": 7, "plain": {"a": 1}}
    assert configuration_of(given, environment) == wanted


def test_what_the_environment_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match=r"configuration.token: the environment has no TOKEN"):
        configuration_of({"token": {"type": "env", "key": "TOKEN"}}, {})
    with pytest.raises(ConfigError, match="only `env`"):
        configuration_of({"token": {"type": "vault", "key": "TOKEN"}}, {})


def test_a_value_of_the_wrong_type_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        configuration_of({"n": {"type": "env", "key": "BAD", "env_var_type": "int"}}, {"BAD": "se cret"})
    assert "se cret" not in str(refused.value)
    assert "BAD is no int" in str(refused.value)


def test_an_address_that_is_still_a_pattern_is_refused() -> None:
    document = {
        "title": "a",
        "description": "b",
        "configuration": {"u": "http://127.0.0.1"},
        "method": [{"type": "probe", "name": "p", "provider": {"type": "http", "url": "${u}/x"}}],
    }
    (probe,) = resolved(read_experiment(document), {}).method
    assert isinstance(probe.provider, HttpProvider)
    assert probe.provider.url == "http://127.0.0.1/x"
    with pytest.raises(ConfigError, match="is not in `configuration`"):
        resolved(read_experiment({**document, "configuration": {"other": 1}}), {})
