"""Every key of the config by its dotted name, and the leaves of a table held against them.

A key that stands for several is written with `NAME`: `chains.NAME.gap_after_s`, `tiers.NAME.port`,
`breakers.NAME.backoff.base_s`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta, inspect

from sprint.core.breaker.policy_table import NONE_WORD
from sprint.core.config.breaker_keys import (
    EJECTED_KEY,
    INTERVALS,
    NO_POLICIES,
    POLICY_SECTIONS,
    Field,
    beside_fields,
    policy_fields,
)
from sprint.core.config.formats import key_text
from sprint.core.config.sections import TIER_KEYS, ChainSection, Config, SourceSection
from sprint.core.errors import ConfigError
from sprint.core.relay.tiers import TierPolicy

ANY_NAME = "NAME"
SHOWN_LENGTH_MAX = 80
_EXAMPLES = {"chains": ".bitcoin", "tiers": ".free"}


class Key(msgspec.Struct, frozen=True):
    """One key. `kind` is the type to convert to; `default` is UNSET where a value must be given."""

    name: str
    kind: Any
    default: Any
    about: str
    flag: str
    at_once: bool
    default_said: str

    @property
    def section(self) -> str:
        """The heading it stands under, as in the file."""
        table = self.name.removesuffix(f".{self.field}")
        return f"[[{table}]]" if table.endswith(".sources") else f"[{table}]"

    @property
    def field(self) -> str:
        """What stands under that heading: `port`, and of a breaker's policy `backoff.base_s`."""
        if self.name.startswith(POLICY_KEYS):
            return self.name.removeprefix(POLICY_KEYS)
        return self.name.rpartition(".")[2]

    @property
    def is_list(self) -> bool:
        return isinstance(_bare(inspect.type_info(self.kind)), inspect.VarTupleType)

    def from_text(self, text: str) -> Any:
        """Read a value from a variable or the command line: a list is separated by commas."""
        return self.convert(text.split(",") if self.is_list else text, strict=False)

    def convert(self, value: object, *, strict: bool = True) -> Any:
        """Return a value of the key's kind; ConfigError says what was wanted."""
        if value == NONE_WORD and self._may_be_none():
            return None
        try:
            return msgspec.convert(value, self.kind, strict=strict)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{error}{self._choices(value)}") from error

    def _may_be_none(self) -> bool:
        """Tell whether it is a figure of a breaker that may be switched off."""
        kind = inspect.type_info(self.kind)
        return (
            self.name.startswith(POLICY_KEYS)
            and isinstance(kind, inspect.UnionType)
            and any(isinstance(each, inspect.NoneType) for each in kind.types)
        )

    def _choices(self, value: object) -> str:
        kind = _bare(inspect.type_info(self.kind))
        if isinstance(value, str) and self._may_be_none():
            return f'; want a number or "{NONE_WORD}"'
        if not isinstance(kind, inspect.LiteralType):
            return ""
        return f"; want {', '.join(map(str, kind.values))}"


class Leaf(NamedTuple):
    """A value of a table: its key, its own dotted name (`chains.bitcoin.gap_after_s`), where it stands."""

    key: Key
    name: str
    path: tuple[str | int, ...]
    value: Any


def find_key(name: str) -> Key:
    """Return the key that a dotted name means, as `chains.bitcoin.quorum`; ConfigError names the nearest."""
    parts = name.split(".")
    if parts[0] == "breakers":
        return _find_breaker_key(name)
    given = parts[1] if parts[0] in ("chains", "tiers") and len(parts) > 2 else ANY_NAME
    pattern = ".".join(
        part for part in name.replace(f".{given}.", f".{ANY_NAME}.", 1).split(".") if not part.isdigit()
    )
    found = KEYS.get(pattern)
    if found is None:
        known = [key.replace(ANY_NAME, given) if key.startswith(parts[0]) else key for key in KEYS]
        raise ConfigError(f"unknown key {name}; {nearest(name, known)}")
    return found


def file_path(name: str) -> tuple[str, ...]:
    """Return where a key stands in the file: `breakers`, `source:bitcoin:core-1`, `backoff`, `base_s`.

    A breaker's name may stand in quotes, as TOML has it, or without. ConfigError where there is no such key.
    """
    key = find_key(name)
    if not key.name.startswith(POLICY_KEYS):
        return tuple(name.split("."))
    given = name.removeprefix("breakers.").removesuffix(f".{key.field}")
    return ("breakers", _unquoted(given), *key.field.split("."))


