"""The relay's config: file, environment and flags in; one frozen record per area out.

Precedence is flag > environment > file > tier > default, and the origin of every value is kept. An unknown
key is an error that names the nearest known one. Nobody is handed the whole record: `tools.relay.service`
gives each part what is its own.
"""

from sprint.core.config.breakers import BreakerSettings
from sprint.core.config.change import ConfigChange
from sprint.core.config.environment import ENVIRONMENT_PREFIX, ENVIRONMENT_RESERVED
from sprint.core.config.origins import Origin, Resolved, Setting
from sprint.core.config.resolve import Layers, resolve
from sprint.core.config.sections import (
    AdminSection,
    ChainSection,
    Config,
    FeaturesSection,
    LogSection,
    MetricsSection,
    RelaySection,
    SourceSection,
    StoreSection,
)
from sprint.core.config.sources import sections_by_chain, sources_of

__all__ = [
    "ENVIRONMENT_PREFIX",
    "ENVIRONMENT_RESERVED",
    "AdminSection",
    "BreakerSettings",
    "ChainSection",
    "Config",
    "ConfigChange",
    "FeaturesSection",
    "Layers",
    "LogSection",
    "MetricsSection",
    "Origin",
    "RelaySection",
    "Resolved",
    "Setting",
    "SourceSection",
    "StoreSection",
    "resolve",
    "sections_by_chain",
    "sources_of",
]
