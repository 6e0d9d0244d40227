"""Environment variables as a layer of the config: `SPRINT_SECTION__KEY`, and the names of earlier papers.

Upper case, two underscores where the dotted name has a dot, one where a chain's id has a dash:
`SPRINT_RELAY__DATA_DIR`, `SPRINT_TIERS__FREE__PORT`, `SPRINT_CHAINS__LITECOIN_REGTEST__QUORUM`,
`SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sprint.core.config.breaker_keys import NO_POLICIES
from sprint.core.config.keys import ANY_NAME, KEYS, SOURCES_KEY, Key, nearest
from sprint.core.config.origins import Origin, Setting
from sprint.core.database_url import POSTGRES_SCHEMES, SQLITE_SCHEME, scheme_of
from sprint.core.errors import ConfigError

ENVIRONMENT_PREFIX = "SPRINT_"
# These configure the commands and the scripts themselves, not the relay.
ENVIRONMENT_RESERVED = (
    *("SPRINT_CONFIG", "SPRINT_REQUIRE_REAL", "SPRINT_SOAK", "SPRINT_SEED"),
    *("SPRINT_CHAOS_KEY", "SPRINT_CHAOS_JOURNAL", "SPRINT_MONITOR_KEY"),
    "SPRINT_ENV",  # the profile, which `sprint optimize` reads
)
TIER_VARIABLE = "TIER"
URL_KEY = "store.url"
URL_VARIABLE = "SPRINT_DATABASE_URL"
# Not ours alone: other programs' addresses stand in it too, so that it holds only where nothing else is said.
SHARED_URL_VARIABLE = "DATABASE_URL"
# Variables that the project's first papers name and nothing reads in this version, with why.
WITHOUT_MEANING = {
    "REDIS_URL": "there is no cache outside the process in this version",
    "AUDIT_LOGGING": "there is no audit log in this version",
    "SECURE_BUFFER_ENABLED": "there are no keys to protect in this version",
    "RUST_FFI_ENABLED": "it has no meaning here: there is no Rust part",
}
_OFF = ("", "0", "false", "no", "off")


def environment_settings(environment: Mapping[str, str]) -> tuple[list[Setting], list[str]]:
    """Return what variables set, and what is wrong with them."""
    settings: list[Setting] = []
    problems: list[str] = []
    if environment.get(TIER_VARIABLE):
        origin = Origin("environment", TIER_VARIABLE)
        settings.append(Setting("relay.tiers", (environment[TIER_VARIABLE],), origin))
    for variable, text in environment.items():
        if variable == URL_VARIABLE:
            continue
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in ENVIRONMENT_RESERVED:
            continue
        try:
            name, key = _key_of(variable)
        except ConfigError as error:
            problems.append(f"environment: {error}")
            continue
        try:
            settings.append(Setting(name, key.from_text(text), Origin("environment", variable)))
        except ConfigError as error:
            problems.append(f"environment: {variable}={text!r}: {error}")
    if environment.get(URL_VARIABLE):  # after SPRINT_STORE__URL, over which it goes
        settings.append(Setting(URL_KEY, environment[URL_VARIABLE], Origin("environment", URL_VARIABLE)))
    return settings, problems


def shared_url(environment: Mapping[str, str], origin: Origin | None) -> tuple[list[Setting], list[str]]:
    """Return what DATABASE_URL sets where no other layer sets it, of whose `origin` it is; and what to note.

    One with another program's scheme counts for nothing: it was not meant for a relay.
    """
    text = environment.get(SHARED_URL_VARIABLE, "")
    if not text:
        return [], []
    unused = f"{SHARED_URL_VARIABLE} is set and counts for nothing: "
    if origin is not None:
        return [], [f"{unused}{URL_KEY} comes from {origin}"]
    scheme = scheme_of(text)
    if scheme not in (*POSTGRES_SCHEMES, SQLITE_SCHEME):
        kind = f"{scheme}://" if scheme else "no URL"
        return [], [f"{unused}it is {kind}, which is no store of a relay; {URL_VARIABLE} names one"]
    return [Setting(URL_KEY, text, Origin("environment", SHARED_URL_VARIABLE))], []


def environment_notes(environment: Mapping[str, str]) -> list[str]:
    """Say which variables are set and count for nothing. Never their values: a password may be in one."""
    return [
        f"{variable} is set and counts for nothing: {why}"
        for variable, why in WITHOUT_MEANING.items()
        if environment.get(variable, "").lower() not in _OFF
    ]


def variable_of(name: str) -> str | None:
    """Return the variable that sets a key; None for a source's, which are a list, and for one breaker's."""
    if name.startswith(SOURCES_KEY) or name.endswith(".sources") or ".sources." in name or ":" in name:
        return None
    return ENVIRONMENT_PREFIX + name.replace(".", "__").replace("-", "_").upper()


def _key_of(variable: str) -> tuple[str, Key]:
    """Return the dotted name that a variable sets and its key; ConfigError names the nearest variable."""
    parts = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    named = parts[1].replace("_", "-") if _names_one(parts) else ""
    pattern = ".".join([parts[0], ANY_NAME, *parts[2:]] if named else parts)
    key = KEYS.get(pattern)
    if key is None or variable_of(pattern) is None or variable != variable.upper():
        known = [v.replace(ANY_NAME, parts[1].upper()) if named else v for v in _variables()]
        raise ConfigError(f"unknown variable {variable}; {nearest(variable, known)}")
    return (".".join([parts[0], named, *parts[2:]]) if named else pattern), key


def _names_one(parts: Sequence[str]) -> bool:
    """Tell whether a variable is of one chain, tier or policy, whose name is its second part."""
    if parts[0] == "breakers":
        return len(parts) > 2 and parts[1] not in NO_POLICIES
    return len(parts) == 3 and parts[0] in ("chains", "tiers")


def _variables() -> list[str]:
    return [variable for name in KEYS if (variable := variable_of(name)) is not None]
