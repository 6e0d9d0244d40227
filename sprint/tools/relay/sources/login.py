"""The login of a source as the header that HTTP wants, read anew at each connection.

A node writes a new cookie at each start, so what was read before is of no use after it.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from pathlib import Path

from sprint.core.errors import UpstreamError
from sprint.core.relay.source_url import Login, RequestPath, SourceSpec

COOKIE_SIZE_MAX = 4_096


def authorization(login: Login | None) -> str:
    """Return the value of the Authorization header; empty without a login.

    Blocks on a file. UpstreamError where the cookie cannot be read or a variable is not set.
    """
    if login is None:
        return ""
    if login.cookie_file:
        pair = _cookie(Path(login.cookie_file).expanduser())
    else:
        user = login.user or _variable(login.user_env)
        pair = f"{user}:{login.password or _variable(login.password_env)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def warnings_of(spec: SourceSpec) -> list[str]:
    """Say what is unwise about how a source is logged in to, without repeating it."""
    warnings = []
    if spec.login is not None and spec.login.password:
        warnings.append(
            f"a password stands in the URL of source {spec.name}, where others may read it: "
            "use cookie_file, or user_env and password_env"
        )
    if spec.scheme == "rpc" and not _is_loopback(spec.host):
        sent = {"login": spec.login is not None, "path": spec.path != RequestPath()}
        secrets = [f"its {what}" for what, is_sent in sent.items() if is_sent]
        if secrets:
            said = " and ".join(secrets)
            warnings.append(
                f"source {spec.name} sends {said} over the network unencrypted: "
                "use rpcs, or a tunnel to the node"
            )
    return warnings


def _cookie(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(COOKIE_SIZE_MAX + 1)
    except OSError as error:
        raise UpstreamError(
            f"cookie_file {path}: {error.strerror}; it is in the node's data folder while it runs"
        ) from error
    if len(text) > COOKIE_SIZE_MAX:
        raise UpstreamError(f"cookie_file {path}: over {COOKIE_SIZE_MAX} bytes; is it the node's .cookie?")
    pair = text.decode("utf-8", "replace").strip()
    if ":" not in pair:
        raise UpstreamError(f"cookie_file {path}: no user:password in it; is it the node's .cookie?")
    return pair


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise UpstreamError(f"the variable {name} is not set, which the source's URL names for its login")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
