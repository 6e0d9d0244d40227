"""Options that several commands take, and the keys of the config that they set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Config file (TOML, YAML or JSON).")
]
Tier = Annotated[str | None, typer.Option(help="Serve this tier only, on its port.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on; loopback only.")]
AdminPort = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the admin listener (8081).")]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port of the metrics listener (9090).")
]
DataDir = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the event log is kept.")]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url", metavar="URL", help="Keep the event log there: postgresql:// or sqlite:///."
    ),
]
AutoMigrate = Annotated[
    bool | None,
    typer.Option(
        "--auto-migrate/--no-auto-migrate",
        help="Bring the database's schema up to date at the start.",
        show_default=False,
    ),
]
LogFormatOption = Annotated[LogFormat | None, typer.Option("--log-format", help="How to log (text).")]
LogLevelOption = Annotated[LogLevel | None, typer.Option("--log-level", help="What to log (info).")]


def flags_of(
    *,
    tier: str | None,
    host: str | None,
    data_dir: Path | None,
    admin_port: int | None,
    metrics_port: int | None,
    log_format: LogFormat | None,
    log_level: LogLevel | None,
    database_url: str | None = None,
    auto_migrate: bool | None = None,
) -> dict[str, tuple[str, Any]]:
    """Return the options by the key they set, with the option's name; None is the value of one not given."""
    return {
        "relay.tiers": ("--tier", None if tier is None else (tier,)),
        "relay.host": ("--host", host),
        "relay.data_dir": ("--data-dir", None if data_dir is None else str(data_dir)),
        "admin.port": ("--admin-port", admin_port),
        "metrics.port": ("--metrics-port", metrics_port),
        "log.format": ("--log-format", log_format and log_format.value),
        "store.url": ("--database-url", database_url),
        "store.auto_migrate": ("--auto-migrate", auto_migrate),
        "log.level": ("--log-level", log_level and log_level.value),
    }
