"""`sprint cb-chaos` as it is asked: what is wrong is refused before anything is started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sprint.cli import cb_chaos
from sprint.core.chaos.library import LIBRARY
from sprint.core.chaos.named import NAMED
from sprint.tools.chaos import campaign

COMMAND = (sys.executable, "-c", "from sprint.cli.cb_chaos import run; run()")
TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here must be answered without a relay."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPRINT_CHAOS_JOURNAL", str(tmp_path / "journal"))

    def opened(*_: object) -> None:
        raise AssertionError("a relay was opened")

    monkeypatch.setattr(campaign, "opened_subject", opened)


def test_an_experiment_without_a_name_lists_them_all() -> None:
    done = CliRunner().invoke(cb_chaos.app, ("--experiment",))
    assert done.exit_code == 0
    for name in (*NAMED, *LIBRARY):
        assert f"\n{name} " in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize("after", [("--duration", "60s"), ("-q",), ("--json",)])
def test_an_option_after_experiment_is_not_taken_for_its_name(after: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cb_chaos.app, ("--experiment", *after))
    assert done.exit_code == 0, done.output


def test_the_list_as_json_has_figures_with_their_bounds() -> None:
    done = CliRunner().invoke(cb_chaos.app, ("--experiment", "--json"))
    (latency,) = [each for each in json.loads(done.stdout) if each["name"] == "latency"]
    assert latency["figures"]["latency_ms"]["default"] == NAMED["latency"].figures["latency_ms"].default


# What is asked, and what the refusal says.
WRONG = [
    ("--experiment latncy", "no such name; near it: latency"),
    ("--experiment high_lod", "near it: high_load"),
    ("--experiment absent.json", "absent.json: No such file or directory"),
    ("--experiment latency --figure latncy_ms=3", "did you mean latency_ms?"),
    ("--experiment errors --figure latency_ms=3", "errors has no figures"),
    ("--experiment latency --figure latency_ms=soon", "'soon' is no number"),
    ("--experiment latency --figure latency_ms=nan", "'nan' is no number"),
    ("--experiment latency --figure latency_ms=0", "latency_ms 0; want 1 to 600000"),
    ("--experiment clock-skew --figure skew_s=0", "want -20000 to 20000, and not 0"),
    ("--figure latency_ms", "--figure 'latency_ms': write it as latency_ms=200"),
    ("--duration soon", "--duration 'soon': no duration"),
    ("--duration 0s", "want 1 s to 3600 s"),
    ("--duration 2h", "want 1 s to 3600 s"),
    ("--recovery-sla 0", "--recovery-sla 0: 0 s; want 0.1 s"),
    ("--blocks-within -1s", "--blocks-within '-1s': no duration"),
    ("--blocks-within 11m", "want 0 s to 600 s"),
    ("--source alice", "--source 'alice': write it as CHAIN:NAME"),
    ("--source litecoin-regtest:eve", "the embedded relay has litecoin-regtest:alice"),
    ("--serve --source bitcoin:alice", "the embedded relay has litecoin-regtest:alice"),
    ("--output r.pdf", "--output r.pdf: no form goes by .pdf, but by .json, .html"),
    ("--tier gold", "--tier: tier 'gold': there are free, developer, business, turbo, enterprise"),
    ("--breakers off", "--breakers 'off': there is on and shadow"),
    ("--seed -1", "--seed -1"),
    ("--seed x", "--seed"),
    ("--max-blast-radius some", "want KEY=NUMBER or KEY=SHARE%"),
    ("--target 127.0.0.1:8081", "no URL; write it as http://127.0.0.1:8081"),
    ("--relay-pid 1", "want a pid above 1"),
    ("--upstream-pid a=b", "want a pid above 1"),
    ("--proxy alice", "--proxy 'alice': write it as"),
    ("--devnet x", "--devnet 'x': write it as"),
    ("--cron 2am", "cron '2am': 1 fields; want five"),
    ("--cron * --every 5m", "a schedule has one of them"),
    ("--schedule cron", "say when by --cron"),
    ("--schedule periodic", "say how often by --every"),
    ("--schedule", "--schedule: say when"),
    ("--schedule often", "there is immediate, periodic, random, cron"),
    ("--every 0s", "--every 0s: want 1 s"),
    ("--runs 2", "--runs: it ends a schedule that comes again"),
    ("--serve --schedule periodic --every 5m", "with --serve no experiment is run by this command"),
    ("--serve --dry-run", "--dry-run and --serve: a command does one of them"),
    ("--serve --experiment latncy", "near it: latency"),
    ("--serve --host 192.0.2.1", "off loopback it wants a key of 32 characters or more"),
    ("--tls-cert c.pem", "--tls-cert: that is of --serve"),
    ("--dry-run --output r.json", "--output: with --dry-run no experiment is run"),
    ("--port 80", "--port: that is of --serve"),
    ("--map svg", "svg"),
    ("--export", "requires an argument"),
    ("--export x.json --experiment all", "--export: 18 experiments; a file has one"),
    ("--export absent/x.json", "--export absent/x.json: there is no folder absent"),
    ("--output absent/r.json", "--output absent/r.json: there is no folder absent"),
    ("--output .", "that is a folder"),
    ("--format pdf", "pdf"),
    ("--format html --experiment all", "each experiment has a page of its own"),
    ("--json --format html", "stdout takes one form"),
    ("--config absent.toml", "--config absent.toml: No such file"),
    ("--rollback --experiment latency", "--rollback goes by the journals alone"),
    ("--halt --duration 3s", "--halt goes by the journals alone"),
    ("latency", "unexpected extra argument"),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_use_exits_with_2_and_says_what_would_be_right(line: str, said: str) -> None:
    done = CliRunner().invoke(cb_chaos.app, line.split())
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_cron_of_five_fields_may_stand_with_words_of_the_seed_line() -> None:
    """`--schedule --cron "0 2 * * *" --experiment all`: `--schedule` has no value there."""
    done = CliRunner().invoke(cb_chaos.app, ("--schedule", "--cron", "0 2 * *", "--experiment", "all"))
    assert done.exit_code == 2
    assert "cron '0 2 * *': 4 fields; want five" in done.stderr


@pytest.mark.parametrize("option", ["--output", "--export"])
def test_a_file_that_cannot_be_written_is_refused_before_a_run(option: str) -> None:
    done = CliRunner().invoke(cb_chaos.app, (option, "/proc/r.json"))
    assert done.exit_code == 2
    assert f"{option} /proc/r.json: no file can be made in /proc" in done.stderr


CONFIGS = [
    ("[chaos]\nexperimnt = ['latency']\n", "unknown key chaos.experimnt; did you mean experiment?"),
    ("[chaos]\nseed = 'x'\n", "chaos: Expected `int`, got `str` - at `$.seed`"),
    ("[chaos]\nduration = '2h'\n", "--duration 2h"),
    ("chaos = 3\n", "chaos is not a table"),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_wrong_file_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    Path("c.toml").write_text(text)
    done = CliRunner().invoke(cb_chaos.app, ("--config", "c.toml"))
    assert done.exit_code == 2
    assert said in done.stderr


def test_rollback_with_nothing_left_says_so_and_where_it_looked(tmp_path: Path) -> None:
    for option in ("--rollback", "--halt"):
        done = CliRunner().invoke(cb_chaos.app, (option, "--journal-dir", str(tmp_path)))
        assert done.exit_code == 0, done.output
        assert f"nothing is left on: no run in {tmp_path} that has not ended" in done.stdout


def test_a_target_that_nobody_allowed_is_refused_before_it_is_spoken_to() -> None:
    done = command("--target", "http://192.0.2.1:8081")
    assert done.returncode == 2
    assert "192.0.2.1:8081 is not on loopback" in done.stderr
    assert done.stderr.startswith("target     http://192.0.2.1:8081\n")


def test_nobody_at_the_target_is_exit_code_3() -> None:
    done = command("--target", "http://127.0.0.1:1")
    assert done.returncode == 3
    assert "nobody listens there" in done.stderr
    assert "Traceback" not in done.stderr


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
