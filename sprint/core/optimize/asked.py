"""What is asked for: a level and its fields, laid over each other from several places, each named.

From the lowest to the highest: the level of the tier served, a config's `[optimize]`, the profile that
`SPRINT_ENV` names, single variables, options. A higher layer's level brings that level's fields; single
fields that a layer sets stay set, whichever level is taken in the end.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.optimize.levels import LEVELS, LevelFields, LevelName, changed

DEFAULT_LEVEL: LevelName = "standard"
# The words of the project's first papers. Theirs for the two highest is one: the lower of them is taken.
WORDS: dict[str, LevelName] = {"high": "aggressive", "maximum": "enterprise"}
AMBIGUOUS = {
    "maximum": "the papers' maximum is enterprise and turbo; enterprise is taken, say turbo for that"
}
# Ours first: where both are set ours counts.
PROFILE_VARIABLES = ("SPRINT_ENV", "BITCOIN_SPRINT_ENV")
PROFILES: dict[str, LevelName] = {
    "development": "basic",
    "staging": "standard",
    "production": "enterprise",
    "hft": "turbo",
    "trading": "turbo",
}
_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off")
# What each variable of the papers sets; the same words stand in small letters in their JSON.
OVERRIDES = (
    *("GC_PERCENT", "MAX_CPU_CORES", "HIGH_PRIORITY"),
    *("LOCK_OS_THREAD", "PREALLOC_BUFFERS", "OPTIMIZE_SYSTEM"),
)
FIELDS = tuple(field.name for field in msgspec.structs.fields(LevelFields))


class Layer(msgspec.Struct, frozen=True):
    """One place that asks: its name as a person knows it, the level it names if any, the fields it sets."""

    origin: str
    level: str | None = None
    fields: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """What holds. `level_origin` and `origins` (by field) name the layer; notes say what is to be known.

    `changes` are the fields that somebody set otherwise than the level has them.
    """

    level: LevelName
    level_origin: str
    changes: dict[str, Any]
    origins: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def fields(self) -> LevelFields:
        """The level's fields with the changes laid over them."""
        return changed(LEVELS[self.level].fields, self.changes)

    def at(self, level: LevelName, origin: str) -> Asked:
        """Return the same changes at another level."""
        return msgspec.structs.replace(self, level=level, level_origin=origin)

    def after(self, before: Asked) -> Asked:
        """Return the same; what was set so before has its origin from then."""
        kept = {
            name: before.origins[name]
            for name, value in self.changes.items()
            if name in before.origins and before.changes.get(name) == value
        }
        return msgspec.structs.replace(self, origins={**self.origins, **kept})


def asked(layers: Sequence[Layer]) -> Asked:
    """Lay layers over each other, the lowest first; ConfigError names the layer and what would be right."""
    level, level_origin = DEFAULT_LEVEL, "default"
    fields: dict[str, Any] = {}
    origins: dict[str, str] = {}
    notes: list[str] = []
    for layer in layers:
        if layer.level is not None:
            level, level_origin = _level_of(layer, notes), layer.origin
        notes += layer.notes
        for name, value in layer.fields.items():
            fields[name], origins[name] = _checked(layer, name, value), layer.origin
    return Asked(level, level_origin, fields, origins, tuple(notes))


def find_level(word: str) -> LevelName:
    """Return a level by its name or by a word of the papers, in any case; ConfigError names the nearest."""
    wanted = word.strip().lower()
    for name in LEVELS:
        if wanted == name:
            return name
    if wanted in WORDS:
        return WORDS[wanted]
    raise ConfigError(f"level {word!r}: {_nearest(wanted, tuple(LEVELS))}")


def set_layer(texts: Sequence[str], origin: str = "--set") -> Layer:
    """Return the layer of `--set KEY=VALUE`; ConfigError where a text is none, or a key stands twice."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not value.strip():
            raise ConfigError(f"{origin} {text!r}: want KEY=VALUE, as {origin} gc_percent=50")
        if name in fields:
            raise ConfigError(f"{origin} {name} is given twice; keep one of them")
        fields[name] = value.strip()
    return Layer(origin, None, fields)


def environment_layers(environment: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return the layers of the profile and of single variables, as far as they are set."""
    layers = []
    for variable in PROFILE_VARIABLES:
        word = environment.get(variable, "").strip()
        if word:
            layers.append(Layer(f"{variable}={word}", _profile(variable, word)))
            break
    layers += [
        Layer(f"{name}={environment[name]}", None, overrides_of(name, environment[name], name))
        for name in OVERRIDES
        if environment.get(name, "").strip()
    ]
    return tuple(layers)


def overrides_of(name: str, value: object, origin: str) -> dict[str, Any]:
    """Return the fields that a word of the papers stands for; `origin` names it in an error."""
    match name.upper():
        case "GC_PERCENT":
            return {"gc_percent": _number(origin, value)}
        case "MAX_CPU_CORES":
            cpus = _number(origin, value)
            pinned = {"cpus_pinned": "wanted", "cpus_pinned_from_cpus": 1} if cpus else {}
            return {"cpus_pinned_max": cpus, **pinned}
        case "HIGH_PRIORITY":
            return {"realtime": "required" if _switch(origin, value) else "off"}
        case "LOCK_OS_THREAD":
            pinned = {"cpus_pinned": "wanted", "cpus_pinned_from_cpus": 1}
            return pinned if _switch(origin, value) else {"cpus_pinned": "off"}
        case "PREALLOC_BUFFERS":
            return {"preallocate_buffers": _switch(origin, value)}
        case "OPTIMIZE_SYSTEM":
            return {"system": _switch(origin, value)}
        case _:
            known = tuple(map(str.lower, OVERRIDES))
            raise ConfigError(f"unknown key {origin}; {_nearest(name.lower(), known)}")


def _profile(variable: str, word: str) -> LevelName:
    if word.lower() not in PROFILES:
        hint = _nearest(word.lower(), tuple(PROFILES))
        raise ConfigError(f"environment: {variable}={word}: no such profile; {hint}")
    return PROFILES[word.lower()]


def _level_of(layer: Layer, notes: list[str]) -> LevelName:
    """Return a layer's level; a word with two meanings is noted."""
    word = str(layer.level)
    try:
        found = find_level(word)
    except ConfigError as error:
        raise ConfigError(f"{layer.origin}: {error}") from error
    if word.strip().lower() in AMBIGUOUS:
        notes.append(f"{layer.origin}: {AMBIGUOUS[word.strip().lower()]}")
    return found


def _checked(layer: Layer, name: str, value: object) -> Any:
    """Return a field's value; ConfigError names its layer, which nobody could tell later."""
    if name not in FIELDS:
        raise ConfigError(f"{layer.origin}: unknown key {name}; {_nearest(name, FIELDS)}")
    try:
        return getattr(changed(LEVELS[DEFAULT_LEVEL].fields, {name: value}), name)
    except ConfigError as error:
        raise ConfigError(f"{layer.origin}: {str(error).removeprefix('optimize: ')}") from error


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _number(origin: str, value: object) -> int:
    """Return a whole number out of a variable's text or a file's value."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ConfigError(f"{origin} = {value!r}: want a whole number")
    try:
        return int(value)
    except ValueError as error:
        raise ConfigError(f"{origin}={value!r}: want a whole number") from error


def _switch(origin: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in (*_ON, *_OFF):
        raise ConfigError(f"{origin}={value!r}: want true or false")
    return word in _ON
