"""`sprint relay config`: what it prints can be read again, what it writes stays what it was otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.test_commands import run_here

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "config"


def config(cwd: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = run_here("relay", "config", *arguments, cwd=cwd, **environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_the_example_is_a_config_with_every_line_taken_in(tmp_path: Path) -> None:
    code, text, _ = config(tmp_path, "example")
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    keys = [line for line in lines if line[:1] == "[" or (line[:1] != " " and " = " in line)]
    (tmp_path / "sprint.toml").write_text("\n".join(keys))
    assert code == 0
    assert len(keys) > 40
    assert config(tmp_path, "check")[:2] == (0, "sprint.toml: ok\n")


def test_the_contracts_file_is_a_config_and_one_key_of_it_is_set_in_its_line(tmp_path: Path) -> None:
    text = (VECTORS / "sprint.toml").read_text(encoding="utf-8")
    path = tmp_path / "sprint.toml"
    path.write_text(text)
    assert config(tmp_path, "check")[:2] == (0, "sprint.toml: ok\n")
    assert config(tmp_path, "set", "relay.durability", "disk") == (0, "", "")
    assert path.read_text() == text.replace('durability = "process"', 'durability = "disk"')


def test_check_says_all_that_is_wrong_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text("[log]\nlevel = 'loud'\nlvl = 1\n")
    code, text, _ = config(tmp_path, "check")
    assert code == 1
    assert "log.level = 'loud': Invalid enum value 'loud'" in text
    assert "unknown key log.lvl; did you mean log.level?" in text


def test_check_knows_which_chains_there_are(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text("[chains.bitconi]\nquorum = 1\n")
    code, text, _ = config(tmp_path, "check")
    assert code == 1
    assert "chain 'bitconi': there are bitcoin" in text


def test_show_names_the_layer_of_each_value(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text("[metrics]\nport = 1\n[log]\nlevel = 'error'\n")
    options = ("show", "--origin", "--admin-port", "2", "--tier", "turbo", "--log-level", "debug")
    _, text, _ = config(tmp_path, *options, SPRINT_RELAY__HOST="::1")
    for line in (
        'tiers = ["turbo"]  # flag --tier',
        'host = "::1"  # environment SPRINT_RELAY__HOST',
        "port = 1  # file sprint.toml",
        "port = 2  # flag --admin-port",
        'level = "debug"  # flag --log-level',
        'durability = "process"  # default',
        "rank = 5  # tier turbo",
    ):
        assert line in text.splitlines()


def test_what_show_prints_is_a_config_that_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text(
        "[tiers.free]\nrank = 7\n[[chains.ltc.sources]]\nname = 'a'\nurl = 'p2p://127.0.0.1:1'\n"
    )
    _, text, _ = config(tmp_path, "show", "--origin")
    (tmp_path / "again.toml").write_text(text)
    _, again, _ = config(tmp_path, "show", "--config", "again.toml")
    assert tomllib.loads(again) == tomllib.loads(text)
    assert tomllib.loads(text)["chains"]["ltc"]["sources"] == [{"name": "a", "url": "p2p://127.0.0.1:1"}]


def test_no_login_is_printed(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text("[[chains.btc.sources]]\nurl = 'rpc://me:hunter2@127.0.0.1:8332'\n")
    for options in (("show",), ("show", "--json"), ("explain", "chains.NAME.sources.url")):
        code, text, said = config(tmp_path, *options)
        assert code == 0
        assert "127.0.0.1:8332" in text
        assert "hunter2" not in text + said


def test_json_has_key_value_and_origin(tmp_path: Path) -> None:
    _, text, _ = config(tmp_path, "show", "--json", TIER="pro")
    rows = {row["key"]: row for row in json.loads(text)}
    assert rows["relay.tiers"] == {"key": "relay.tiers", "value": ["pro"], "origin": "environment TIER"}
    assert rows["tiers.business.port"]["origin"] == "tier business"


def test_explain_tells_of_one_key_and_of_the_nearest_where_there_is_none(tmp_path: Path) -> None:
    _, text, _ = config(tmp_path, "explain", "tiers.free.rank", SPRINT_TIERS__FREE__RANK="4")
    assert "SPRINT_TIERS__FREE__RANK" in text
    assert "applied at once" in text
    assert "now:         rank = 4   # environment SPRINT_TIERS__FREE__RANK" in text
    code, _, said = config(tmp_path, "explain", "chains.bitcoin.quorom")
    assert (code, said) == (
        2,
        "error: unknown key chains.bitcoin.quorom; did you mean chains.bitcoin.quorum?\n",
    )


def test_set_keeps_the_rest_of_the_file_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text('# mine\n[log]  # logs\nlevel = "info"  # loud # enough\n\n[admin]\nport = 0\n')
    path.chmod(0o600)
    assert config(tmp_path, "set", "log.level", "debug") == (0, "", "")
    assert path.read_text() == (
        '# mine\n[log]  # logs\nlevel = "debug"  # loud # enough\n\n[admin]\nport = 0\n'
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_set_says_where_a_higher_layer_hides_it_and_where_comments_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text("log = { level = 'info' }  # inline\n")
    _, _, said = config(tmp_path, "set", "log.level", "debug", SPRINT_LOG__LEVEL="error")
    assert "comments are lost" in said
    assert "SPRINT_LOG__LEVEL is set and goes over it" in said
    assert tomllib.loads(path.read_text()) == {"log": {"level": "debug"}}


def test_figures_of_breakers_are_set_explained_and_converted(tmp_path: Path) -> None:
    path = tmp_path / "sprint.toml"
    path.touch()
    for key, value in (("failures_to_open", "none"), ("backoff.base_s", "0.5")):
        assert config(tmp_path, "set", f"breakers.source.{key}", value) == (0, "", "")
    wanted = {"breakers": {"source": {"failures_to_open": "none", "backoff": {"base_s": 0.5}}}}
    assert tomllib.loads(path.read_text()) == wanted
    _, text, _ = config(tmp_path, "explain", "breakers.source.backoff.base_s")
    assert "SPRINT_BREAKERS__SOURCE__BACKOFF__BASE_S" in text
    assert "now:         base_s = 0.5   # file sprint.toml" in text
    (tmp_path / "old.json").write_text(json.dumps(wanted).replace('"none"', "null"))
    code, text, _ = config(tmp_path, "convert", "old.json")
    assert (code, tomllib.loads(text)) == (0, wanted)


ALICE = "source:litecoin-regtest:alice"


@pytest.mark.parametrize("given", [ALICE, f'"{ALICE}"'])
def test_one_breakers_figure_is_set_and_explained_with_what_holds_now(tmp_path: Path, given: str) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text("# kept\n[breakers.source]\nbackoff.longest_s = 20\n")
    key = f"breakers.{given}.backoff.longest_s"
    _, text, _ = config(tmp_path, "explain", key)
    assert "now:         longest_s = 20.0   # file sprint.toml" in text, "of what it goes by"
    assert config(tmp_path, "set", key, "7") == (0, "", "")
    assert tomllib.loads(path.read_text())["breakers"][ALICE] == {"backoff": {"longest_s": 7.0}}
    assert path.read_text().startswith("# kept\n")
    _, text, _ = config(tmp_path, "explain", key)
    assert "now:         longest_s = 7.0   # file sprint.toml" in text
    assert config(tmp_path, "set", key, "8") == (0, "", "")
    assert tomllib.loads(path.read_text())["breakers"][ALICE] == {"backoff": {"longest_s": 8.0}}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("breakers.sorce.half_open_calls", "no policy sorce; did you mean source?"),
        ("breakers.sorce.x", "no policy sorce; did you mean source?"),
        ("breakers.sink:x.half_open_calls", "a breaker's name begins with what it calls"),
    ],
)
def test_explain_of_a_policy_that_there_is_not_names_one_that_there_is(
    tmp_path: Path, key: str, said: str
) -> None:
    (tmp_path / "sprint.toml").touch()
    code, _, wrong = config(tmp_path, "explain", key)
    assert code != 0
    assert said in wrong


WRONG = [
    (("log.level", "loud"), "log.level = 'loud': Invalid enum value"),
    (("log.lvl", "info"), "did you mean log.level?"),
    (("relay.tiers", "free,gold"), "not written, as it would not be valid"),
    (("chains.bitconi.quorum", "2"), "chain 'bitconi': there are"),
    (("chains.NAME.quorum", "2"), "give a name in the place of NAME"),
    (("chains.bitcoin.sources", "x"), "sources are a list of tables"),
    (("tiers.gold.port", "1"), "tiers.gold: no such tier"),
    (("chains.bitcoin.no_block_alarm_s", "null"), "take the key out of the file"),
    (("breakers.gold.shadow", "true"), "breakers.gold: no such policy"),
    (("breakers.source:x:y.shadow", "true"), "breakers.\"source:x:y\": chain 'x': there are"),
    (("breakers.sorce.x", "1"), "did you mean breakers.source."),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda v: "=".join(v) if isinstance(v, tuple) else ""
)
def test_set_writes_nothing_that_would_not_be_valid(
    tmp_path: Path, arguments: tuple[str, str], said: str
) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text("[log]\nlevel = 'info'\n")
    code, _, told = config(tmp_path, "set", *arguments)
    assert code == 2
    assert said in told
    assert path.read_text() == "[log]\nlevel = 'info'\n"


def test_set_makes_a_file_that_was_named_and_no_other(tmp_path: Path) -> None:
    code, _, said = config(tmp_path, "set", "log.level", "debug")
    assert (code, "name one to write with --config" in said) == (2, True)
    assert config(tmp_path, "set", "log.level", "debug", "--config", "new.toml")[0] == 0
    assert (tmp_path / "new.toml").read_text() == '[log]\nlevel = "debug"\n'


def test_convert_keeps_what_has_no_place_as_comments(tmp_path: Path) -> None:
    code, text, said = config(tmp_path, "convert", str(VECTORS / "cache.yaml"))
    assert code == 0
    assert tomllib.loads(text) == {}
    assert "# cache.default_ttl = '30s'" in text
    assert "note: cache counts for nothing" in said


def test_a_converted_config_reads_as_the_one_it_was_made_of(tmp_path: Path) -> None:
    source = {"name": "a", "url": "p2p://127.0.0.1:1"}
    given = {"chains": {"litecoin-regtest": {"quorum": 2, "sources": [source]}}, "tier": "turbo"}
    (tmp_path / "old.json").write_text(json.dumps(given))
    _, text, _ = config(tmp_path, "convert", "old.json")
    (tmp_path / "new.toml").write_text(text)
    shown = [config(tmp_path, "show", "--config", name)[1] for name in ("old.json", "new.toml")]
    assert shown[0] == shown[1]
    assert "[[chains.litecoin-regtest.sources]]" in text


@pytest.mark.parametrize("name", ["cache.yaml", "chains.yaml", "performance.json"])
def test_the_papers_files_are_configs_as_they_are_and_converted(tmp_path: Path, name: str) -> None:
    code, text, said = config(tmp_path, "convert", str(VECTORS / name))
    (tmp_path / "sprint.toml").write_text(text)
    assert (code, "counts for nothing" in said) == (0, name != "performance.json")
    assert config(tmp_path, "check")[0] == 0
    assert config(tmp_path, "check", "--config", str(VECTORS / name))[0] == 0


def test_convert_refuses_what_is_not_valid_and_prints_no_half(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("log:\n  level: loud\n")
    code, text, said = config(tmp_path, "convert", "old.yaml")
    assert (code, text) == (1, "")
    assert "log.level = 'loud'" in said


def test_the_relay_does_not_load_what_only_conversions_need() -> None:
    program = (
        "import sys, sprint.tools.relay.service, sprint.cli.settings, sprint.cli.relay_config\n"
        "print([name for name in ('yaml', 'tomli_w') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"
