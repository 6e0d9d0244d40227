"""Options as they are given: flags go over a file, pairs are taken apart, what cannot be is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sprint.core.errors import ConfigError
from sprint.tools.chaos.given import EXPERIMENT_DEFAULT, EXPERIMENTS_MAX, Given, options_of
from sprint.tools.command_file import given_of

FILE = """
[chaos]
experiment = ["errors", "latency"]
validate = true
max-blast-radius = "chains_cut=0"
seed = 7
"""


def test_flags_go_over_a_file_and_what_was_not_given_leaves_its_word(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(FILE)
    flags = {"experiment": ("reset-peer",), "validate": None, "seed": 0}
    options = options_of(given_of(Given, "chaos", tmp_path / "c.toml", flags))
    assert (options.experiments, options.seed) == (("reset-peer",), 0)
    assert (options.recovery_judged, options.max_blast_radius) == (True, "chains_cut=0")


def test_nothing_given_is_one_experiment_on_an_embedded_relay() -> None:
    options = options_of(Given())
    assert (options.experiments, options.target, options.duration_s) == ((EXPERIMENT_DEFAULT,), "", 20.0)
    assert options.allowed == frozenset()
    assert not options.recovery_judged


def test_pairs_are_taken_apart_at_the_first_equals_sign() -> None:
    options = options_of(
        Given(
            target="http://127.0.0.1:8081/",
            proxy=("litecoin-regtest:alice=http://127.0.0.1:1/a=b",),
            upstream_pid=("litecoin-regtest:alice=4711",),
        )
    )
    assert options.target == "http://127.0.0.1:8081"
    assert options.proxies == {"litecoin-regtest:alice": "http://127.0.0.1:1/a=b"}
    assert options.upstream_pids == {"litecoin-regtest:alice": 4711}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"experiment": ("errors",) * (EXPERIMENTS_MAX + 1)}, f"65 of them, limit {EXPERIMENTS_MAX}"),
        ({"figure": ("a=1", "a=2")}, "--figure 'a=2': a is given twice"),
        ({"figure": ("=1",)}, "write it as latency_ms=200"),
        ({"upstream_pid": ("bitcoin:a=0x11",)}, "want a pid above 1"),
        ({"relay_pid": -5}, "want a pid above 1"),
        ({"seed": 1 << 62}, "a whole number from 0 to 2^62 - 1"),
        ({"beside": "ftp://x"}, "--beside 'ftp://x': no URL"),
        ({"stream": "x"}, "--stream 'x': no URL"),
    ],
)
def test_what_cannot_be_is_refused_with_its_option(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options_of(Given(**given))
    assert says in str(refused.value)
