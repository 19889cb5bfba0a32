import asyncio

from baton_local.qstash.core.message import AttemptResult, OutgoingRequest
from baton_local.qstash.faults import Fault, FaultPlan, FaultRule, FaultyDelivery

OK = AttemptResult(200, {}, b"ok")


def request(url: str = "http://a/") -> OutgoingRequest:
    return OutgoingRequest("POST", url, [], b"", 1_000)


def faulty(plan: FaultPlan) -> tuple[FaultyDelivery, list[str]]:
    """A delivery that is always well but for the plan, and the URLs that were really sent, in order."""
    sent: list[str] = []

    async def send(request: OutgoingRequest) -> AttemptResult:
        sent.append(request.url)
        return OK

    return FaultyDelivery(send, plan), sent


async def deliver(rule: FaultRule, *urls: str) -> tuple[list[AttemptResult], list[str]]:
    """Deliver all at once under one rule: the results, and what was really sent."""
    delivery, sent = faulty(FaultPlan([rule]))
    return list(await asyncio.gather(*(delivery(request(url)) for url in urls))), sent


def test_the_oldest_rule_that_fits_strikes_until_it_is_used_up() -> None:
    """By the beginning of the URL; equal rules are two rules."""
    hook = "http://127.0.0.1:3000/hook"
    once, twice = FaultRule(Fault.DROP_ANSWER, url=hook), FaultRule(Fault.DELAY, count=2)
    equal = FaultRule(Fault.DELAY, count=2)
    plan = FaultPlan([once, twice, equal])
    assert plan.strike("http://other/") is twice
    assert [plan.strike(f"{hook}/a"), plan.strike(hook)] == [once, twice]
    assert plan.strike(hook) is equal
    plan.clear()
    assert plan.strike(hook) is None


async def test_an_answer_is_made_up() -> None:
    (result,), sent = await deliver(FaultRule(Fault.ANSWER, status=503), "http://a/")
    assert (result.status, result.error, sent) == (503, None, [])
    (result,), sent = await deliver(FaultRule(Fault.ANSWER), "http://a/")
    assert (result.status, sent) == (0, [])
    assert result.error is not None


async def test_an_answer_is_lost() -> None:
    """Of what the rule is about."""
    (lost, other), sent = await deliver(FaultRule(Fault.DROP_ANSWER, url="http://a/"), "http://a/", "http://b/")
    assert (lost.succeeded, other, sent) == (False, OK, ["http://a/", "http://b/"])


async def test_a_delivery_is_doubled_once() -> None:
    results, sent = await deliver(FaultRule(Fault.DUPLICATE), "http://a/", "http://b/")
    assert results == [OK, OK]
    assert sorted(sent) == ["http://a/", "http://a/", "http://b/"]


async def test_a_delivery_is_delayed() -> None:
    _, sent = await deliver(FaultRule(Fault.DELAY, url="http://a/", seconds=0.02), "http://a/", "http://b/")
    assert sent == ["http://b/", "http://a/"]


async def test_deliveries_are_reversed_when_all_have_come() -> None:
    """One after the other, however long the rule would wait; the next passes."""
    rule = FaultRule(Fault.REORDER, count=3, seconds=60)
    results, sent = await deliver(rule, "http://1/", "http://2/", "http://3/", "http://4/")
    assert results == [OK] * 4
    assert [url for url in sent if url != "http://4/"] == ["http://3/", "http://2/", "http://1/"]


async def test_too_few_deliveries_are_reversed_when_the_time_is_over() -> None:
    plan = FaultPlan([FaultRule(Fault.REORDER, count=9, seconds=0.02)])
    delivery, sent = faulty(plan)
    await asyncio.gather(delivery(request("http://1/")), delivery(request("http://2/")))
    assert sent == ["http://2/", "http://1/"]
    assert plan.rules == []


async def test_a_held_delivery_that_is_cancelled_holds_nobody_up() -> None:
    """As when the server stops."""
    delivery, sent = faulty(FaultPlan([FaultRule(Fault.REORDER, count=3, seconds=60)]))
    held = [asyncio.create_task(delivery(request(f"http://{number}/"))) for number in (1, 2)]
    await asyncio.sleep(0)
    held[1].cancel()
    await asyncio.gather(delivery(request("http://3/")), *held, return_exceptions=True)
    assert sent == ["http://3/", "http://1/"]
