"""Requests and commands of an experiment's activities, with the answers that the Chaos Toolkit gives."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import httpx

from sprint.core.chaos.experiment import HttpProvider, ProcessProvider
from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.faultproxy.targets import is_loopback

ANSWER_SIZE_MAX = 1024 * 1024
COMMAND_TIMEOUT_S = 300.0
# What a shell would take as its own; a command is started without one.
SHELL_LETTERS = frozenset("|&;<>$`\\\n(){}*?[]~#!")


def request(provider: HttpProvider, allowed: Collection[str]) -> dict[str, Any]:
    """Send a request; return `status`, `headers` and `body`, the latter as a value where it is JSON.

    A redirect is not followed: it could lead to a host that is not allowed. ConfigError for such a host,
    UpstreamError where no answer comes.
    """
    _refuse_host(provider.url, allowed)
    sent = _sent(provider)
    try:
        with (
            httpx.Client(timeout=_timeout(provider), trust_env=False) as client,
            client.stream(provider.method, provider.url, headers=provider.headers, **sent) as answer,
        ):
            body = _body(answer)
    except httpx.HTTPError as error:
        raise UpstreamError(f"{provider.url}: {type(error).__name__}: {error}") from error
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": body}


def command(provider: ProcessProvider) -> dict[str, Any]:
    """Run a command without a shell; return `status`, `stdout` and `stderr`.

    It and what it started are killed after its time, COMMAND_TIMEOUT_S where none is set.
    """
    program = shutil.which(
        str(Path(provider.path).expanduser()) if provider.path[:1] == "~" else provider.path
    )
    if program is None:
        raise ConfigError(f"{provider.path}: no such program")
    limit_s = provider.timeout or COMMAND_TIMEOUT_S
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [program, *_words(provider.arguments)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise UpstreamError(f"{provider.path}: not done after {limit_s:g} s, and killed") from error
        finally:
            _end(process)
        return {"status": status, "stdout": _read(out), "stderr": _read(said)}


def _refuse_host(url: str, allowed: Collection[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not (is_loopback(host) or host in allowed or parts.netloc in allowed):
        named = ", ".join(sorted(allowed)) or "none"
        raise ConfigError(f"{url}: neither on loopback nor among the allowed hosts ({named})")


def _sent(provider: HttpProvider) -> dict[str, Any]:
    """Return arguments as the toolkit sends them: in a query, as JSON if that is said, or a form."""
    if provider.arguments is None:
        return {}
    if provider.method == "GET":
        return {"params": provider.arguments}
    if provider.headers.get("Content-Type") == "application/json":
        return {"json": provider.arguments}
    return {"content" if isinstance(provider.arguments, str) else "data": provider.arguments}


def _timeout(provider: HttpProvider) -> httpx.Timeout:
    match provider.timeout:
        case [connect_s, read_s]:
            return httpx.Timeout(read_s, connect=connect_s)
        case int() | float() as whole_s:
            return httpx.Timeout(whole_s)
        case other:
            raise ConfigError(f"timeout {other}: resolve the experiment's patterns before it is run")


def _body(answer: httpx.Response) -> Any:
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if len(content) > ANSWER_SIZE_MAX:
            raise UpstreamError(f"{answer.url}: an answer of more than {ANSWER_SIZE_MAX} bytes")
    text = bytes(content).decode(answer.encoding or "utf-8", "replace")
    if answer.headers.get("Content-Type") != "application/json":
        return text
    try:
        return httpx.Response(answer.status_code, content=bytes(content)).json()
    except ValueError as error:
        raise UpstreamError(
            f"{answer.url}: an answer that is said to be JSON and is none: {error}"
        ) from error


def _words(arguments: Any) -> list[str]:
    if isinstance(arguments, str):
        found = SHELL_LETTERS & set(arguments)
        if found:
            what = "".join(sorted(found))
            raise ConfigError(
                f"arguments {arguments!r}: {what!r} would be for a shell, and there is none;"
                " give a list, or run `sh` with -c"
            )
        return shlex.split(arguments)
    given = chain.from_iterable(arguments.items()) if isinstance(arguments, dict) else arguments or ()
    return [str(each) for each in given if each not in (None, "")]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        # Its session is its own, so that what it started ends with it.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(ANSWER_SIZE_MAX).decode("utf-8", "replace")
