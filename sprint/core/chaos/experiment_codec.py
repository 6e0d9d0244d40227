"""Documents of the Chaos Toolkit's format to experiments and back.

    read_experiment({"title": "…", "description": "…", "method": […]})

What the format knows and is not done here is refused by name where leaving it out would change what the
experiment does: `controls` run code, `dry` keeps faults off, a `ref` is an activity. So are keys that nobody
knows: a `rolbacks` that goes unseen leaves a fault on. Errors name the place, as `method[2].provider.module`.
Source of keys and rules: chaostoolkit.org, "Open API"; chaoslib's `ensure_experiment_is_valid`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn, TypeVar

from sprint.core.chaos.experiment import Activity, Experiment, Hypothesis, Pauses
from sprint.core.chaos.plain_values import check_plain, shown
from sprint.core.chaos.provider_codec import Place, document_of_provider, read_provider
from sprint.core.chaos.tolerance import check_tolerance
from sprint.core.errors import ConfigError

ACTIVITIES_MAX = 256
TAGS_MAX = 64
PAUSE_S_MAX = 86_400.0
NAME_LENGTH_MAX = 500
TEXT_LENGTH_MAX = 10_000
PATTERN = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")

_EXPERIMENT_KEYS = (
    "version", "title", "description", "tags", "configuration", "contributions", "extensions",
    "steady-state-hypothesis", "method", "rollbacks", "controls", "secrets", "runtime", "dry",
)  # fmt: skip
_ACTIVITY_KEYS = ("type", "name", "provider", "tolerance", "pauses", "background", "ref", "controls", "dry")
_REFUSED = {
    "controls": "controls run code around activities and are not run here; take them out, or use `chaos run`",
    "secrets": "secrets are not read here; take the value from the environment in `configuration`",
    "dry": "`dry` is not read here, and without it the faults are real; take it out and use --dry-run",
    "ref": "a reference is not followed here; write the activity out",
}
REFUSED_KEYS = frozenset(_REFUSED)
_ALWAYS = {"rollbacks": {"strategy": "always"}}
Item = TypeVar("Item")


def read_experiment(document: Any) -> Experiment:
    """Read a document, as JSON gives it. ConfigError names the place, what was there and what is wanted."""
    check_plain(document)
    whole = Place("", _table(document, "the document"))
    whole.refuse_unknown(_EXPERIMENT_KEYS)
    _refuse_unsupported(whole)
    runtime = whole.fields.get("runtime")
    if runtime not in (None, {}, _ALWAYS):
        wanted = 'only {"rollbacks": {"strategy": "always"}}, as rollbacks are always done here'
        _refuse("runtime", runtime, wanted)
    return Experiment(
        title=whole.text("title", NAME_LENGTH_MAX),
        description=whole.text("description", TEXT_LENGTH_MAX),
        hypothesis=_hypothesis(whole.fields.get("steady-state-hypothesis")),
        method=_activities(whole, "method", required=True),
        rollbacks=_activities(whole, "rollbacks"),
        tags=_tags(whole),
        configuration=dict(_table(whole.fields.get("configuration") or {}, "configuration")),
        contributions=dict(_table(whole.fields.get("contributions") or {}, "contributions")),
        extensions=_extensions(whole),
    )


def document_of(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as a document that `chaos run` takes; what has its default is left out."""
    document: dict[str, Any] = {
        "version": "1.0.0",
        "title": experiment.title,
        "description": experiment.description,
        "tags": list(experiment.tags),
        "configuration": experiment.configuration,
        "contributions": experiment.contributions,
        "extensions": list(experiment.extensions),
    }
    document = {key: value for key, value in document.items() if value}
    hypothesis = experiment.hypothesis
    if hypothesis != Hypothesis():
        probes = [_document_of_activity(each) for each in hypothesis.probes]
        document["steady-state-hypothesis"] = {"title": hypothesis.title, "probes": probes}
    # The toolkit wants a method, be it empty, so that nobody leaves it out by mistake.
    document["method"] = [_document_of_activity(each) for each in experiment.method]
    if experiment.rollbacks:
        document["rollbacks"] = [_document_of_activity(each) for each in experiment.rollbacks]
    return document


