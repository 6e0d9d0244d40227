"""What a document acts on is read out of it: every named experiment says whom it reaches."""

from __future__ import annotations

import pytest

from sprint.core.chaos.aim import aim_of
from sprint.core.chaos.blast_radius import Target, predicted, whole
from sprint.core.chaos.experiment import Activity, Experiment, HttpProvider, PythonProvider
from sprint.core.chaos.named import NAMED, build
from sprint.core.chaos.topology import BlastRadius
from sprint.core.chaos.wiring import Wishes, key_of
from tests.core.chaos.a_relay import CHAINS, a_relay, all_wired

RELAY = a_relay()
WIRED = all_wired(RELAY)
LITECOIN = next(iter(CHAINS))
ONE = f"{LITECOIN}:n0"


def radius_of(name: str, wishes: Wishes | None = None) -> BlastRadius:
    targets, unknown = aim_of(build(name, RELAY, WIRED, wishes or Wishes()), RELAY, WIRED)
    assert unknown == ()
    return predicted(RELAY, targets)


@pytest.mark.parametrize("name", NAMED)
def test_every_named_experiment_says_whom_it_reaches(name: str) -> None:
    assert radius_of(name) != BlastRadius()


def test_a_partition_leaves_each_chain_one_source_and_a_latency_reaches_one_of_those_with_several() -> None:
    cut_off = radius_of("network-partition")
    assert cut_off.chains_cut == ()
    assert len(cut_off.sources) == 3, "two of three, one of two, none of a sole one"
    late = radius_of("latency", Wishes(sources=(ONE,)))
    assert (late.sources, late.chains_weakened) == ((ONE,), (LITECOIN,))


def test_killing_the_relay_reaches_all_and_killing_a_node_its_source() -> None:
    assert set(radius_of("process-kill").chains_cut) == set(CHAINS)
    assert radius_of("process-kill", Wishes(sources=(ONE,))).sources == (ONE,)


def document(*method: Activity) -> Experiment:
    return Experiment(title="x", description="x", method=method)


def action(func: str, **arguments: object) -> Activity:
    provider = PythonProvider(module="sprint.tools.chaos.actions", func=func, arguments=dict(arguments))
    return Activity(type="action", name=func, provider=provider)


def test_an_action_of_anothers_making_is_named_and_a_probe_reaches_nobody() -> None:
    web = HttpProvider(url="http://127.0.0.1:1/")
    foreign = Activity(type="action", name="call a friend", provider=web)
    probe = Activity(type="probe", name="look", provider=web)
    stranger = action("add_toxic", control_url="http://127.0.0.1:1", proxy="none", kind="latency")
    targets, unknown = aim_of(document(foreign, probe, stranger, action("undo_all")), RELAY, WIRED)
    assert unknown == ("call a friend", "add_toxic")
    assert targets == ()


@pytest.mark.parametrize(
    ("told", "target"),
    [
        (
            action("add_toxic", control_url="http://127.0.0.1:5000", proxy=ONE.replace(":", "-")),
            ("source", ONE),
        ),
        (action("pause_source", chain=LITECOIN, source="n0"), ("source", ONE)),
        (action("order_breaker", breaker=f"source:{ONE}"), ("breaker", f"source:{ONE}")),
        (action("freeze_process", pid=4711), ("relay", "")),
        (action("freeze_process", pid=5000), ("source", ONE)),
        (action("freeze_process", pid=1, target=f"source:{ONE}"), ("source", ONE)),
        (action("drop_packets", port=4000, share=0.1), ("address", "127.0.0.1:4000")),
        (action("hog", resource="cpu", amount=1), ("machine", "")),
        (action("limit_descriptors", pid=4711, target="machine"), ("machine", "")),
        (action("limit_descriptors", pid=4711), ("relay", "")),
        (action("limit_descriptors", pid=5000), ("source", ONE)),
    ],
)
def test_each_action_says_by_its_arguments_what_it_acts_on(told: Activity, target: tuple[str, str]) -> None:
    targets, _ = aim_of(document(told), RELAY, WIRED)
    assert targets == (Target(*target),)  # type: ignore[arg-type]


def test_a_disk_that_is_filled_may_stop_all_of_a_relay_as_nothing_goes_on_that_is_not_logged() -> None:
    targets, _ = aim_of(document(action("hog", resource="disk", amount=1)), RELAY, WIRED)
    assert targets == (Target("machine"), Target("breaker", "store"))
    assert predicted(RELAY, targets) == whole(RELAY)


def test_a_devnet_node_of_a_whole_chain_reaches_all_of_its_sources() -> None:
    told = action("show_devnet_fault", control_url="http://127.0.0.1:6000", chain=LITECOIN, fault="stall")
    expected = {key_of(each) for each in RELAY.sources if each.chain == LITECOIN}
    targets, _ = aim_of(document(told), RELAY, WIRED)
    assert {each.name for each in targets} == expected
