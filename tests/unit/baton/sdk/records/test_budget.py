"""What a budget may be, what it counts in, and where its periods begin."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from baton.sdk.records.budget import Budget, Per, Unit, amount_of, periods_around, shown_amount
from baton.sdk.records.call_limit import LimitedCall

_CALL = LimitedCall("acme", "s1", "support", "", {}, {"user": "7"})


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "either usd or tokens"),
        ({"usd": 1.0, "tokens": 5}, "either usd or tokens"),
        ({"usd": 0}, "usd must be a finite number above 0, got 0"),
        ({"tokens": 0}, "tokens must be a whole number above 0, got 0"),
        ({"usd": 1, "per": "week"}, "per must be one of 'day', 'month', 'total', got 'week'"),
        ({"usd": 1, "on_limit": "stop"}, "on_limit must be one of 'fail', 'wait', 'ask', got 'stop'"),
        ({"usd": 1, "per": "total", "on_limit": "wait"}, "would wait forever"),
        ({"usd": 1, "reserve": 0}, "reserve must be a finite number above 0, got 0"),
        *(
            ({"usd": 1, "time_zone": zone}, "time_zone: unknown time zone")
            for zone in ("Europe/Entenhausen", "../etc/passwd", "", "posixrules", 1)
        ),
    ],
)
def test_a_wrong_budget_is_refused_with_its_value(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Budget("acme", **wrong)


@pytest.mark.parametrize("key", ["", "a" * 201, 7, None])
def test_a_wrong_key_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match=r"Budget key .* must be a text of 1 to 200 characters"):
        Budget(key, usd=1)


def test_a_key_is_made_from_the_call() -> None:
    assert Budget("acme", usd=1).key_of(_CALL) == "acme"
    assert Budget(lambda call: f"user:{call.input_data['user']}", usd=1).key_of(_CALL) == "user:7"
    with pytest.raises(ValueError, match="the key of a Budget must be a text"):
        Budget(lambda _: "", usd=1).key_of(_CALL)


def test_limits_are_whole_and_never_above_what_was_declared() -> None:
    assert (Budget("k", usd=5).limit, Budget("k", usd=5).unit) == (5_000_000, "usd")
    assert (Budget("k", tokens=9).limit, Budget("k", tokens=9).unit) == (9, "tokens")
    assert Budget("k", usd=0.0000019).limit == 1
    assert Budget("k", usd=1e-9).limit == 1


@pytest.mark.parametrize(
    ("unit", "cost", "amount"),
    [("usd", 0.07, 70_000), ("usd", 0.0000011, 2), ("usd", 0.0, 0), ("usd", 0.1 + 0.2, 300_000), ("tokens", 12, 12)],
)
def test_costs_are_rounded_up_but_not_by_what_floats_add(unit: Unit, cost: float, amount: int) -> None:
    assert amount_of(unit, cost) == amount


def test_an_amount_is_shown_in_dollars_or_tokens() -> None:
    assert (shown_amount("usd", 70_000), shown_amount("tokens", 12)) == (0.07, 12)


@pytest.mark.parametrize(
    ("per", "zone", "now", "names", "begins"),
    [
        ("day", "UTC", "2026-11-27T23:59:59+00:00", "2026-11-26 2026-11-27 2026-11-28", "2026-11-27T00:00"),
        ("day", "Europe/Berlin", "2026-11-27T23:00+00:00", "2026-11-27 2026-11-28 2026-11-29", "2026-11-27T23:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00+00:00", "2026-03-28 2026-03-29 2026-03-30", "2026-03-28T23:00"),
        ("day", "America/Santiago", "2026-09-06T12:00+00:00", "2026-09-05 2026-09-06 2026-09-07", "2026-09-06T04:00"),
        ("day", "America/Havana", "2026-11-01T04:30+00:00", "2026-10-31 2026-11-01 2026-11-02", "2026-11-01T04:00"),
        ("month", "UTC", "2026-12-31T10:00+00:00", "2026-11 2026-12 2027-01", "2026-12-01T00:00"),
        ("month", "Pacific/Auckland", "2026-12-31T12:00+00:00", "2026-12 2027-01 2027-02", "2026-12-31T11:00"),
    ],
)
def test_periods_are_those_of_the_zone(per: Per, zone: str, now: str, names: str, begins: str) -> None:
    around = periods_around(per, zone, _ms(now))
    assert [period.name for period in around] == names.split()
    assert datetime.fromtimestamp(around[1].begins_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M") == begins
    assert around[1].begins_ms <= _ms(now) < around[1].ends_ms
    assert all(before.ends_ms == after.begins_ms for before, after in pairwise(around))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-27", 24)])
def test_a_day_has_the_hours_of_its_zone(day: str, hours: int) -> None:
    today = periods_around("day", "Europe/Berlin", _ms(f"{day}T12:00+00:00"))[1]
    assert (today.ends_ms - today.begins_ms) / 3_600_000 == hours


def test_a_total_never_ends() -> None:
    (ever,) = periods_around("total", "UTC", _ms("2026-11-27T00:00+00:00"))
    assert (ever.name, ever.begins_ms, ever.ends_ms) == ("total", 0, 0)
