"""An experiment in the Chaos Toolkit's format: steady state, method, rollbacks.

Source: chaostoolkit.org, "Open API for chaos experiments". JSON or YAML; the same file runs under `chaos run`
and here.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class PythonProvider(msgspec.Struct, frozen=True, tag="python", kw_only=True):
    """A function of a module, called with `arguments`."""

    module: str
    func: str
    arguments: dict[str, Any] = {}


class HttpProvider(msgspec.Struct, frozen=True, tag="http", kw_only=True):
    """A request. `timeout` in seconds: of all, or of connecting and reading; a pattern until resolved."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    arguments: Any = None
    timeout: float | list[float] | str = 30.0


class ProcessProvider(msgspec.Struct, frozen=True, tag="process", kw_only=True):
    """A command; `timeout` in seconds."""

    path: str
    arguments: Any = None
    timeout: float | None = None


Provider = PythonProvider | HttpProvider | ProcessProvider


class Pauses(msgspec.Struct, frozen=True):
    """Seconds to wait before and after; a pattern, as `${wait_s}`, until the experiment is resolved."""

    before: float | str = 0.0
    after: float | str = 0.0


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """A probe or an action. `tolerance` is what a probe of the hypothesis must give."""

    type: Literal["probe", "action"]
    name: str
    provider: Provider
    tolerance: Any = None
    pauses: Pauses = Pauses()
    background: bool = False


class Hypothesis(msgspec.Struct, frozen=True):
    """The steady state: probes whose tolerances hold while all is well."""

    title: str = ""
    probes: tuple[Activity, ...] = ()


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment. `contributions` and `extensions` are kept for other readers and do nothing here."""

    title: str
    description: str
    hypothesis: Hypothesis = Hypothesis()
    method: tuple[Activity, ...] = ()
    rollbacks: tuple[Activity, ...] = ()
    tags: tuple[str, ...] = ()
    configuration: dict[str, Any] = {}
    contributions: dict[str, Any] = {}
    extensions: tuple[dict[str, Any], ...] = ()
