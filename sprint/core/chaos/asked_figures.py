"""The figures that `--figure NAME=VALUE` gives, held against the experiments that are to be run.

Of several experiments each takes those that it has; one that none of them has is a mistake, and is told
before anything is started.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from sprint.core.chaos.named import NAMED, checked_figure
from sprint.core.errors import ConfigError


def asked_figures(texts: Mapping[str, str], names: Sequence[str]) -> dict[str, float]:
    """Return the figures as numbers; `names` are of experiments, files among them, which have none.

    ConfigError where one is no number, no figure of any of them, or out of the bounds of one that has it.
    """
    figures: dict[str, float] = {}
    for key, text in texts.items():
        having = [name for name in names if name in NAMED and key in NAMED[name].figures]
        if not having:
            raise ConfigError(f"--figure {key}={text}: {_lack(key, names)}")
        value = _number(key, text)
        for name in having:
            checked_figure(name, key, value)
        figures[key] = value
    return figures


def figures_of(name: str, figures: Mapping[str, float]) -> dict[str, float]:
    """Return those of the asked figures that an experiment has."""
    return {key: value for key, value in figures.items() if key in NAMED[name].figures}


def _number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"--figure {key}={text}: {text!r} is no number; write it as {key}=200")
    return value


def _lack(key: str, names: Sequence[str]) -> str:
    """Say what figures there are instead."""
    theirs = dict.fromkeys(key for name in names if name in NAMED for key in NAMED[name].figures)
    who = f"{names[0]} has" if len(names) == 1 else "these experiments have"
    if not theirs:
        return f"{who} no figures; --experiment without a name lists who has"
    near = get_close_matches(key, theirs, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{who} no such figure, but {', '.join(theirs)}{hint}"