def _unquoted(text: str) -> str:
    """Return a key as it is meant that may be quoted as TOML does it."""
    try:
        found = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return text
    return next(iter(found)) if text[:1] in ('"', "'") else text


def _find_breaker_key(name: str) -> Key:
    """Return the key of a policy's figure or of what stands beside; a breaker's name may have dots in it."""
    if name in KEYS:
        return KEYS[name]
    rest = name.removeprefix("breakers.")
    fields = [key.removeprefix(POLICY_KEYS) for key in KEYS if key.startswith(POLICY_KEYS)]
    found = [field for field in fields if rest.endswith(f".{field}") and rest != f".{field}"]
    if found:
        return KEYS[POLICY_KEYS + max(found, key=len)]
    given = rest.partition(".")[0]
    given = next(iter(difflib.get_close_matches(given, POLICY_SECTIONS, n=1)), given)
    known = [f"breakers.{given}.{field}" for field in fields]
    known += [key for key in KEYS if key.startswith("breakers.") and not key.startswith(POLICY_KEYS)]
    raise ConfigError(f"unknown key {name}; {nearest(name, known)}")


def read_leaves(table: Mapping[str, Any]) -> tuple[list[Leaf], list[str]]:
    """Return the leaves of a table, and what is wrong with it: unknown keys, values of the wrong kind."""
    problems: list[str] = []
    leaves = list(_walk(table, problems))
    kept = []
    for leaf in leaves:
        try:
            leaf.key.convert(leaf.value)
        except ConfigError as error:
            shown = "" if leaf.key.field == "url" else f" = {_shown(leaf.value)}"
            problems.append(f"{leaf.name}{shown}: {error}")
        else:
            kept.append(leaf)
    return kept, problems


def nearest(name: str, known: Sequence[str], prefix: str = "") -> str:
    """Say which of the known names comes nearest, or which there are."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(known)}"


def _walk(table: Mapping[str, Any], problems: list[str]) -> Iterator[Leaf]:
    known = [field.name for field in msgspec.structs.fields(Config)]
    for name, section in table.items():
        if name not in known:
            problems.append(f"unknown key {name}; {nearest(name, known)}")
        elif not isinstance(section, dict):
            problems.append(f"{name} is not a table; want [{name + _EXAMPLES.get(name, '')}]")
        elif name == "breakers":
            yield from _breakers(section, problems)
        elif name in ("chains", "tiers"):
            for inner, fields in section.items():
                yield from _section(fields, (name, inner), f"{name}.{ANY_NAME}", problems)
        else:
            yield from _section(section, (name,), name, problems)


def _section(
    fields: object, path: tuple[str | int, ...], section: str, problems: list[str]
) -> Iterator[Leaf]:
    """Walk one section. The key of each field is `section.field`; `path` says where it stands."""
    place = ".".join(map(str, path))
    if not isinstance(fields, dict):
        problems.append(f"{place} is not a table; want [{place}]")
        return
    known = {key.field: key for key in KEYS.values() if key.name.rpartition(".")[0] == section}
    for field, value in fields.items():
        if field not in known:
            named = "".join(f"{part}." for part in path if not isinstance(part, int))
            problems.append(f"unknown key {named}{field}; {nearest(field, list(known), named)}")
        elif known[field].name == SOURCES_KEY:
            yield from _sources(value, (*path, field), problems)
        else:
            yield Leaf(known[field], f"{place}.{field}", (*path, field), value)


def _breakers(section: Mapping[str, Any], problems: list[str]) -> Iterator[Leaf]:
    """Walk `[breakers]`: what stands beside the policies, then each of them with the records within."""
    beside = {name: value for name, value in section.items() if name in NO_POLICIES}
    yield from _flattened(beside, ("breakers",), "breakers.", problems)
    for name, fields in section.items():
        if name in NO_POLICIES:
            continue
        if isinstance(fields, dict):
            yield from _flattened(fields, ("breakers", name), POLICY_KEYS, problems)
        else:
            problems.append(_no_policy(name))


def _no_policy(name: str) -> str:
    """Say that what stands under `[breakers]` is no table, and which sections there are."""
    place = f"breakers.{key_text(name)}"
    if name in POLICY_SECTIONS:
        return f"{place} is not a table; want [{place}]"
    policies = ", ".join(f"[breakers.{each}]" for each in POLICY_SECTIONS)
    beside = f"{EJECTED_KEY} and [breakers.{INTERVALS}]"
    near = difflib.get_close_matches(name, (*NO_POLICIES, *POLICY_SECTIONS), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return (
        f"unknown key {place}; {hint}there are {beside}, for figures {policies}, a tier's [breakers.TIER] "
        f'and a breaker\'s own [breakers."source:CHAIN:NAME"]'
    )


def _flattened(
    fields: Mapping[str, Any], path: tuple[str, ...], pattern: str, problems: list[str]
) -> Iterator[Leaf]:
    """Walk fields of which some are tables of fields; `pattern` stands before a field in its key's name."""
    place = ".".join(map(key_text, path))
    known = [name.removeprefix(pattern) for name in KEYS if name.startswith(pattern)]
    for field, value in fields.items():
        is_record = any(name.startswith(f"{field}.") for name in known)
        if is_record and isinstance(value, dict):
            yield from _flattened(value, (*path, field), f"{pattern}{field}.", problems)
        elif is_record:
            problems.append(f"{place}.{field} is not a table; want [{place}.{field}]")
        elif field in known:
            yield Leaf(KEYS[pattern + field], f"{place}.{field}", (*path, field), value)
        else:
            problems.append(f"unknown key {place}.{field}; {nearest(field, known, f'{place}.')}")


