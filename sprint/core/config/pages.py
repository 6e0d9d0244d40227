"""What `config example`, `show`, `explain` and the reference page print, made of the keys' own texts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_set import OWN_MARK, PackagedPolicies, parse_policy_set
from sprint.core.breaker.policy_table import NONE_WORD
from sprint.core.config.breaker_keys import EJECTED_KEY, INTERVALS, NO_POLICIES
from sprint.core.config.breakers import figures
from sprint.core.config.environment import URL_KEY, variable_of
from sprint.core.config.formats import key_text
from sprint.core.config.keys import (
    ANY_NAME,
    KEYS,
    POLICY_KEYS,
    SOURCES_KEY,
    Key,
    file_path,
    find_key,
    nearest,
)
from sprint.core.config.origins import Origin, Resolved
from sprint.core.config.sections import Config, SourceSection
from sprint.core.config.toml_text import literal
from sprint.core.database_url import without_password
from sprint.core.errors import ConfigError
from sprint.core.optimize.asked import DEFAULT_LEVEL
from sprint.core.optimize.levels import LEVELS
from sprint.core.relay.source_url import SCHEMES, without_secrets
from sprint.core.relay.tiers import TierPolicy, find_tier, highest_tier, parse_tiers

WIDTH = 100
EXAMPLE_HEAD = """\
# sprint.toml: every key, with its default where it has one.
# Precedence: flag > environment > file > tier > default. `sprint relay config explain KEY` tells of one.
"""
# What the example says where a name or a value must be given: a source of each kind that has keys of its own.
_EXAMPLE_SOURCES: tuple[dict[str, Any], ...] = (
    {"name": "core-1", "url": "p2p://127.0.0.1:8333", "provider": "own-rack", "mempool": False},
    {"url": "rpc://127.0.0.1:8332", "cookie_file": "~/.bitcoin/.cookie"},
    {"url": "rpcs://node.example:443", "user_env": "NODE_USER", "password_env": "NODE_PASSWORD"},
    {"url": "zmq://127.0.0.1:28332", "topics": ("rawblock", "sequence")},
)
# A key whose default is no value of its own.
_EXAMPLE_VALUES = {
    "relay.data_dir": "~/.local/share/sprint",
    "store.url": "postgresql://sprint@db.example/sprint?sslmode=verify-full",
    "store.auto_migrate": True,
    "chains.NAME.no_block_alarm_s": 4_500.0,
    "optimize.level": DEFAULT_LEVEL,
    **{f"optimize.{field}": value for field, value in figures(LEVELS[DEFAULT_LEVEL].fields)},
}
_EXAMPLE_NAMES = {"chains": "bitcoin", "tiers": "business", "breakers": "source"}


class Shown(msgspec.Struct, frozen=True):
    """A value that holds, and the layer it comes from."""

    key: str
    value: Any
    origin: str


def example(tiers_text: str, packaged: PackagedPolicies) -> str:
    """Return a whole config file with every key, commented out."""
    tiers = parse_tiers(tiers_text)
    policies = parse_policy_set(packaged, {}, _default_tier(tiers_text)).named
    values = _example_values(tiers[_EXAMPLE_NAMES["tiers"]], policies[_EXAMPLE_NAMES["breakers"]])
    lines = EXAMPLE_HEAD.splitlines()
    section = ""
    for key in KEYS.values():
        if key.field == "sources":
            continue
        if key.section != section:
            section = key.section
            lines += ["", f"# {_example_section(section)}"]
        lines += [f"#   {line}" for line in textwrap.wrap(_comment(key), WIDTH)]
        if not key.name.startswith(SOURCES_KEY):
            lines.append(f"# {key.field} = {_literal(values.get(key.name, key.default))}")
        elif key.field == SourceSection.__struct_fields__[-1]:
            lines += _example_sources(section)
    return "\n".join(lines) + "\n"


def explain(name: str, resolved: Resolved) -> str:
    """Tell of one key: what it is for, where it is set, what it is now; ConfigError if unknown."""
    _check_policy(name, resolved)
    key = find_key(name)
    variable = variable_of(name if name != key.name else key.name)
    rows = [
        ("", key.about),
        ("default", default_said(key)),
        ("file", f"{key.section} {key.field}"),
        ("environment", variable or _without_variable(name)),
        ("flag", key.flag or "none"),
        ("a change", "applied at once" if key.at_once else "restart needed"),
    ]
    rows += [("now", f"{_text(row)}   # {row.origin}") for row in _now(name, key, resolved)]
    return "\n".join([name, *(f"  {label + ':' if label else '':13}{text}" for label, text in rows)])


def _check_policy(name: str, resolved: Resolved) -> None:
    """Refuse a figure of a policy that there isn't: any name would do for one of a chain."""
    given, dot, _ = name.removeprefix("breakers.").partition(".")
    known = [*resolved.policies.named]
    if not name.startswith("breakers.") or not dot or OWN_MARK in name:
        return
    if given not in (*known, *NO_POLICIES, ANY_NAME):
        raise ConfigError(f"unknown key {name}: no policy {given}; {nearest(given, known)}")


