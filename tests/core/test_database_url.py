"""A store's URL is read as libpq and SQLite understand it, and no password of it is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.database_url import URL_LENGTH_MAX, parse_database_url, without_password
from sprint.core.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hunter2@db/x", "postgresql://u:…@db/x"),
        ("postgresql://u:hun/ter2@db/x", "postgresql://u:…@db/x"),
        ("postgresql://u:hunter2@a,b:6432/x?sslmode=require", "postgresql://u:…@a,b:6432/x?sslmode=require"),
        ("postgres://db/x?user=u&password=hunter2", "postgres://db/x?user=u&password=…"),
        ("postgres://db/x?pasword=hunter2&port=1", "postgres://db/x?pasword=…&port=1"),
        ("postgresql://u@db/x", "postgresql://u@db/x"),
        ("postgresql:///x?host=/run/postgresql", "postgresql:///x?host=/run/postgresql"),
    ],
)
def test_what_is_shown_has_the_place_and_no_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert repr(parse_database_url(url)) == f"DatabaseUrl({shown})"


@given(password=st.text(st.characters(codec="ascii", min_codepoint=33), min_size=4))
def test_any_password_is_hidden_whatever_is_in_it(password: str) -> None:
    shown = without_password(f"postgresql://sprint:{password}@db.example/sprint")
    assert shown.startswith("postgresql://sprint:…@")
    assert password not in shown.replace("db.example/sprint", "")


def test_a_sqlite_url_names_a_file_by_its_whole_path() -> None:
    assert parse_database_url("sqlite:///var/lib/my%20log.db").path == "/var/lib/my log.db"
    for url in ("sqlite://log.db", "sqlite:log.db", "sqlite:///", "sqlite:///a?b", "sqlite://[::1"):
        with pytest.raises(ConfigError):
            parse_database_url(url)


def test_the_length_is_bounded_at_its_limit() -> None:
    url = "postgresql://db/x".ljust(URL_LENGTH_MAX, "x")
    assert parse_database_url(url).kind == "postgres"
    with pytest.raises(ConfigError, match="of 4097 characters, limit 4096"):
        parse_database_url(url + "x")
