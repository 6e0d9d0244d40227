"""A reload's difference: what is applied at once, what needs a restart, what runs from then on."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.config import ConfigChange, Layers, resolve, sources_of
from sprint.core.config.change import Values, applied, change_between, running_values
from sprint.core.config.formats import table_of_toml
from sprint.core.config.keys import KEYS
from sprint.tools.breaker.registry import packaged_texts

PACKAGED = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")


def values(text: str, *, quiet: bool = False) -> Values:
    resolved = resolve(
        Layers(table=table_of_toml(text, "test"), name="test", tiers_text=PACKAGED, policies=packaged_texts())
    )
    return running_values(resolved, sources_of(resolved.config, ()), quiet=quiet)


def change(before: str, after: str) -> ConfigChange:
    return change_between(values(before), values(after))


def source(name: str, port: int = 1, chain: str = "litecoin-regtest") -> str:
    return f"[[chains.{chain}.sources]]\nname = '{name}'\nurl = 'p2p://127.0.0.1:{port}'\n"


def test_the_same_config_is_no_change() -> None:
    text = source("a") + "[log]\nlevel = 'error'\n"
    assert not change(text, text)
    assert change(text, text) == ConfigChange()


def test_a_source_that_comes_and_one_that_goes() -> None:
    found = change(source("a"), source("b"))
    assert [spec.name for spec in found.sources_added] == ["b"]
    assert [spec.name for spec in found.sources_removed] == ["a"]
    assert found.at_once == ("chains.litecoin-regtest.sources.a", "chains.litecoin-regtest.sources.b")
    assert found.restart == ()


def test_a_source_that_was_changed_goes_as_it_was_and_comes_as_it_is_to_be() -> None:
    found = change(source("a", 1), source("a", 2))
    assert [spec.port for spec in found.sources_removed] == [1]
    assert [spec.port for spec in found.sources_added] == [2]


def test_the_order_of_sources_is_no_difference() -> None:
    assert not change(source("a") + source("b"), source("b") + source("a"))


def test_policies_and_the_logs_level_are_applied_at_once() -> None:
    found = change("", "[tiers.free]\nrank = 5\ncoalescing_window_ms = 1\n[log]\nlevel = 'debug'\n")
    assert found.tiers == {"free": {"rank": 5, "coalescing_window_ms": 1.0}}
    assert found.log_level == "debug"
    assert found.at_once == ("log.level", "tiers.free.coalescing_window_ms", "tiers.free.rank")
    assert found.restart == ()


@pytest.mark.parametrize(
    ("after", "keys"),
    [
        ("[tiers.free]\nport = 1\n", ("tiers.free.port",)),
        ("[tiers.free]\nhistory_days = 3\n", ("tiers.free.history_days",)),
        ("[relay]\ntiers = ['turbo']\n", ("relay.tiers",)),
        ("[relay]\nhost = '::1'\ndurability = 'disk'\n", ("relay.durability", "relay.host")),
        ("[chains.bitcoin]\ngap_after_s = 5\n", ("chains.bitcoin.gap_after_s",)),
        ("[log]\nformat = 'json'\n", ("log.format",)),
    ],
)
def test_what_is_read_at_the_start_only_needs_a_restart(after: str, keys: tuple[str, ...]) -> None:
    assert change("", after).restart == keys
    assert change(after, "").restart == keys
    assert change("", after).at_once == ()


def test_breakers_are_applied_at_once_and_each_key_that_differs_is_named() -> None:
    before = "[breakers.source]\nfailures_to_open = 4\n[breakers.intervals]\nstate_s = 5\n"
    own = '[breakers."source:litecoin-regtest:p2p:127.0.0.1:1".backoff]\nbase_s = 2\n'
    found = change(before, "[breakers]\ngroup_ejected_percent_max = 50\n" + own)
    assert found.at_once == (
        'breakers."source:litecoin-regtest:p2p:127.0.0.1:1".backoff.base_s',
        "breakers.group_ejected_percent_max",
        "breakers.intervals.state_s",
        "breakers.source.failures_to_open",
    )
    assert found.restart == ()
    assert found.breakers is not None
    assert found.breakers.group_ejected_percent_max == 50
    assert found.breakers.overrides == {"source:litecoin-regtest:p2p:127.0.0.1:1": {"backoff": {"base_s": 2}}}


def test_tiers_that_are_not_served_and_defaults_that_are_written_out_are_no_difference() -> None:
    assert not change(
        "", "[tiers.turbo]\nrank = 9\n[chains.bitcoin]\ngap_after_s = 60\n[log]\nlevel = 'info'\n"
    )


def test_quiet_holds_the_level_whatever_the_config_says() -> None:
    quiet = values("", quiet=True)
    assert change_between(quiet, values("[log]\nlevel = 'debug'\n", quiet=True)) == ConfigChange()


def test_what_could_not_be_applied_is_a_difference_again_at_the_next_reload() -> None:
    running, wanted = values(source("a")), values(source("a") + source("b", 2) + "[relay]\nhost = '::1'\n")
    first = change_between(running, wanted)
    after = applied(running, wanted, first, ("chains.litecoin-regtest.sources.b",))
    assert change_between(after, wanted) == first
    assert change_between(applied(running, wanted, first), wanted).at_once == ()


TEXTS = (
    *("[breakers.store]\nfailures_to_open = 9\n", "[breakers.turbo]\nshadow = true\n"),
    *("[log]\nlevel = 'error'\n", "[tiers.free]\nrank = 9\n", "[features]\nwatch_config = false\n"),
    *(source("a"), source("b"), source("c", chain="bitcoin")),
)


@given(st.sets(st.sampled_from(TEXTS)), st.sets(st.sampled_from(TEXTS)))
def test_a_change_that_was_applied_leaves_nothing_to_change(before: set[str], after: set[str]) -> None:
    running, wanted = values("".join(sorted(before))), values("".join(sorted(after)))
    found = change_between(running, wanted)
    assert found.restart == ()
    assert bool(found) == (before != after)
    assert not change_between(applied(running, wanted, found), wanted)


def test_every_key_says_whether_a_reload_applies_it_and_those_that_do_are_in_a_change() -> None:
    known = ("chains.NAME.sources", "tiers.NAME.", "features.", "log.level", "breakers.")
    assert [name for name, key in KEYS.items() if key.at_once and not name.startswith(known)] == []