def _now(name: str, key: Key, resolved: Resolved) -> list[Shown]:
    """Return the values that a key has now; of a breaker without figures of its own, those it goes by."""
    meant = ".".join(map(key_text, file_path(name))) if key.name.startswith(POLICY_KEYS) else name
    rows = [row for row in shown(resolved) if _matches(row.key, meant)]
    if rows or OWN_MARK not in name:
        return rows
    kind = file_path(name)[1].partition(OWN_MARK)[0]
    policy = resolved.policies.named.get(kind)
    if policy is None:
        raise ConfigError(f"{name}: a breaker's name begins with what it calls, as in source:CHAIN:NAME")
    value = dict(figures(policy))[key.field]
    return [Shown(meant, value, str(resolved.figure_origin(kind, key.field)))]


def _without_variable(name: str) -> str:
    return "none: a variable can't name one breaker" if ":" in name else "none: sources are a list"


def shown(resolved: Resolved) -> list[Shown]:
    """Return every value that holds, of tiers those that are served. Logins in URLs are left out."""
    return [Shown(name, value, str(origin)) for name, value, origin in _values(resolved)]


def show(resolved: Resolved, *, origins: bool) -> str:
    """Return all values as a config file that says the same, with the origin of each behind it if asked."""
    lines: list[str] = []
    table = ""
    for row in shown(resolved):
        if row.value is None and not row.key.startswith("breakers."):
            continue
        found = row.key.rpartition(".")[0]
        if found != table:
            table = found
            lines += ["", _table_line(found)]
        note = f"  # {row.origin}" if origins else ""
        lines.append(f"{_text(row)}{note}")
    return "\n".join(lines[1:])


def reference_tables() -> dict[str, str]:
    """Return the reference page's table of each section by its heading."""
    tables: dict[str, list[str]] = {}
    for key in KEYS.values():
        if key.name.startswith(("tiers.", POLICY_KEYS)):
            continue
        rows = tables.setdefault(
            key.section, ["| key | default | a change | what it is |", "| --- | --- | --- | --- |"]
        )
        rows.append(f"| `{key.field}` | {default_said(key)} | {_change_said(key)} | {key.about} |")
    return {heading: "\n".join(rows) for heading, rows in tables.items()}


def tier_table(tiers_text: str) -> str:
    """Return the reference page's table of the packaged tiers."""
    tiers = parse_tiers(tiers_text)
    rows = [f"| key | {' | '.join(tiers)} | a change | what it is |", "| --- " * (len(tiers) + 3) + "|"]
    for key in KEYS.values():
        if key.name.startswith("tiers."):
            figures = " | ".join(_figure(getattr(tier, key.field)) for tier in tiers.values())
            rows.append(f"| `{key.field}` | {figures} | {_change_said(key)} | {key.about} |")
    return "\n".join(rows)


def breaker_table(packaged: PackagedPolicies, tiers_text: str) -> str:
    """Return the reference page's table of the policies of what a relay calls, as packaged."""
    policies = parse_policy_set(packaged, {}, _default_tier(tiers_text))
    called = {name: dict(figures(policies.named[name])) for name in policies.figures_of}
    rows = [f"| key | {' | '.join(called)} | a change | what it is |", "| --- " * (len(called) + 3) + "|"]
    for key in KEYS.values():
        if key.name.startswith(POLICY_KEYS):
            cells = " | ".join(f"`{_literal(values[key.field])}`" for values in called.values())
            rows.append(f"| `{key.field}` | {cells} | {_change_said(key)} | {key.about} |")
    return "\n".join(rows)


def _default_tier(tiers_text: str) -> str:
    """Return the tier whose policy holds where nothing is configured."""
    tiers = parse_tiers(tiers_text)
    return highest_tier([tiers[name] for name in Config().relay.tiers]).name


