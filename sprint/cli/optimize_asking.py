"""Where a level is taken from, for `sprint optimize` and `sprint relay`: tier, config, variables, options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sprint.cli.settings import load_settings
from sprint.core.config import Layers, Resolved, resolve
from sprint.core.config.optimize_layers import section_layers
from sprint.core.optimize.asked import Asked, Layer, asked, environment_layers, set_layer
from sprint.core.relay.tiers import find_tier
from sprint.tools.breaker.registry import packaged_texts
from sprint.tools.relay.config_file import packaged_tiers_text


def asked_of(resolved: Resolved, options: Sequence[Layer] = ()) -> Asked:
    """Return what is asked for: the tier's level where one was named, the config's, then `options`."""
    section, origins = resolved.config.optimize, resolved.origins
    layers = [
        *_tier_layers(resolved),
        *section_layers(section, origins, ("file",)),
        *environment_layers(os.environ),
        *section_layers(section, origins, ("environment",)),
        *section_layers(section, origins, ("flag",)),
        *options,
    ]
    return asked(layers)


def layers_of_new(name: str) -> Layers:
    """Return what holds beside a file in which nothing stands."""
    return Layers(
        table={},
        name=name,
        environment=dict(os.environ),
        tiers_text=packaged_tiers_text(),
        policies=packaged_texts(),
    )


def option_layers(level: str | None, fields: Sequence[str], rt_priority: int | None = None) -> list[Layer]:
    """Return the layers of `--level`, `--set` and `--rt-priority`."""
    layers = [Layer("--level", level)] if level is not None else []
    if fields:
        layers.append(set_layer(fields))
    if rt_priority is not None:
        wanted: dict[str, Any] = {"realtime": "required", "realtime_priority": rt_priority}
        layers.append(Layer("--rt-priority", None, wanted))
    return layers


def asked_by(
    config: Path | None, options: Sequence[Layer], *, may_be_new: bool = False
) -> tuple[Resolved, Asked]:
    """Return the config that applies and what is asked for with options over it.

    `may_be_new`: a file that is named and isn't there yet is one that says nothing.
    """
    new = may_be_new and config is not None and not config.expanduser().exists()
    resolved = resolve(layers_of_new(str(config))) if new else load_settings(config).resolved
    return resolved, asked_of(resolved, options)


def admin_url_of(resolved: Resolved, given: str | None) -> str:
    """Return where the relay's admin listener is looked for."""
    return given or f"http://127.0.0.1:{resolved.config.admin.port}"


def _tier_layers(resolved: Resolved) -> list[Layer]:
    """Return the level of the one tier that was asked for by name; none where the default ones are served."""
    served = resolved.config.relay.tiers
    if len(served) != 1 or resolved.origin("relay.tiers").kind == "default":
        return []
    tier = find_tier(resolved.tiers, served[0])
    return [Layer(f"tier {tier.name}", tier.optimize_level)]
