import asyncio

from baton_local.qstash.clock import VirtualClock
from baton_local.qstash.core.message import AttemptResult, OutgoingRequest
from baton_local.qstash.faults import Fault, FaultPlan, FaultRule, FaultyDelivery, SkewedClock

OK = AttemptResult(200, {}, b"ok")


class Sending:
    def __init__(self) -> None:
        self.urls: list[str] = []

    async def __call__(self, request: OutgoingRequest) -> AttemptResult:
        self.urls.append(request.url)
        return OK


def request(url: str = "http://a/") -> OutgoingRequest:
    return OutgoingRequest("POST", url, [], b"", 1_000)


async def deliver(rule: FaultRule, *urls: str) -> tuple[list[AttemptResult], list[str]]:
    """Deliver all at once under one rule: the results, and what was really sent."""
    sending = Sending()
    delivery = FaultyDelivery(sending, FaultPlan([rule]))
    results = await asyncio.gather(*(delivery(request(url)) for url in urls))
    return list(results), sending.urls


async def test_what_no_rule_fits_is_untouched() -> None:
    assert await deliver(FaultRule(Fault.ANSWER, url="http://b/"), "http://a/") == ([OK], ["http://a/"])


async def test_an_answer_is_made_up() -> None:
    (result,), sent = await deliver(FaultRule(Fault.ANSWER, status=503), "http://a/")
    assert (result.status, result.error, sent) == (503, None, [])
    (result,), sent = await deliver(FaultRule(Fault.ANSWER), "http://a/")
    assert (result.status, sent) == (0, [])
    assert result.error is not None


async def test_an_answer_is_lost() -> None:
    (result,), sent = await deliver(FaultRule(Fault.DROP_ANSWER), "http://a/")
    assert (result.succeeded, sent) == (False, ["http://a/"])


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
    sending = Sending()
    delivery = FaultyDelivery(sending, plan)
    await asyncio.gather(delivery(request("http://1/")), delivery(request("http://2/")))
    assert sending.urls == ["http://2/", "http://1/"]
    assert plan.rules == []


async def test_a_held_delivery_that_is_cancelled_holds_nobody_up() -> None:
    sending = Sending()
    delivery = FaultyDelivery(sending, FaultPlan([FaultRule(Fault.REORDER, count=3, seconds=60)]))
    held = [asyncio.create_task(delivery(request(f"http://{number}/"))) for number in (1, 2)]
    await asyncio.sleep(0)
    held[1].cancel()
    await asyncio.gather(delivery(request("http://3/")), *held, return_exceptions=True)
    assert sending.urls == ["http://3/", "http://1/"]


def test_a_skewed_clock_is_wrong_by_what_is_planned() -> None:
    clock, plan = VirtualClock(), FaultPlan(clock_skew_seconds=60)
    skewed = SkewedClock(clock, plan)
    assert skewed.now_ms() == clock.now_ms() + 60_000
    rung: list[int] = []
    began_ms = clock.now_ms()
    skewed.call_at(skewed.now_ms() + 1_000, lambda: rung.append(clock.now_ms()))
    clock.advance(2_000)
    assert rung == [began_ms + 1_000]
    plan.clear()
    assert skewed.now_ms() == clock.now_ms()
