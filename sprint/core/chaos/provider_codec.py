"""Providers of a document: how an activity is done, by a Python function, a request or a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec

from sprint.core.chaos.experiment import HttpProvider, ProcessProvider, Provider, PythonProvider
from sprint.core.chaos.plain_values import shown
from sprint.core.errors import ConfigError

TIMEOUT_S_MAX = 3_600.0
NAME_LENGTH_MAX = 500
URL_LENGTH_MAX = 4_096
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PATTERN = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_UNSUPPORTED = {
    "secrets": "secrets are not read here; take the value from the environment in `configuration`",
    "verify_tls": "certificates are always checked here",
    "max_retries": "a request is sent once here; repeat it by the probe's own means",
}
REFUSED_KEYS = frozenset(_UNSUPPORTED)


class Place(msgspec.Struct, frozen=True):
    """An object of a document and where it stands."""

    path: str
    fields: Mapping[str, Any]

    def at(self, key: str) -> str:
        """Return the place of a key."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str, length_max: int) -> str:
        """Return a text that must be there. ConfigError where it is none, empty or too long."""
        value = self.fields.get(key)
        if not isinstance(value, str) or not value.strip():
            self.refuse(key, "a text")
        if len(value) > length_max:
            raise ConfigError(f"{self.at(key)}: {len(value)} characters, limit {length_max}")
        return value

    def refuse(self, key: str, wanted: str) -> NoReturn:
        """Raise ConfigError: what stands at `key`, and what would be right."""
        raise ConfigError(f"{self.at(key)}: {shown(self.fields.get(key))}; want {wanted}")

    def refuse_unknown(self, known: tuple[str, ...]) -> None:
        """Raise ConfigError for a key that is none of `known`."""
        for key in self.fields:
            if key not in known:
                raise ConfigError(f"{self.at(key)}: no such key; want one of {', '.join(known)}")


def read_provider(value: Any, path: str) -> Provider:
    """Read a provider. ConfigError names the place."""
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {shown(value)}; want an object")
    place = Place(path, value)
    read = _READERS.get(str(value.get("type")))
    if read is None:
        place.refuse("type", "`python`, `http` or `process`")
    for key, reason in _UNSUPPORTED.items():
        if key in value:
            raise ConfigError(f"{place.at(key)}: {reason}; take it out")
    return read(place)


def document_of_provider(provider: Provider) -> dict[str, Any]:
    """Return a provider as it stands in a document."""
    document: dict[str, Any] = msgspec.to_builtins(provider)
    if isinstance(provider, HttpProvider) and not provider.headers:
        del document["headers"]
    return {key: value for key, value in document.items() if value is not None}


def _python(place: Place) -> PythonProvider:
    place.refuse_unknown(("type", "module", "func", "arguments"))
    module, func = place.text("module", NAME_LENGTH_MAX), place.text("func", NAME_LENGTH_MAX)
    if not _DOTTED.fullmatch(module):
        place.refuse("module", "a module as it is imported, such as sprint.tools.chaos.actions")
    if not _NAME.fullmatch(func) or func.startswith("_"):
        place.refuse("func", "the name of a public function")
    arguments = place.fields.get("arguments")
    if arguments is not None and not isinstance(arguments, dict):
        place.refuse("arguments", "an object: the function's arguments by name")
    return PythonProvider(module=module, func=func, arguments=arguments or {})


def _http(place: Place) -> HttpProvider:
    place.refuse_unknown(("type", "url", "method", "headers", "arguments", "timeout"))
    url = place.text("url", URL_LENGTH_MAX)
    if not url.startswith(("http://", "https://", "${")):
        place.refuse("url", "a URL that begins with http:// or https://")
    method = place.fields.get("method", "GET")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        place.refuse("method", f"one of {', '.join(_METHODS)}")
    headers = place.fields.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(each, str) for each in headers.values()):
        place.refuse("headers", "an object of texts")
    timeout = _http_timeout(place)
    arguments = place.fields.get("arguments")
    return HttpProvider(url=url, method=method.upper(), headers=headers, arguments=arguments, timeout=timeout)


def _http_timeout(place: Place) -> float | list[float] | str:
    value = place.fields.get("timeout")
    if value is None:
        return HttpProvider(url="").timeout
    if isinstance(value, str) and _PATTERN.fullmatch(value):
        return value
    if isinstance(value, list) and len(value) == 2:
        return [_timeout_s(place, each) for each in value]
    return _timeout_s(place, value)


def _process(place: Place) -> ProcessProvider:
    place.refuse_unknown(("type", "path", "arguments", "timeout"))
    arguments = place.fields.get("arguments")
    if arguments is not None and not isinstance(arguments, str | list | dict):
        place.refuse("arguments", "a list, an object of options, or a text")
    timeout = place.fields.get("timeout")
    return ProcessProvider(
        path=place.text("path", URL_LENGTH_MAX),
        arguments=arguments,
        timeout=None if timeout is None else _timeout_s(place, timeout),
    )


def _timeout_s(place: Place, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= TIMEOUT_S_MAX:
        place.refuse("timeout", f"seconds above 0, {TIMEOUT_S_MAX:g} at most")
    return float(value)


_READERS: dict[str, Callable[[Place], Provider]] = {"python": _python, "http": _http, "process": _process}
