"""Cron expressions beside a reading of our own that tries every minute, and where clocks are set."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chaos.cron_line import check_cron, next_match
from sprint.core.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")
# The days from here on have the end of a leap year's February among them, and two ends of years.
FIRST_DAY = datetime(2023, 12, 1, tzinfo=UTC)
RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
Field = tuple[str, frozenset[int]]


@st.composite
def terms(draw: st.DrawFn, name: str) -> Field:
    """One term as text, and the numbers that it means."""
    least, most = RANGES[name]
    first = draw(st.integers(least, most))
    last = draw(st.integers(first, most))
    step = draw(st.integers(1, 20))
    named = {"month": dict(zip(range(1, 13), MONTHS, strict=True)), "weekday": dict(enumerate(DAYS))}
    one = named.get(name, {}).get(first, str(first)) if draw(st.booleans()) else str(first)
    match draw(st.sampled_from(["one", "range", "steps of a range", "steps from one", "steps of all"])):
        case "one":
            return one, frozenset([first])
        case "range":
            return f"{first}-{last}", frozenset(range(first, last + 1))
        case "steps of a range" if last > first:
            return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
        case "steps of all":
            return f"*/{step}", frozenset(range(least, most + 1, step))
        case _:
            return f"{first}/{step}", frozenset(range(first, most + 1, step))


def fields(name: str) -> st.SearchStrategy[Field]:
    least, most = RANGES[name]
    everything = st.just(("*", frozenset(range(least, most + 1))))
    lists = st.lists(terms(name), min_size=1, max_size=3).map(
        lambda each: (",".join(text for text, _ in each), frozenset().union(*(meant for _, meant in each)))
    )
    return everything | lists


def matches(moment: datetime, line: list[Field]) -> bool:
    """Read a minute against five fields, as crontab(5) of Debian says."""
    minute, hour, day, month, weekday = line
    if moment.minute not in minute[1] or moment.hour not in hour[1] or moment.month not in month[1]:
        return False
    by_day = moment.day in day[1]
    # Sunday is 0 and 7.
    by_weekday = bool({moment.isoweekday(), moment.isoweekday() % 7} & weekday[1])
    if day[0].startswith("*") or weekday[0].startswith("*"):
        return by_day and by_weekday
    return by_day or by_weekday


@given(
    line=st.tuples(*(fields(name) for name in RANGES)).map(list),
    begin=st.integers(0, 456 * 86_400_000).map(lambda millis: FIRST_DAY + timedelta(milliseconds=millis)),
)
@settings(max_examples=60, deadline=None)
def test_every_minute_that_matches_is_given_and_no_other(line: list[Field], begin: datetime) -> None:
    end = begin + timedelta(days=3)
    first = begin.replace(second=0, microsecond=0) + timedelta(minutes=1)
    minutes = (first + timedelta(minutes=number) for number in range(3 * 1_440 - 1))
    wanted = [each for each in minutes if matches(each, line)]
    expression = " ".join(text for text, _ in line)
    given_, now = [], begin
    try:
        while (now := next_match(expression, now)) < end - timedelta(minutes=1):
            given_.append(now)
    except ConfigError:
        # A day that no month has, as 31 February: no minute of these three days may match it either.
        assert wanted == []
    assert given_ == [each for each in wanted if each < end - timedelta(minutes=1)]


@pytest.mark.parametrize(
    ("expression", "now", "wanted"),
    [
        ("0 2 * * *", "2026-01-01T02:00:00", "2026-01-02T02:00:00"),
        ("0 2 * * *", "2026-01-01T01:59:59.999", "2026-01-01T02:00:00"),
        ("0 0 29 2 *", "2025-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 1,15 * FRI", "2026-01-02T00:00:00", "2026-01-09T00:00:00"),
        ("30 4 * * 7", "2026-01-01T00:00:00", "2026-01-04T04:30:00"),
        ("0 0 l * *", "2026-02-01T00:00:00", "2026-02-28T00:00:00"),
    ],
)
def test_well_known_lines(expression: str, now: str, wanted: str) -> None:
    found = next_match(expression, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


def runs_in_berlin(expression: str, day: date) -> list[str]:
    """The runs of a day's first six hours by its clock, told in UTC."""
    now, end = datetime.combine(day, time(), BERLIN), datetime.combine(day, time(6), BERLIN)
    found = []
    while (now := next_match(expression, now)) < end:
        found.append(now.astimezone(UTC).strftime("%H:%M"))
    return found


def test_an_hour_that_is_left_out_is_made_up_for_right_after() -> None:
    # On 2026-03-29 Berlin's clocks go from 02:00 to 03:00, which is 01:00 UTC.
    assert runs_in_berlin("30 2 * * *", date(2026, 3, 29)) == ["01:00"]
    assert runs_in_berlin("30 * * * *", date(2026, 3, 29))[:3] == ["23:30", "00:30", "01:30"]


def test_an_hour_that_comes_twice_runs_a_fixed_hour_once_and_every_hour_twice() -> None:
    # On 2026-10-25 they go from 03:00 to 02:00; 02:30 is 00:30 UTC and 01:30 UTC.
    assert runs_in_berlin("30 2 * * *", date(2026, 10, 25)) == ["00:30"]
    assert runs_in_berlin("30 * * * *", date(2026, 10, 25))[:5] == [
        "22:30", "23:30", "00:30", "01:30", "02:30",
    ]  # fmt: skip


def test_a_fixed_hour_that_has_run_does_not_run_again_in_the_second_of_the_two_hours() -> None:
    second = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    assert next_match("30 2 * * *", second) == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("", "0 fields; want five: minute hour day-of-month month day-of-week"),
        ("0 0 2 * * *", "6 fields; want five"),
        ("60 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("* * 0 * *", "Bad day-of-month"),
        ("* * * 13 *", "Bad month"),
        ("* * * * 8", "Bad day-of-week"),
        ("*/0 * * * *", "Bad minute"),
        ("5-1 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0" * 300 + " * * * *", "308 characters, limit 200"),
    ],
)
def test_what_is_no_line_is_refused(expression: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        check_cron(expression)


@given(st.text("0123456789*/,-#LWMON ", max_size=20))
def test_garbage_is_refused_or_read(text: str) -> None:
    try:
        found = next_match(text, datetime(2026, 1, 1, tzinfo=UTC))
    except ConfigError:
        return
    assert found > datetime(2026, 1, 1, tzinfo=UTC)
