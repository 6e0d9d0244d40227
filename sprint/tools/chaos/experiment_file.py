"""Experiments in files: JSON or YAML of the Chaos Toolkit's format, read, and written as JSON."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from sprint.core.chaos.experiment import Experiment
from sprint.core.chaos.experiment_codec import document_of, read_experiment
from sprint.core.config.formats import table_of_json
from sprint.core.errors import ConfigError

FILE_SIZE_MAX = 1024 * 1024
YAML_SUFFIXES = (".yaml", ".yml")


def load_experiment(path: Path) -> Experiment:
    """Read a file. ConfigError names the file, and the place in it."""
    text = _text(path)
    if path.suffix.lower() in YAML_SUFFIXES:
        # PyYAML takes as long to import as the rest of a command.
        document = importlib.import_module("sprint.core.config.yaml_text").table_of_yaml(text, str(path))
    else:
        document = table_of_json(text, str(path))
    try:
        return read_experiment(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def experiment_text(experiment: Experiment) -> str:
    """Return an experiment as JSON that `chaos run` takes, ending with a line end."""
    return json.dumps(document_of(experiment), indent=2, ensure_ascii=False) + "\n"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > FILE_SIZE_MAX:
        raise ConfigError(f"{path}: more than {FILE_SIZE_MAX} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is no UTF-8") from error