def _sources(listed: object, path: tuple[str | int, ...], problems: list[str]) -> Iterator[Leaf]:
    place = ".".join(map(str, path))
    if not isinstance(listed, list) or not all(isinstance(source, dict) for source in listed):
        problems.append(f"{place} is no list of tables; want [[{place}]]")
        return
    for number, source in enumerate(listed):
        yield from _section(source, (*path, number), SOURCES_KEY, problems)
        if "url" not in source:
            problems.append(f'{place}.{number}: no url; want url = "p2p://host:port"')


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "…"


def _bare(kind: inspect.Type) -> inspect.Type:
    """Return a type without its description, and without the None that it may also be."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        kind = next(each for each in kind.types if not isinstance(each, inspect.NoneType))
    return kind


def _keys_of(
    section: str, record: type[msgspec.Struct], texts: Mapping[str, Meta] | None = None
) -> list[Key]:
    hints = get_type_hints(record, include_extras=True)
    keys = []
    for field in msgspec.structs.fields(record):
        meta = texts.get(field.name) if texts is not None else hints[field.name].__metadata__[-1]
        if meta is None:
            continue
        extra = meta.extra or {}
        default = msgspec.UNSET if field.required else field.default
        name, kind = f"{section}.{field.name}", hints[field.name]
        keys.append(
            Key(
                name, kind, default, meta.description or "", extra["flag"], extra["at_once"], extra["default"]
            )
        )
    return keys


def _breaker_key(prefix: str, field: Field) -> Key:
    return Key(
        prefix + field.path, field.kind, field.default, field.about, flag="", at_once=True, default_said=""
    )


def _all_keys() -> dict[str, Key]:
    found: list[Key] = []
    for field in msgspec.structs.fields(Config):
        if field.name == "chains":
            found += _keys_of(f"chains.{ANY_NAME}", ChainSection)
            found += _keys_of(SOURCES_KEY, SourceSection)
        elif field.name == "breakers":
            found += [_breaker_key("breakers.", field) for field in beside_fields()]
            found += [_breaker_key(POLICY_KEYS, field) for field in policy_fields()]
        elif field.name == "tiers":
            found += _keys_of(f"tiers.{ANY_NAME}", TierPolicy, TIER_KEYS)
        else:
            found += _keys_of(field.name, field.type)
    return {key.name: key for key in found}


POLICY_KEYS = f"breakers.{ANY_NAME}."
SOURCES_KEY = f"chains.{ANY_NAME}.sources"
KEYS: dict[str, Key] = _all_keys()
