"""Named experiments: each becomes a document that says what it does, or says what it lacks."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.experiment import Activity, Experiment, PythonProvider
from sprint.core.chaos.experiment_codec import document_of, read_experiment
from sprint.core.chaos.faults import TTL_S_MAX
from sprint.core.chaos.library import LIBRARY, names_of
from sprint.core.chaos.named import NAMED, NotPossible, Wiring, Wishes, build
from sprint.core.errors import ConfigError
from tests.core.chaos.a_relay import a_relay, all_wired

PROXIED = ("network-partition", "latency", "bandwidth", "reset-peer", "errors", "cascade", "packet-loss")


def built(name: str, wishes: Wishes | None = None, **wiring: object) -> Experiment:
    relay = a_relay()
    whole = msgspec.structs.replace(all_wired(relay), **wiring)
    return build(name, relay, whole, wishes or Wishes())


def arguments_of(activity: Activity) -> dict[str, object]:
    assert isinstance(activity.provider, PythonProvider)
    return activity.provider.arguments


def injections(experiment: Experiment) -> list[Activity]:
    return [each for each in experiment.method if each.type == "action"]


def targets(experiment: Experiment) -> list[str]:
    return [str(arguments_of(each)["target"]).removeprefix("source:") for each in injections(experiment)]


@pytest.mark.parametrize("name", NAMED)
def test_each_one_survives_the_way_to_a_document_and_back(name: str) -> None:
    experiment = built(name)
    document = document_of(experiment)
    again = read_experiment(msgspec.json.decode(msgspec.json.encode(document)))
    assert again == experiment


@pytest.mark.parametrize("name", NAMED)
def test_each_one_has_a_steady_state_a_fault_with_an_end_and_a_rollback(name: str) -> None:
    experiment = built(name, Wishes(duration_s=7.0))
    assert {each.tolerance is not None for each in experiment.hypothesis.probes} == {True}
    assert injections(experiment)
    for each in injections(experiment):
        ttl_s = arguments_of(each)["ttl_s"]
        assert isinstance(ttl_s, float)
        assert 7.0 < ttl_s <= TTL_S_MAX
    (rollback,) = experiment.rollbacks
    assert isinstance(rollback.provider, PythonProvider)
    assert rollback.provider.func == "undo_all"


@pytest.mark.parametrize("name", [name for name in NAMED if name != "packet-loss"])
def test_the_faults_are_held_for_the_duration(name: str) -> None:
    experiment = built(name, Wishes(duration_s=7.0))
    assert [each.pauses.after for each in experiment.method if each.pauses.after] == [7.0]


def test_packet_loss_in_bursts_lasts_by_itself_as_long_as_it_is_asked_to() -> None:
    experiment = built("packet-loss", Wishes(duration_s=7.0))
    assert {arguments_of(each)["lasts_s"] for each in injections(experiment)} == {7.0}
    assert [each.background for each in injections(experiment)] == [True, False]
    assert not any(each.pauses.after for each in experiment.method)


def test_packets_are_dropped_by_nft_only_where_that_can_be_done() -> None:
    by_nft = built("packet-loss", packets=True)
    assert {arguments_of(each).get("share") for each in injections(by_nft)} == {0.2}
    assert "nft" in by_nft.description
    assert all("port" in arguments_of(each) for each in injections(by_nft))
    assert "silence" in built("packet-loss").description


def test_packets_to_another_machine_are_not_dropped_as_nft_acts_on_loopback_alone() -> None:
    relay = a_relay()
    far = tuple(msgspec.structs.replace(each, address="192.0.2.7:9333") for each in relay.sources)
    wiring = msgspec.structs.replace(all_wired(relay), packets=True)
    with pytest.raises(NotPossible, match=r"is at 192\.0\.2\.7:9333, and nft drops on loopback alone"):
        build("packet-loss", msgspec.structs.replace(relay, sources=far), wiring, Wishes())


def test_a_disk_is_filled_by_so_much_or_up_to_so_little() -> None:
    (by,) = injections(built("resource-exhaustion-disk"))
    (up_to,) = injections(built("resource-exhaustion-disk", Wishes(figures={"disk_left_mib": 0.5})))
    assert (by.name, arguments_of(by)["amount"], arguments_of(by)["left_mib"]) == (
        "take 64 MiB of the disk",
        64,
        0,
    )
    assert (up_to.name, arguments_of(up_to)["left_mib"]) == ("take all but 0.5 MiB of the disk", 0.5)


def test_a_relay_whose_process_is_known_is_short_of_descriptors_itself() -> None:
    hog, limit = injections(built("resource-exhaustion-fds", Wishes(figures={"spare": 3})))
    assert (arguments_of(hog)["resource"], arguments_of(limit)["pid"]) == ("descriptors", 4711)
    assert (arguments_of(limit)["spare"], arguments_of(limit)["target"]) == (3, "machine")
    assert len(injections(built("resource-exhaustion-fds", relay_pid=None))) == 1
    assert len(injections(built("resource-exhaustion"))) == 4


@given(
    seed=st.integers(0, 2**61), name=st.sampled_from(["latency", "errors", "force-open", "upstream-stall"])
)
def test_a_fault_of_one_source_never_takes_the_last_one_of_a_chain(seed: int, name: str) -> None:
    chains = [each.split(":")[0] for each in targets(built(name, Wishes(seed=seed)))]
    assert sorted(chains) == ["bitcoin-regtest", "litecoin-regtest"]


@given(seed=st.integers(0, 2**61), name=st.sampled_from(["network-partition", "cascade"]))
def test_a_partition_leaves_one_source_of_each_chain(seed: int, name: str) -> None:
    hit = targets(built(name, Wishes(seed=seed)))
    assert len(hit) == len(set(hit))
    chains = [each.split(":")[0] for each in hit]
    assert (chains.count("litecoin-regtest"), chains.count("bitcoin-regtest")) == (2, 1)
    assert "dogecoin-regtest" not in chains


@given(seed=st.integers(0, 2**61))
def test_the_seed_decides_and_nothing_else(seed: int) -> None:
    assert built("latency", Wishes(seed=seed)) == built("latency", Wishes(seed=seed))


def test_over_some_seeds_each_source_of_a_chain_has_its_turn() -> None:
    hit = {each for seed in range(40) for each in targets(built("latency", Wishes(seed=seed)))}
    assert {f"litecoin-regtest:n{number}" for number in range(3)} <= hit


def test_named_sources_are_taken_be_they_the_last_of_their_chain() -> None:
    only = Wishes(sources=("dogecoin-regtest:n0",))
    assert targets(built("latency", only)) == ["dogecoin-regtest:n0"]
    with pytest.raises(ConfigError, match="dogecoin-regtest:n7"):
        built("latency", Wishes(sources=("dogecoin-regtest:n7",)))


def test_the_sources_of_a_cascade_fail_one_after_another() -> None:
    relay = a_relay({"litecoin-regtest": 4})
    experiment = build("cascade", relay, all_wired(relay), Wishes(duration_s=20.0))
    assert sorted(each.pauses.before for each in injections(experiment)) == [0.0, 5.0, 10.0]
    assert [each.background for each in injections(experiment)] == [True, True, False]


@pytest.mark.parametrize("name", PROXIED)
def test_without_a_proxy_it_is_not_possible_and_says_so(name: str) -> None:
    with pytest.raises(NotPossible, match="no fault proxy"):
        built(name, proxies={})


def test_what_is_missing_is_named() -> None:
    relay = a_relay()
    for name, missing in {
        "upstream-stall": "no devnet node, no fault proxy and no known process",
        "upstream-lies": "no devnet node",
        "clock-skew": "no devnet node",
        "process-kill": "--relay-pid",
        "resource-exhaustion-disk": "folder",
    }.items():
        with pytest.raises(NotPossible, match=missing):
            build(name, relay, Wiring(), Wishes())
    with pytest.raises(NotPossible, match="start the relay again"):
        build("process-kill", relay, Wiring(relay_pid=4711), Wishes())
    with pytest.raises(NotPossible, match="--stream"):
        build("force-open", msgspec.structs.replace(relay, tiers=()), Wiring(), Wishes())


def test_a_relay_whose_chains_have_one_source_each_is_told_so() -> None:
    relay = a_relay({"dogecoin-regtest": 1})
    with pytest.raises(NotPossible, match="dogecoin-regtest has 1 usable source of two"):
        build("network-partition", relay, all_wired(relay), Wishes())


def test_a_source_that_is_not_usable_is_neither_hit_nor_counted() -> None:
    relay = a_relay({"litecoin-regtest": 3}, usable=False)
    with pytest.raises(NotPossible, match="has 0 usable sources"):
        build("latency", relay, all_wired(relay), Wishes())


def test_a_partition_keeps_the_source_that_has_no_proxy() -> None:
    relay = a_relay({"litecoin-regtest": 3})
    wiring = all_wired(relay)
    proxies = {key: each for key, each in wiring.proxies.items() if key != "litecoin-regtest:n1"}
    experiment = build("network-partition", relay, msgspec.structs.replace(wiring, proxies=proxies), Wishes())
    assert targets(experiment) == ["litecoin-regtest:n0", "litecoin-regtest:n2"]


def test_figures_are_taken_within_their_limits() -> None:
    experiment = built("latency", Wishes(figures={"latency_ms": 300}))
    assert arguments_of(injections(experiment)[0])["figures"] == {"latency_ms": 300, "jitter_ms": 60}
    with pytest.raises(ConfigError, match="latency_ms -1"):
        built("latency", Wishes(figures={"latency_ms": -1}))
    with pytest.raises(ConfigError, match="it has latency_ms"):
        built("latency", Wishes(figures={"late_ms": 1}))


def test_a_clock_may_be_behind_and_not_right() -> None:
    behind = arguments_of(injections(built("clock-skew", Wishes(figures={"skew_s": -5})))[0])
    assert (behind["fault"], behind["amount"]) == ("clock_behind", 5)
    with pytest.raises(ConfigError, match="not 0"):
        built("clock-skew", Wishes(figures={"skew_s": 0}))


def test_a_duration_that_outlasts_every_fault_is_refused() -> None:
    with pytest.raises(ConfigError, match="3540 at most"):
        built("latency", Wishes(duration_s=3_600))


def test_no_block_is_waited_for_where_blocks_are_rare() -> None:
    experiment = built("latency", Wishes(blocks_within_s=0))
    functions = {each.provider.func for each in experiment.hypothesis.probes if each.provider.func}  # type: ignore[union-attr]
    assert functions == {"relay_ready", "sources_ready"}


def test_nodes_that_share_a_process_are_killed_once() -> None:
    sources = ("litecoin-regtest:n0", "litecoin-regtest:n1")
    experiment = built("process-kill", Wishes(sources=sources), upstream_pids=dict.fromkeys(sources, 77))
    assert [arguments_of(each)["pid"] for each in injections(experiment)] == [77]


def test_a_series_names_experiments_that_there_are() -> None:
    for series in LIBRARY.values():
        assert set(series.names) <= set(NAMED)
    assert names_of("all") == tuple(NAMED)
    assert names_of("latency") == ("latency",)


def test_the_order_of_chaos_follows_from_the_seed() -> None:
    orders = {names_of("chaos", seed) for seed in range(20)}
    assert len(orders) > 10
    assert {tuple(sorted(each)) for each in orders} == {tuple(sorted(LIBRARY["chaos"].names))}
    assert names_of("chaos", 3) == names_of("chaos", 3)


def test_a_name_that_there_is_not_is_answered_with_those_near_it() -> None:
    with pytest.raises(ConfigError, match="network-partition"):
        names_of("network-partitoin")
    with pytest.raises(ConfigError, match="latency"):
        build("latencyy", a_relay(), Wiring(), Wishes())


def test_what_many_sources_lack_is_said_once_and_names_the_first_of_them() -> None:
    relay = a_relay({"litecoin-regtest": 4, "bitcoin-regtest": 3})
    with pytest.raises(NotPossible) as refused:
        build("errors", relay, Wiring(api_url="http://127.0.0.1:8080"), Wishes())
    said = str(refused.value)
    assert said.count("has no fault proxy in the way") == 1
    assert "each of bitcoin-regtest:n0, bitcoin-regtest:n1, bitcoin-regtest:n2 and 4 more has no" in said
