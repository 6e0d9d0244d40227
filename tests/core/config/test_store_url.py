"""Which database holds: ours before the one that all programs share, and a password is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources

import pytest

from sprint.core.config import Layers, Origin, Resolved, Setting, resolve
from sprint.core.config.formats import table_of_toml
from sprint.core.config.pages import explain, show, shown
from sprint.core.errors import ConfigError
from sprint.tools.breaker.registry import packaged_texts

OURS = "postgresql://sprint:hunter2@db.example/sprint"
THEIRS = "postgres://shop:hunter2@db.example/shop"
TIERS = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Case:
    said: str
    origin: str
    environment: dict[str, str] = field(default_factory=dict)
    text: str = ""
    flag: str = ""
    noted: str = ""


def resolved(case: Case) -> Resolved:
    flags = (Setting("store.url", case.flag, Origin("flag", "--database-url")),) if case.flag else ()
    return resolve(
        Layers(
            table=table_of_toml(case.text, "sprint.toml"),
            name="sprint.toml",
            environment=case.environment,
            flags=flags,
            tiers_text=TIERS,
            policies=packaged_texts(),
        )
    )


FILE = f'[store]\nurl = "{OURS}"\n'
CASES = [
    Case(OURS, "environment SPRINT_DATABASE_URL", {"SPRINT_DATABASE_URL": OURS}),
    Case(
        OURS,
        "environment SPRINT_DATABASE_URL",
        {"SPRINT_DATABASE_URL": OURS, "DATABASE_URL": THEIRS},
        noted="DATABASE_URL is set and counts for nothing: store.url comes from environment SPRINT_",
    ),
    Case(OURS, "environment SPRINT_DATABASE_URL", {"SPRINT_DATABASE_URL": OURS, "SPRINT_STORE__URL": THEIRS}),
    Case(THEIRS, "environment DATABASE_URL", {"DATABASE_URL": THEIRS}),
    Case(OURS, "file sprint.toml", {"DATABASE_URL": THEIRS}, FILE, noted="comes from file sprint.toml"),
    Case(THEIRS, "environment SPRINT_DATABASE_URL", {"SPRINT_DATABASE_URL": THEIRS}, FILE),
    Case(OURS, "flag --database-url", {"SPRINT_DATABASE_URL": THEIRS}, flag=OURS),
    Case(OURS, "flag --database-url", {"DATABASE_URL": THEIRS}, flag=OURS, noted="flag --database-url"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.origin + " ".join(case.environment))
def test_the_nearest_layer_names_the_database_and_the_shared_variable_comes_last(case: Case) -> None:
    found = resolved(case)
    assert found.config.store.url == case.said
    assert str(found.origin("store.url")) == case.origin
    assert bool(found.notes) == bool(case.noted)
    assert case.noted in "".join(found.notes)


@pytest.mark.parametrize("url", ["mysql://shop:hunter2@db/shop", "redis://db", "just words"])
def test_another_programs_database_stopped_the_relay(url: str) -> None:
    found = resolved(Case("", "", {"DATABASE_URL": url}))
    assert found.config.store.url is None
    (note,) = found.notes
    assert note.startswith("DATABASE_URL is set and counts for nothing: it is ")
    assert "hunter2" not in note


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            Case("", "", {"SPRINT_DATABASE_URL": "mysql://u:hunter2@db/x"}),
            "environment: SPRINT_DATABASE_URL: ",
        ),
        (
            Case("", "", flag="mysql://u:hunter2@db/x"),
            "--database-url: 'mysql://u:…@db/x': the scheme 'mysql'",
        ),
        (Case("", "", text='[store]\nurl = "mysql://u:hunter2@db"\n'), "sprint.toml: store.url: "),
        (Case("", "", flag="sqlite://sprint.db"), "with the whole path of the file"),
        (
            Case("", "", flag="host=db password=hunter2"),
            "a database URL without a scheme; want postgresql://",
        ),
        (Case("", "", flag="postgresql:" + "x" * 5_000), "of 5011 characters, limit 4096"),
    ],
)
def test_a_url_that_is_none_is_refused_by_its_layer_without_its_password(case: Case, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolved(case)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_password_is_in_no_page_of_the_config() -> None:
    url = "postgresql://sprint:hunter2@db.example/sprint?sslmode=verify-full&sslpassword=hunter2"
    found = resolved(Case(url, "", flag=url))
    pages = [show(found, origins=True), str(shown(found)), explain("store.url", found)]
    assert all("hunter2" not in page and "sprint:…@db.example" in page for page in pages)
    assert "sslmode=verify-full" in pages[0]