def default_said(key: Key) -> str:
    """Say a key's default in words or as TOML."""
    if key.name.startswith("tiers."):
        return "the packaged tier's"
    if key.name.startswith(POLICY_KEYS):
        return "the packaged policy's"
    if key.default is msgspec.UNSET:
        return "must be given"
    if key.default is None or key.default == ():
        return key.default_said or "none"
    return f"`{literal(key.default)}`"


def _change_said(key: Key) -> str:
    return "at once" if key.at_once else "restart"


def _figure(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else f"{value:g}"


def _comment(key: Key) -> str:
    return f"{key.about}; default {default_said(key)}".replace("`", "")


def _example_section(section: str) -> str:
    return section.replace("NAME", _EXAMPLE_NAMES.get(section.strip("[").partition(".")[0], ""))


def _example_sources(section: str) -> list[str]:
    """Return the example's sources; the first one's heading stands above the keys' texts already."""
    lines: list[str] = []
    spoken = [source for source in _EXAMPLE_SOURCES if source["url"].partition(":")[0] in SCHEMES]
    for number, source in enumerate(spoken):
        lines += [f"# {_example_section(section)}"] if number else []
        lines += [f"# {field} = {literal(value)}" for field, value in source.items()]
    return lines


def _example_values(tier: TierPolicy, policy: Policy) -> dict[str, Any]:
    """Return the example's value of each key that has no default of its own."""
    of_tier = {f"tiers.{ANY_NAME}.{field}": value for field, value in figures(tier)}
    return _EXAMPLE_VALUES | of_tier | {POLICY_KEYS + field: value for field, value in figures(policy)}


def _values(resolved: Resolved) -> Iterator[tuple[str, Any, Origin]]:
    config = resolved.config
    for key in KEYS.values():
        section = key.name.partition(".")[0]
        if section not in ("chains", "tiers", "breakers"):
            value = getattr(getattr(config, section), key.field)
            said = without_password(value) if key.name == URL_KEY and value else value
            yield key.name, said, resolved.origin(key.name)
    for name, chain in config.chains.items():
        for field, value in msgspec.structs.asdict(chain).items():
            if field != "sources":
                dotted = f"chains.{name}.{field}"
                yield dotted, value, resolved.origin(dotted)
        for number, source in enumerate(chain.sources):
            yield from _source_values(f"chains.{name}.sources.{number}", source, resolved)
    for tier in (find_tier(resolved.tiers, name) for name in config.relay.tiers):
        for field, value in msgspec.structs.asdict(tier).items():
            if field != "name":
                dotted = f"tiers.{tier.name}.{field}"
                yield dotted, value, resolved.origin(dotted)
    yield from _breaker_values(resolved)


def _breaker_values(resolved: Resolved) -> Iterator[tuple[str, Any, Origin]]:
    """Return what holds: what stands beside the policies, then each that a relay's breakers go by."""
    settings, ejected = resolved.breakers, f"breakers.{EJECTED_KEY}"
    yield ejected, settings.group_ejected_percent_max, resolved.origin(ejected)
    for path, value in figures(settings.intervals, f"breakers.{INTERVALS}."):
        yield path, value, resolved.origin(path)
    for name, policy in resolved.policies.in_use.items():
        for field, value in figures(policy):
            if field != "name":
                dotted = f"breakers.{key_text(name)}.{field}"
                yield dotted, value, resolved.figure_origin(name, field)


def _source_values(
    place: str, source: SourceSection, resolved: Resolved
) -> Iterator[tuple[str, Any, Origin]]:
    for field, value in msgspec.structs.asdict(source).items():
        if value is not None:
            said = without_secrets(value) if field == "url" else value
            yield f"{place}.{field}", said, resolved.origin(f"{place}.{field}")


def _table_line(table: str) -> str:
    head, _, last = table.rpartition(".")
    return f"[[{head}]]" if last.isdigit() else f"[{table}]"


def _text(row: Shown) -> str:
    field = row.key.rpartition(".")[2]
    is_off = row.value is None and not row.key.startswith("breakers.")
    return f"# {field}" if is_off else f"{field} = {_literal(row.value)}"


def _literal(value: Any) -> str:
    """Return a value as TOML; a figure of a breaker that is off is a word there."""
    return literal(NONE_WORD if value is None else value)


def _matches(shown_key: str, name: str) -> bool:
    """Tell whether a shown value is of the key asked for, which may stand for several."""
    if shown_key == name:
        return True
    return find_key(shown_key).name == find_key(name).name and "NAME" in name
