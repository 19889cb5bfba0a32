import pytest

from baton_local.stand_in.fault_plan import FaultPlan, Strike, read_plan


def test_refusals_come_first_then_drops_then_delays() -> None:
    plan = read_plan(b'{"refuse":1,"drop":1,"delay_seconds":0.5,"delay":1}')
    strikes = [plan.next_strike(["GET"]) for _ in range(4)]
    assert strikes == [Strike.REFUSE, Strike.DROP, Strike.DELAY, None]


def test_a_delay_without_a_number_lasts() -> None:
    plan = read_plan(b'{"delay_seconds":1,"delay":null}')
    assert {plan.next_strike(["GET"]) for _ in range(10)} == {Strike.DELAY}


def test_a_plan_may_name_commands() -> None:
    """In any case, where names have one spelling; one name of a request is enough."""
    plan = read_plan(b'{"refuse":5,"only":["evalsha"]}')
    assert plan.next_strike(["GET"]) is None
    assert plan.next_strike(["GET", "EVALSHA"]) is Strike.REFUSE


def test_an_empty_plan_strikes_nobody() -> None:
    assert read_plan(b"") == FaultPlan()
    assert FaultPlan().next_strike(["GET"]) is None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"x", "not JSON"),
        (b"[]", "JSON object"),
        (b'{"dropp":1}', "unknown fault 'dropp'"),
        (b'{"refuse":1.5}', "zero or more"),
        (b'{"refuse":true}', "zero or more"),
        (b'{"delay_seconds":-1}', "zero or more"),
        (b'{"only":[1]}', "must be a list"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(body: bytes, shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        read_plan(body)
