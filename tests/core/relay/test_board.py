"""Racing: who wins, who lags, who is demoted, and how a demoted source comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.model import SourceStatusData
from sprint.core.relay.board import BEHIND_BLOCKS_GRACE_S, TRIAL_HEADS, SourceBoard
from sprint.core.relay.settings import ChainSettings
from tests.core.relay.driving import Blocks, begun

SETTINGS = ChainSettings(lag_blocks_max=4, lag_s_max=30.0)


def board_of(*sources: str) -> SourceBoard:
    board = SourceBoard(SETTINGS)
    for source in sources:
        board.ready(source)
    return board


def statuses(told: list[SourceStatusData]) -> list[tuple[str, str]]:
    return [(status.source, status.status) for status in told]


def test_a_source_behind_for_too_long_is_demoted_once_and_asked_last() -> None:
    board = board_of("a", "b")
    board.won("a", 10)
    board.confirmed("b", 10, 0.1)
    board.won("a", 11)
    assert board.check(100.0) == []
    assert board.next_timer() == 100.0 + BEHIND_BLOCKS_GRACE_S
    assert board.check(129.9) == []
    assert statuses(board.check(130.0)) == [("b", "demoted")]
    assert board.check(131.0) == []
    assert board.demoted == {"b"}
    standing = board.standing("b")
    assert standing is not None
    assert (standing.behind_blocks, standing.height) == (1, 10)
    assert "30 s" in standing.demoted


def test_a_source_many_blocks_behind_is_demoted_after_the_grace_of_a_burst() -> None:
    board = board_of("a", "b")
    board.won("a", 10)
    board.confirmed("b", 10, 0.1)
    board.won("a", 14)
    board.check(100.0)
    assert board.check(100.0 + BEHIND_BLOCKS_GRACE_S - 0.1) == []
    assert statuses(board.check(100.0 + BEHIND_BLOCKS_GRACE_S)) == [("b", "demoted")]


def test_one_source_that_runs_ahead_alone_makes_no_honest_one_late() -> None:
    board = board_of("a", "b", "rogue")
    for source in ("a", "b"):
        board.confirmed(source, 10, 0.0)
    board.won("rogue", 500)
    assert board.check(0.0) == []
    assert board.check(10_000.0) == []
    assert board.demoted == set()


def test_a_sole_source_is_never_demoted() -> None:
    board = board_of("a")
    board.won("a", 10)
    assert board.check(0.0) == []
    assert board.check(10_000.0) == []


def test_a_demoted_source_is_taken_back_after_heads_in_time_and_not_for_catching_up() -> None:
    board = board_of("a", "b")
    board.won("a", 10)
    board.check(0.0)
    assert statuses(board.check(30.0)) == [("b", "demoted")]
    for height in range(1, 11):
        board.confirmed("b", height, 600.0)  # old blocks, long after the winner
    assert board.check(31.0) == []
    for height in range(11, 11 + TRIAL_HEADS):
        assert board.check(32.0) == []
        board.won("a", height)
        board.confirmed("b", height, 0.2)
    assert statuses(board.check(33.0)) == [("b", "re-admitted")]
    assert board.demoted == set()


def test_a_source_left_alone_while_behind_is_not_judged_again_and_again() -> None:
    board = board_of("a", "b")
    board.won("a", 10)
    board.check(0.0)
    board.lost("a")
    assert board.check(40.0) == []
    assert board.next_timer() is None


def test_a_source_that_came_to_a_quiet_chain_is_held_to_what_comes_next_and_not_to_what_it_has_not_said() -> (
    None
):
    board = board_of("a")
    board.won("a", 100)
    board.ready("b", head_height=100)
    assert board.check(0.0) == []
    assert board.check(1_000.0) == []
    standing = board.standing("b")
    assert standing is not None
    assert (standing.height, standing.behind_blocks) == (None, 0)
    board.won("a", 101)
    board.check(1_000.0)
    assert statuses(board.check(1_030.0)) == [("b", "demoted")]


STEPS = st.tuples(st.sampled_from("abc"), st.integers(-1, 60), st.floats(0, 40))


@given(st.lists(STEPS, max_size=60))
def test_each_demotion_ends_before_the_next_and_no_timer_is_in_the_past(
    steps: list[tuple[str, int, float]],
) -> None:
    board, now, down = board_of("a", "b", "c"), 0.0, set[str]()
    for source, height, passed_s in steps:
        now += passed_s
        match height:
            case -1:
                board.lost(source)
            case 0:
                board.ready(source)
            case _:
                board.confirmed(source, height, passed_s)
        for status in board.check(now):
            assert (status.source in down) is (status.status == "re-admitted")
            down ^= {status.source}
        assert down == board.demoted
        timer = board.next_timer()
        assert timer is None or timer > now


def test_answers_and_timeouts_make_the_score_and_what_is_slow() -> None:
    board = board_of("a")
    assert board.slow_after_s("a", 9.0) == 9.0
    for number in range(20):
        board.answered("a", number / 10)
    assert board.slow_after_s("a", 9.0) == 1.9
    for _ in range(20):
        board.timed_out("a")
    standing = board.standing("a")
    assert standing is not None
    assert (standing.score, standing.answers, standing.timeouts) == (50, 20, 20)


def test_the_pipeline_tells_of_a_source_that_fell_behind_and_asks_the_others_first() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(lag_s_max=30.0), "a", "b")
    hashes = blocks.mine(3)
    driver.follow("a", hashes[:1])
    driver.headers_of("b", hashes[:1])
    driver.admit(driver.headers_of("b", hashes[:1]))
    driver.follow("a", hashes[1:2])
    driver.told()
    driver.timer(31.0)
    (demoted,) = [e.data for e in driver.told("source_status")]
    assert (demoted.source, demoted.status) == ("b", "demoted")
    outcome = driver.headers("b", hashes[2:])
    assert [request.source for request in outcome.requests if request.bodies] == ["a"]


def test_a_source_that_is_back_on_a_quiet_chain_is_not_demoted_for_having_nothing_new() -> None:
    """An RPC source that was configured anew was told as "35 blocks behind" three seconds later."""
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(lag_blocks_max=2), "a", "b")
    driver.follow("a", blocks.mine(3))
    driver.lost("b")
    driver.ready("b")
    driver.settle(driver.admit(driver.headers_of("b", ())))
    driver.told()
    driver.timer(BEHIND_BLOCKS_GRACE_S)
    driver.timer(60.0)
    assert driver.told("source_status") == []


def test_one_that_lacks_a_block_for_a_while_is_to_be_asked_once_and_again_when_it_lacks_another() -> None:
    board = board_of("a", "b")
    board.won("a", 10)
    board.confirmed("b", 10, 0.1)
    board.won("a", 11)
    assert board.to_ask(100.0) == []
    assert board.next_timer() == 103.0
    assert board.to_ask(102.9) == []
    assert board.to_ask(103.0) == ["b"]
    assert board.next_timer() is None
    assert board.to_ask(120.0) == []
    board.confirmed("b", 11, 0.1)
    assert board.to_ask(121.0) == []
    board.won("a", 12)
    assert board.to_ask(122.0) == []
    assert board.to_ask(125.0) == ["b"]


def test_all_of_several_sources_that_hang_at_once_are_asked_though_the_second_highest_hangs_itself() -> None:
    blocks = Blocks()
    driver = begun(blocks, None, "alice", "bob", "carol", "dave")
    (first,) = blocks.mine(1)
    driver.follow("bob", [first])
    asked = driver.timer(BEHIND_BLOCKS_GRACE_S).requests
    assert [request.source for request in asked if request.locator] == ["alice", "carol", "dave"]
    assert driver.timer(1.0).requests == []


def test_who_is_always_one_block_behind_is_asked_only_when_it_stops() -> None:
    board = board_of("a", "b")
    for second in range(20):
        board.won("a", second + 11)
        board.confirmed("b", second + 10, 0.9)
        assert board.to_ask(float(second)) == []
    board.won("a", 31)
    asked_at = [second for second in range(20, 60) if board.to_ask(float(second)) == ["b"]]
    assert asked_at == [22]


def test_who_runs_ahead_alone_has_the_others_asked_once_and_none_of_them_demoted() -> None:
    board = board_of("liar", "bob", "carol")
    for each in ("liar", "bob", "carol"):
        board.reached(each, 10)
    board.won("liar", 500)
    asked = []
    for second in range(100, 200):
        assert board.check(float(second)) == []
        asked += board.to_ask(float(second))
    assert asked == ["bob", "carol"]


def test_a_source_that_says_nothing_while_others_go_on_is_asked_for_headers() -> None:
    blocks = Blocks()
    driver = begun(blocks, None, "a", "b")
    (first,) = blocks.mine(1)
    driver.follow("a", [first])
    asked = driver.timer(BEHIND_BLOCKS_GRACE_S).requests
    assert [request.source for request in asked if request.locator] == ["b"]
    assert driver.timer(1.0).requests == []
