"""A login is read from where the URL says, anew each time; an unwise one is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprint.core.errors import UpstreamError
from sprint.core.relay.source_url import Login, source_of
from sprint.tools.relay.sources.login import COOKIE_SIZE_MAX, authorization, warnings_of


def test_a_login_is_read_from_where_the_url_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:one\n")
    by_file = Login(cookie_file=str(cookie))
    monkeypatch.setenv("NODE_USER", "alice")
    monkeypatch.setenv("NODE_PASSWORD", "wonder land")
    assert authorization(None) == ""
    assert authorization(by_file) == "Basic X19jb29raWVfXzpvbmU="
    cookie.write_text("__cookie__:two\n")
    assert authorization(by_file) == "Basic X19jb29raWVfXzp0d28="
    by_variables = source_of("bitcoin", None, "rpc://h:1?user_env=NODE_USER&password_env=NODE_PASSWORD").login
    assert authorization(by_variables) == "Basic YWxpY2U6d29uZGVyIGxhbmQ="


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; it is in the node's data folder while it runs"),
        (b"no colon", "no user:password in it"),
        (b"a:" + b"b" * COOKIE_SIZE_MAX, f"over {COOKIE_SIZE_MAX} bytes"),
    ],
)
def test_a_cookie_that_cannot_be_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / ".cookie"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UpstreamError, match=said):
        authorization(Login(cookie_file=str(path)))


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE_USER", raising=False)
    with pytest.raises(UpstreamError, match="the variable NODE_USER is not set"):
        authorization(Login(user_env="NODE_USER"))


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("rpc://127.0.0.1:1", []),
        ("rpc://127.0.0.1:1?cookie_file=c", []),
        ("rpc://a:b@localhost:1", ["a password stands"]),
        ("rpc://10.0.0.1:1?user_env=A&password_env=B", ["unencrypted"]),
        ("rpc://10.0.0.1:1/v1/KEY", ["sends its path over the network unencrypted"]),
        ("rpc://10.0.0.1:1/v1/KEY?user_env=A&password_env=B", ["sends its login and its path over"]),
        ("rpc://127.0.0.1:1/wallet/x", []),
        ("rpcs://node.example/v1/KEY", []),
        ("rpcs://node.example:1?user_env=A&password_env=B", []),
        ("rpc://a:b@10.0.0.1:1", ["a password stands", "unencrypted"]),
    ],
)
def test_an_unwise_login_is_warned_of(url: str, warned: list[str]) -> None:
    warnings = warnings_of(source_of("bitcoin", None, url))
    assert len(warnings) == len(warned)
    assert all(f"source {source_of('bitcoin', None, url).name}" in warning for warning in warnings), "whose"
    assert all(part in warning for part, warning in zip(warned, warnings, strict=True))
