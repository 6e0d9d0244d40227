"""`[optimize]` as layers of what `sprint optimize` is asked for, each under the name of where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sprint.core.config.optimize_section import OptimizeSection
from sprint.core.config.origins import Origin
from sprint.core.optimize.asked import Layer


def section_layers(
    section: OptimizeSection, origins: Mapping[str, Origin], kinds: Iterable[str]
) -> tuple[Layer, ...]:
    """Return what the section sets, a layer for each origin of one of the kinds.

    `origins` are a config's, by dotted name.
    """
    by_origin: dict[Origin, dict[str, Any]] = {}
    for name in section.__struct_fields__:
        value, origin = getattr(section, name), origins.get(f"optimize.{name}")
        if origin is not None and origin.kind in kinds and value is not None:
            by_origin.setdefault(origin, {})[name] = value
    layers = []
    for origin, values in by_origin.items():
        values.pop("fallback", None)
        layers.append(Layer(_said(origin), values.pop("level", None), values))
    return tuple(layers)


def _said(origin: Origin) -> str:
    """Name a layer as an error and a status do."""
    match origin.kind:
        case "file":
            return f"{origin.name}: [optimize]"
        case "environment":
            return f"environment: {origin.name}"
        case _:
            return origin.name
