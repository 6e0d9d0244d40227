"""The form by which an operator lays figures over a breaker's policy: which there are, and what was typed.

What is laid over anew takes the place of all that was laid over before, so a form begins with that: a field
that is left as it was stays laid over, one that is emptied is as the config has it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import inspect

from sprint.core.breaker.policy import Policy
from sprint.core.errors import ConfigError

NONE_WORD = "none"
TEXT_LENGTH_MAX = 40
_YES, _NO = ("true", "on", "yes"), ("false", "off", "no")

Kind = Literal["number", "count", "switch", "choice"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a policy by its dotted name. `wants` says in words what it may be.

    `least_excluded`: it must be above `least`. `may_be_none`: null switches it off.
    """

    name: str
    kind: Kind
    wants: str
    least: float | None = None
    least_excluded: bool = False
    greatest: float | None = None
    choices: tuple[str, ...] = ()
    may_be_none: bool = False


class Plan(NamedTuple):
    """What is to be laid over, as the relay takes it, and a sentence for each field that differs."""

    fields: dict[str, Any]
    changes: tuple[str, ...]


@cache
def figures() -> tuple[Figure, ...]:
    """Return all figures that may be laid over, in the order of the policy."""
    return tuple(_figures_of(Policy, ""))


def values_in(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the figures of a policy, or of what is laid over it, by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found |= values_in(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def laid_in(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is laid over a breaker's policy by now, by dotted names; `detail` is its relay's answer."""
    laid = detail.get("laid_over")
    fields = laid.get("fields") if isinstance(laid, Mapping) else None
    return values_in(fields) if isinstance(fields, Mapping) else {}


def said(value: object) -> str:
    """Return a figure as it stands in the form."""
    if value is None:
        return NONE_WORD
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def plan_of(detail: Mapping[str, Any], typed: Mapping[str, str]) -> Plan:
    """Return what a form asks for: `typed` are its texts by dotted names, those that were left out stay.

    ConfigError names the first field that can't be, with what was typed and what would be right.
    """
    config = detail.get("config")
    now = values_in(config) if isinstance(config, Mapping) else {}
    laid = laid_in(detail)
    after, changes = dict(laid), list[str]()
    for figure in figures():
        text = typed.get(figure.name, said(now.get(figure.name))).strip()
        if text == said(now.get(figure.name)):
            continue
        before = said(now.get(figure.name))
        if text:
            after[figure.name] = _read(figure, text)
            changes.append(f"{figure.name}: {before} -> {said(after[figure.name])}")
        elif figure.name in laid:
            del after[figure.name]
            changes.append(f"{figure.name}: {before} is taken back")
    return Plan(_nested(after), tuple(changes))


def _read(figure: Figure, text: str) -> object:
    word = text.casefold()
    if figure.may_be_none and word == NONE_WORD:
        return None
    if figure.kind == "switch" and word in _YES + _NO:
        return word in _YES
    if figure.kind == "choice" and word in figure.choices:
        return word
    if figure.kind in ("number", "count"):
        number = _number(word, figure.kind)
        if number is not None and _is_within(figure, number):
            return number
    raise ConfigError(f"{figure.name}: {text[:TEXT_LENGTH_MAX]!a}; want {figure.wants}")


def _number(text: str, kind: Kind) -> float | None:
    try:
        return int(text) if kind == "count" else float(text)
    except ValueError:
        return None


def _is_within(figure: Figure, number: float) -> bool:
    over = figure.least is None or number > figure.least or (
        number == figure.least and not figure.least_excluded
    )  # fmt: skip
    return over and (figure.greatest is None or number <= figure.greatest)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        record, dot, inner = name.rpartition(".")
        (fields.setdefault(record, {}) if dot else fields)[inner] = value
    return fields


def _figures_of(record: type[msgspec.Struct], prefix: str) -> Iterator[Figure]:
    for field in msgspec.structs.fields(record):
        kind = inspect.type_info(field.type)
        if isinstance(kind, inspect.StructType):
            yield from _figures_of(kind.cls, f"{field.name}.")
        elif prefix or field.name != "name":
            yield _figure(prefix + field.name, kind)


def _figure(name: str, kind: inspect.Type) -> Figure:
    types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    may_be_none = any(isinstance(each, inspect.NoneType) for each in types)
    only = next(each for each in types if not isinstance(each, inspect.NoneType))
    otherwise = f", or {NONE_WORD}" if may_be_none else ""
    match only:
        case inspect.BoolType():
            return Figure(name=name, kind="switch", wants="true or false")
        case inspect.LiteralType():
            choices = tuple(map(str, only.values))
            return Figure(name=name, kind="choice", wants=" or ".join(choices), choices=choices)
        case inspect.IntType() | inspect.FloatType():
            least = only.ge if only.gt is None else only.gt
            figure = Figure(
                name=name,
                kind="count" if isinstance(only, inspect.IntType) else "number",
                wants="",
                least=least,
                least_excluded=only.gt is not None,
                greatest=only.le,
                may_be_none=may_be_none,
            )
            return msgspec.structs.replace(figure, wants=_bounds(figure) + otherwise)
    raise TypeError(f"{name}: a figure of type {only} has no field in the form")


def _bounds(figure: Figure) -> str:
    whole = "a whole number " if figure.kind == "count" else ""
    least, greatest = f"{figure.least:,.10g}", f"{figure.greatest:,.10g}"
    return (
        f"{whole}above {least}, up to {greatest}"
        if figure.least_excluded
        else f"{whole}{least} to {greatest}"
    )
