"""The options of `cb-monitor` as they are given, by flags or in a file, checked and made values."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import msgspec

from sprint.core.duration import parse_duration_s
from sprint.core.errors import ConfigError
from sprint.core.monitor.board import RELAYS_MAX
from sprint.tools.monitor.alerts_given import AlertsGiven
from sprint.tools.monitor.demo import TIER_DEFAULT, tier_of
from sprint.tools.monitor.probe import Following, Target
from sprint.tools.monitor.relay_api import checked_url

INTERVAL_S_MIN = 1.0
INTERVAL_S_MAX = 300.0
NAME_LENGTH_MAX = 64
_NAME_SIGNS = "-_.:[]"


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options by their names. With `alerts` there are some."""

    target: tuple[str, ...] = ()
    tier: str = TIER_DEFAULT
    interval: str = "5s"
    read_only: bool = False
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    alerts: AlertsGiven | None = None


class MonitorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to watch and how. Without targets: the relay on this machine, or else the demo of a tier."""

    targets: tuple[Target, ...]
    tier: str
    following: Following
    read_only: bool


def options_of(given: Given) -> MonitorOptions:
    """Check what was given. ConfigError names the option, what it was and what would be right."""
    targets = tuple(target_of(text) for text in given.target)
    if len(targets) > RELAYS_MAX:
        raise ConfigError(f"--target: {len(targets)} relays, limit {RELAYS_MAX}")
    for each in targets:
        if sum(other.name == each.name for other in targets) > 1:
            raise ConfigError(f"--target: two relays are called {each.name!r}; name them, as NAME=URL")
    return MonitorOptions(
        targets=targets,
        tier=tier_of(given.tier),
        following=Following(
            parse_duration_s(
                given.interval, option="--interval", least_s=INTERVAL_S_MIN, most_s=INTERVAL_S_MAX
            ),
            tls_of(given),
        ),
        read_only=given.read_only,
    )


def target_of(text: str) -> Target:
    """Read `NAME=URL` or a URL, which then names the relay by its host and port."""
    name, equals, url = text.partition("=")
    if not equals or "/" in name:
        name, url = "", text
    try:
        url = checked_url(url)
    except ConfigError as error:
        raise ConfigError(f"--target {error}") from error
    name = name or urlsplit(url).netloc
    known = all(sign.isascii() and (sign.isalnum() or sign in _NAME_SIGNS) for sign in name)
    if not known or len(name) > NAME_LENGTH_MAX:
        raise ConfigError(
            f"--target {name[:NAME_LENGTH_MAX]!r}=…: want a name of up to {NAME_LENGTH_MAX} letters, digits "
            "and -_.:"
        )
    return Target(name, url)


def tls_of(given: Given) -> ssl.SSLContext | None:
    """Return what is spoken with relays of https://: TLS 1.3; None where nothing was given."""
    if not (given.tls_ca or given.tls_cert or given.tls_key):
        return None
    if given.tls_key and not given.tls_cert:
        raise ConfigError("--tls-key without --tls-cert: a key belongs to a certificate")
    try:
        context = ssl.create_default_context(cafile=given.tls_ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if given.tls_cert:
            context.load_cert_chain(given.tls_cert, given.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        files = [each for each in (given.tls_ca, given.tls_cert, given.tls_key) if each]
        raise ConfigError(f"--tls-ca, --tls-cert, --tls-key: {', '.join(files)}: {error}") from error
    return context
