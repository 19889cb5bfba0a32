from baton_local.qstash.faults import Fault, FaultPlan, FaultRule

HOOK = "http://127.0.0.1:3000/hook"


def test_the_oldest_rule_that_fits_strikes_until_it_is_used_up() -> None:
    once = FaultRule(Fault.DROP_ANSWER, url=HOOK)
    twice = FaultRule(Fault.DELAY, count=2)
    plan = FaultPlan([once, twice])
    assert plan.strike("http://other/") is twice
    assert [plan.strike(f"{HOOK}/a"), plan.strike(HOOK), plan.strike(HOOK)] == [once, twice, None]
    assert plan.rules == []


def test_equal_rules_are_different_rules() -> None:
    plan = FaultPlan([FaultRule(Fault.DELAY), FaultRule(Fault.DELAY)])
    assert plan.strike(HOOK) is not plan.strike(HOOK)
    assert plan.strike(HOOK) is None


def test_clearing_ends_everything() -> None:
    rule = FaultRule(Fault.ANSWER, status=503)
    plan = FaultPlan([rule], clock_skew_seconds=60)
    assert plan.view()["rules"] == [{"fault": "answer", "url": "", "count": 1, "seconds": 0.0, "status": 503}]
    plan.clear()
    plan.drop(rule)
    assert plan.view() == {"rules": [], "clock_skew_seconds": 0}