def seconds_or_pattern(value: Any, path: str, most: float) -> float | str:
    """Return seconds, or a pattern such as `${wait_s}` that stands for them until it is resolved."""
    if isinstance(value, str) and PATTERN.fullmatch(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        _refuse(path, value, f"seconds from 0 to {most:g}, or a pattern of the configuration as ${{wait_s}}")
    return float(value)


def _hypothesis(value: Any) -> Hypothesis:
    path = "steady-state-hypothesis"
    if value is None:
        return Hypothesis()
    place = Place(path, _table(value, path))
    place.refuse_unknown(("title", "probes", "controls"))
    _refuse_unsupported(place)
    probes = _activities(place, "probes")
    for number, probe in enumerate(probes):
        where = f"{path}.probes[{number}]"
        if probe.type != "probe":
            raise ConfigError(f"{where}.type: {probe.type!r}; the steady state is told by probes alone")
        if probe.tolerance is None:
            raise ConfigError(f"{where}.tolerance: none; want what the probe must give")
    return Hypothesis(title=place.text("title", NAME_LENGTH_MAX), probes=probes)


def _activities(place: Place, key: str, *, required: bool = False) -> tuple[Activity, ...]:
    value = place.fields.get(key)
    if value is None and not required:
        return ()
    path = place.at(key)
    if not isinstance(value, list):
        _refuse(path, value, "a list of activities")
    if len(value) > ACTIVITIES_MAX:
        raise ConfigError(f"{path}: {len(value)} activities, limit {ACTIVITIES_MAX}")
    return tuple(_activity(each, f"{path}[{number}]") for number, each in enumerate(value))


def _activity(value: Any, path: str) -> Activity:
    place = Place(path, _table(value, path))
    place.refuse_unknown(_ACTIVITY_KEYS)
    _refuse_unsupported(place)
    type_ = place.fields.get("type")
    if type_ not in ("probe", "action"):
        _refuse(place.at("type"), type_, "`probe` or `action`")
    kind: Literal["probe", "action"] = "probe" if type_ == "probe" else "action"
    background = place.fields.get("background", False)
    if not isinstance(background, bool):
        _refuse(place.at("background"), background, "true or false")
    tolerance = place.fields.get("tolerance")
    if tolerance is not None:
        check_tolerance(tolerance, place.at("tolerance"))
    return Activity(
        type=kind,
        name=place.text("name", NAME_LENGTH_MAX),
        provider=read_provider(place.fields.get("provider"), place.at("provider")),
        tolerance=tolerance,
        pauses=_pauses(place.fields.get("pauses"), place.at("pauses")),
        background=background,
    )


def _pauses(value: Any, path: str) -> Pauses:
    if value is None:
        return Pauses()
    place = Place(path, _table(value, path))
    place.refuse_unknown(("before", "after"))
    before, after = (
        seconds_or_pattern(place.fields.get(key) or 0, place.at(key), PAUSE_S_MAX)
        for key in ("before", "after")
    )
    return Pauses(before=before, after=after)


def _document_of_activity(activity: Activity) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": activity.type,
        "name": activity.name,
        "provider": document_of_provider(activity.provider),
    }
    if activity.tolerance is not None:
        document["tolerance"] = activity.tolerance
    if activity.pauses != Pauses():
        pauses = {"before": activity.pauses.before, "after": activity.pauses.after}
        document["pauses"] = {key: value for key, value in pauses.items() if value}
    if activity.background:
        document["background"] = True
    return document


def _tags(place: Place) -> tuple[str, ...]:
    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or not value:
            _refuse(path, value, "a text")
        return value

    return _items(place, "tags", read)


def _extensions(place: Place) -> tuple[dict[str, Any], ...]:
    def read(value: Any, path: str) -> dict[str, Any]:
        table = dict(_table(value, path))
        if not isinstance(table.get("name"), str) or not table["name"]:
            _refuse(f"{path}.name", table.get("name"), "the extension's name")
        return table

    return _items(place, "extensions", read)


def _items(place: Place, key: str, read: Callable[[Any, str], Item]) -> tuple[Item, ...]:
    value = place.fields.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > TAGS_MAX:
        _refuse(place.at(key), value, f"a list of {TAGS_MAX} at most")
    return tuple(read(each, f"{place.at(key)}[{number}]") for number, each in enumerate(value))


def _refuse_unsupported(place: Place) -> None:
    for key, reason in _REFUSED.items():
        # An empty one says nothing, so nothing is lost.
        if place.fields.get(key) not in (None, [], {}, False):
            raise ConfigError(f"{place.at(key)}: {reason}")


def _table(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, value, "an object")
    return value


def _refuse(path: str, value: Any, wanted: str) -> NoReturn:
    raise ConfigError(f"{path}: {shown(value)}; want {wanted}")


def activities_of(experiment: Experiment) -> Iterable[Activity]:
    """Return all activities: of the hypothesis, the method and the rollbacks."""
    return (*experiment.hypothesis.probes, *experiment.method, *experiment.rollbacks)
