"""What calls with one key may spend: they begin within it, wait for it, ask for it, and settle what they have cost."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic_ai import Agent as Theirs
from pydantic_ai.models.test import TestModel

from baton import Agent, Budget, Call, Limits, Registry, ScriptedModel, tool, workflow
from baton.engine.waits import status_and_wait
from baton.pydantic_ai import durable
from baton.queue.dispatch import postpone
from baton.sdk.models.model import Call as Wanted
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.sdk.records.budget import amount_of
from baton.sdk.records.call_limit import LimitedCall
from baton.server.api.problem import ApiError
from baton.store.redis.budgets import Budgets
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.testing import Approve, Reject, Run, Simulation
from baton_events.schema import parse_event
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import KEY, OPENAI
from tests.unit.baton.server.api.admin.test_budgets import budgets_of
from tests.unit.baton.server.api.client import ADMIN, api_of, with_keys
from tests.unit.baton.whole.test_offloaded_calls import DONE, OffloadedStage
from tests.unit.baton.whole.test_offloaded_calls import agent as offloading

CENT, PENDING = 10_000, "/api/admin/agent-checkpoints"


class Named(str):
    """A text of its own kind."""

    __slots__ = ()


class Priced:
    """A model whose calls cost what they cost."""

    name, reads_history = "priced", True

    def __init__(self, usd: float = 0.02, tokens: int = 10, calls: int = 0, error: Exception | None = None) -> None:
        self.usd, self.tokens, self.calls, self.error = usd, tokens, calls, error
        self.asked = 0

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.asked += 1
        if self.error is not None:
            raise self.error
        wanted = () if request.turn > self.calls else (Wanted("note", {}),)
        return ModelAnswer("hi", wanted, input_tokens=self.tokens - 3, output_tokens=3, cost_usd=self.usd)


@tool
async def note() -> str:
    return "noted"


def agent(*budgets: Budget, model: Any = None, **options: Any) -> Agent:
    return Agent(name="a", model=model or Priced(), tools=[note], budgets=list(budgets), **options)


class Shop:
    """Jobs of one agent, one after the other; they share their budgets."""

    def __init__(self, *budgets: Budget, registry: Registry | None = None, **options: Any) -> None:
        self.simulation = Simulation(registry or Registry([agent(*budgets, **options)]))

    async def run(self, **options: Any) -> Run:
        return await self.simulation.run("a", "work", **options)

    async def sums(self, key: str = "k") -> list[tuple[int, int, int]]:
        """Limit, spent and reserved of a key's budgets, as the store has them."""
        left = vars(self.simulation)["_left"]
        redis = InProcessRedis(lambda: left.epoch_ms)
        redis.go_back(left.version)
        rows, _ = await Budgets(InProcessConnection(redis)).rows(key)
        return [(row.limit, row.spent, row.reserved) for row in rows]


def _usage(run: Run) -> tuple[int, int]:
    return run.usage["modelCalls"], run.usage["inputTokens"] + run.usage["outputTokens"]


async def test_a_call_without_room_fails_before_it_costs_anything() -> None:
    shop = Shop(Budget("k", usd=0.05, reserve=0.02))
    runs = [await shop.run() for _ in range(3)]
    assert [run.status for run in runs] == ["completed", "completed", "failed"]
    assert runs[2].error == {
        "type": "budget_exceeded",
        "message": "the budget 'k' of 0.05 USD for 2027-01-15 has 0.01 left, and this call may cost 0.02",
    }
    assert _usage(runs[2]) == (0, 0)
    assert await shop.sums() == [(5 * CENT, 4 * CENT, 0)]


async def test_a_job_that_fails_keeps_its_earlier_turns() -> None:
    run = await Shop(Budget("k", usd=0.05, reserve=0.02), model=Priced(calls=9)).run()
    assert (run.status, _usage(run)) == ("failed", (2, 20))
    assert run.error is not None
    assert run.error["type"] == "budget_exceeded"


async def test_tokens_count_too() -> None:
    shop = Shop(Budget("k", tokens=25, reserve=10))
    runs = [await shop.run() for _ in range(3)]
    assert runs[2].error is not None
    assert "the budget 'k' of 25 tokens for 2027-01-15 has 5 left, and this call may cost 10" in str(runs[2].error)
    assert await shop.sums() == [(25, 20, 0)]


async def test_without_a_declared_amount_the_dearest_call_so_far_is_reserved() -> None:
    shop = Shop(Budget("k", usd=0.05))
    runs = [await shop.run() for _ in range(3)]
    assert [run.status for run in runs] == ["completed", "completed", "failed"]


async def test_a_known_bound_is_reserved_before_the_first_call() -> None:
    """A thousand tokens of an answer and a little input are more than the budget has."""
    model = Priced()
    run = await Shop(Budget("k", tokens=900), model=model, model_settings={"max_tokens": 1_000}).run()
    assert (run.status, model.asked) == ("failed", 0)


async def test_a_list_price_bounds_a_call() -> None:
    model = Priced()
    model.name = "openai:gpt-5"
    run = await Shop(Budget("k", usd=0.05), model=model, model_settings={"max_tokens": 100_000}).run()
    assert (run.status, model.asked) == ("failed", 0)
    assert "this call may cost 1.00" in str(run.error)


async def test_a_call_waits_for_the_next_period_without_a_process_or_a_slot() -> None:
    shop = Shop(Budget("k", usd=0.02, reserve=0.02, on_limit="wait"))
    first, second = await shop.run(), await shop.run()
    assert (first.status, second.status) == ("completed", "completed")
    left_seconds = 16 * 3600  # of the day at which simulations begin
    assert left_seconds - 5 < second.virtual_seconds < left_seconds + 60
    assert await shop.sums() == [(2 * CENT, 2 * CENT, 0)]  # of the new day
    assert second.usage["messages"] < 12, "it does not ask again and again"


async def test_a_wait_ends_with_the_jobs_own_time() -> None:
    shop = Shop(Budget("k", usd=0.02, reserve=0.02, on_limit="wait"), limits=Limits(wall_seconds=600))
    await shop.run()
    run = await shop.run()
    assert (run.status, run.error and run.error["type"]) == ("failed", "limit_exceeded")
    assert 600 <= run.virtual_seconds < 700


async def test_a_raise_answers_the_questions_about_it() -> None:
    """By whatever door; who has no room asks anew, by the new sums. What is decided or cancelled waits no more."""
    stage = Stage(registry=Registry([agent(Budget("k", usd=0.02, reserve=0.02, on_limit="ask"))]), settings=with_keys())
    for name in ("job_1", "job_2", "job_3", "job_4"):
        await stage.submit("a", name)
        await stage.run(within_seconds=5)
    async with api_of(stage) as api:

        async def row() -> tuple[float, int]:
            await stage.run(within_seconds=5)
            [one] = (await api.request("GET", "/api/admin/budgets", ADMIN)).json()["budgets"]
            return one["limit"], one["waiting"]

        assert await row() == (0.02, 3)
        await stage.container.commands.cancel(await stage.now("job_4"), "ann")
        assert await row() == (0.02, 2)
        await api.request("PUT", "/api/admin/budgets/k", ADMIN, json={"per": "day", "limit": 0.045})
        assert await row() == (0.045, 1)
        assert [(await stage.now(name)).status for name in ("job_2", "job_3")] == ["completed", "processing"]
        await stage.submit("a", "job_5")
        assert await row() == (0.045, 2)
        [_, asked] = (await api.request("GET", PENDING, ADMIN)).json()["checkpoints"]
        now = "the budget 'k' of 0.045 USD for 2027-01-15 has 0.005 left, and this call may cost 0.02"
        assert (asked["jobId"], asked["title"]) == ("job_3", now)
        await api.request("POST", f"{PENDING}/{asked['id']}", ADMIN, json={})
        assert await row() == (0.09, 0)
        assert [(await stage.now(name)).status for name in ("job_3", "job_5")] == ["completed", "completed"]


async def test_a_question_is_no_attempt() -> None:
    """Three raises, each too small: the call has all of its attempts after them."""
    values = iter((0.021, 0.022, 0.023, 0.05))
    model = Priced(error=None)
    shop = Shop(Budget("k", usd=0.02, reserve=0.02, on_limit="ask"), model=model, model_retries=1)
    await shop.run()
    model.error = ModelError("busy", retryable=True)
    run = await shop.run(decide=lambda _: Approve({"value": next(values)}))
    assert (run.status, model.asked) == ("failed", 3), run.error


async def test_a_rejection_ends_the_job_with_what_it_has() -> None:
    shop = Shop(Budget("k", usd=0.02, reserve=0.02, on_limit="ask"), model=Priced(calls=1))
    run = await shop.run(decide=lambda _: Reject("enough"))
    assert (run.status, run.result) == ("completed", {"answer": "hi", "stoppedBy": "budget:k"})


async def test_nobodys_decision_ends_the_job_after_a_week() -> None:
    shop = Shop(Budget("k", usd=0.02, reserve=0.02, per="total", on_limit="ask"), model=Priced(calls=1))
    run = await shop.run()
    assert run.result == {"answer": "hi", "stoppedBy": "budget:k"}
    assert 7 * 86_400 <= run.virtual_seconds < 7 * 86_400 + 60


@pytest.mark.parametrize("value", [0.02, 0.01, "much", True, None, 1e12, 1e300, 10**400, 20.5])
async def test_a_value_that_is_no_raise_is_refused(value: Any) -> None:
    """Of tokens also one that is not whole."""
    budget = Budget("k", tokens=10, reserve=10) if value == 20.5 else Budget("k", usd=0.02, reserve=0.02)
    shop = Shop(replace(budget, on_limit="ask"), model=Priced(calls=1))
    with pytest.raises(ApiError) as refused:
        await shop.run(decide=lambda _: Approve({"value": value}))
    assert refused.value.status == 422


async def test_a_key_is_made_of_the_call() -> None:
    budget = Budget(lambda call: f"{call.tenant}:{call.agent}:{call.input_data['user']}", usd=0.02, reserve=0.02)
    shop = Shop(budget)
    runs = [await shop.run(input_data={"user": user}) for user in ("ann", "bob", "ann")]
    assert [run.status for run in runs] == ["completed", "completed", "failed"]
    assert "'simulation:a:ann'" in str(runs[2].error)


@pytest.mark.parametrize("key", ["a\ud800", "\0 b\nc", Named("acme")])
@pytest.mark.parametrize("is_made", [True, False])
async def test_any_text_is_a_key(key: str, is_made: bool) -> None:
    """What UTF-8 cannot hold is replaced, and a kind of text of its own is a text."""
    shop = Shop(Budget((lambda _: key) if is_made else key, usd=1))
    run = await shop.run()
    assert run.status == "completed", run.error


async def test_a_key_that_ends_the_process_fails_the_call_alone() -> None:
    def ends(_: LimitedCall) -> str:
        raise SystemExit(3)

    run = await Shop(Budget(ends, usd=1)).run()
    assert "the key of a Budget failed: ValueError: it ended with SystemExit: 3" in str(run.error)


async def test_a_key_that_fails_fails_the_call_before_it_costs_anything() -> None:
    model = Priced()
    run = await Shop(Budget(lambda call: call.input_data["user"], usd=1), model=model).run()
    assert (run.status, model.asked) == ("failed", 0)
    assert run.error is not None
    assert run.error["type"] == "limit_key_failed"
    assert "the key of a Budget failed: KeyError" in run.error["message"]


async def test_all_budgets_of_a_call_have_room_or_none_counts() -> None:
    shop = Shop(Budget("k", usd=1, reserve=0.02), Budget("small", tokens=15, reserve=10))
    runs = [await shop.run() for _ in range(2)]
    assert "the budget 'small'" in str(runs[1].error)
    assert await shop.sums() == [(100 * CENT, 2 * CENT, 0)]


async def test_the_lower_of_two_limits_of_one_budget_counts() -> None:
    shop = Shop(Budget("k", usd=0.02, reserve=0.02), Budget("k", usd=1, reserve=0.02))
    assert [(await shop.run()).status for _ in range(2)] == ["completed", "failed"]
    assert [spent for _, spent, _ in await shop.sums()] == [2 * CENT]


async def test_the_registrys_budgets_count_for_every_agent() -> None:
    other = Agent(name="b", model=Priced())
    registry = Registry([agent(Budget("own", usd=1)), other], budgets=[Budget("k", usd=0.04, reserve=0.02)])
    shop = Shop(registry=registry)
    runs = [await shop.simulation.run(name, "work") for name in ("a", "b", "a")]
    assert [run.status for run in runs] == ["completed", "completed", "failed"]
    assert [spent for _, spent, _ in await shop.sums("own")] == [2 * CENT]


async def test_what_the_cache_answers_costs_nothing() -> None:
    shop = Shop(Budget("k", usd=0.05, reserve=0.02), cache_seconds=600)
    for _ in range(5):
        assert (await shop.run()).status == "completed"
    assert await shop.sums() == [(5 * CENT, 2 * CENT, 0)]


@pytest.mark.parametrize(
    ("error", "spent"),
    [
        (ModelError("401: no key", retryable=False), 0),
        (ModelError("429: later", retryable=True), 0),
        (ModelError("no connection", retryable=True, unanswered=True), 4 * CENT),
        (TimeoutError("late"), 4 * CENT),
        (OSError("broken pipe"), 4 * CENT),
    ],
)
async def test_a_refused_call_costs_nothing_and_one_without_an_answer_all_that_it_reserved(
    error: Exception, spent: int
) -> None:
    shop = Shop(Budget("k", usd=1, reserve=0.02), model=Priced(error=error), model_retries=1)
    assert (await shop.run()).status == "failed"
    assert await shop.sums() == [(100 * CENT, spent, 0)]


async def test_a_call_waits_for_others_reservations_and_is_woken_once_they_settle() -> None:
    """Whatever on_limit says: they cost little, and each reserves half of the budget."""
    child = Agent(
        name="child", model=Priced(usd=0.001), description="helps", budgets=[Budget("k", usd=0.10, reserve=0.05)]
    )
    many = ScriptedModel([[Call("child", {"task": f"part {number}"}) for number in range(6)], "done"])
    shop = Shop(registry=Registry([Agent(name="a", model=many, tools=[child]), child]))
    run = await shop.run()
    assert (run.status, {call["status"] for call in run.calls}) == ("completed", {"completed"})
    assert await shop.sums() == [(10 * CENT, 6_000, 0)]
    assert run.virtual_seconds < 60


async def test_an_unknown_price_is_in_flight_alone() -> None:
    running, most = list[int](), list[int]()

    class Slow(Priced):
        async def answer(self, request: ModelRequest) -> ModelAnswer:
            running.append(1)
            most.append(len(running))
            await asyncio.sleep(2)
            running.pop()
            return await super().answer(request)

    child = Agent(name="child", model=Slow(usd=0.001), description="helps", budgets=[Budget("k", usd=0.0105)])
    many = ScriptedModel([[Call("child", {"task": f"part {number}"}) for number in range(4)], "done"])
    shop = Shop(registry=Registry([Agent(name="a", model=many, tools=[child]), child]))
    await shop.run()
    assert most[:2] == [1, 1], "others wait for the first one's price"
    assert await shop.sums() == [(10_500, 4_000, 0)]


async def test_a_workflows_own_stretches_reserve_nothing() -> None:
    child = Agent(name="child", model=Priced())

    @workflow
    async def both() -> str:
        first = await child("one")
        second = await child("two")
        return f"{first} {second}"

    registry = Registry([child], workflows=[both], budgets=[Budget("k", usd=0.05, reserve=0.02)])
    shop = Shop(registry=registry)
    run = await shop.simulation.run("both", "work")
    assert run.status == "completed", run.error
    assert await shop.sums() == [(5 * CENT, 4 * CENT, 0)]


async def test_an_agent_of_pydantic_ai_counts_too() -> None:
    made = durable(Theirs(TestModel(), name="a"), budgets=[Budget("k", tokens=100, reserve=90)])
    shop = Shop(registry=Registry([made]))
    runs = [await shop.run() for _ in range(2)]
    assert [run.status for run in runs] == ["completed", "failed"]
    assert [spent for _, spent, _ in await shop.sums()] == [_usage(runs[0])[1]]


async def test_a_death_at_any_point_costs_no_more_than_the_budget_has() -> None:
    """The calls that died count in full, so fewer run than the money allows, and never more."""
    model = Priced()
    shop = Shop(Budget("k", usd=0.07, reserve=0.02), model=model)
    report = await shop.simulation.crash_everywhere("a", "work")
    report.check()
    named = [point.what for point in report.points]
    assert {"before the reservation of the next turn", "after the reservation of the next turn"} <= set(named)
    assert {"before its cost is settled", "after its cost is settled"} <= set(named)


def test_without_budgets_nothing_of_them_is_imported() -> None:
    """By what calls models: neither their records, nor their store, nor what stands before a call."""
    code = (
        "import sys; from baton import Agent, Registry; from baton.settings.settings import Settings;"
        "from baton.worker.container import Container; from baton.worker.wiring import real_ports;"
        "from baton.worker.executors.model_work import model_work;"
        "registry = Registry([Agent(name='a', model='demo')]);"
        "model_work(Container(Settings(), real_ports(Settings()), registry));"
        "print([name for name in sys.modules if 'budget' in name and name.startswith('baton')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def _ledger(*budgets: Budget) -> tuple[int, int]:
    usage = (await Shop(*budgets, model=Priced(calls=1)).run()).usage
    return usage["redisRequests"], usage["redisCommands"]


async def test_what_budgets_cost_is_counted_by_the_jobs_own_ledger() -> None:
    """Two turns: for each a reservation and a settlement."""
    requests, commands = await _ledger()
    one = await _ledger(Budget("k", usd=1))
    two = await _ledger(Budget("k", usd=1), Budget("l", tokens=10_000))
    assert one[0] - requests <= 2 * 2
    assert one[1] - commands <= 2 * 10
    assert two[0] == one[0]
    assert two[1] - one[1] <= 2 * 6


async def test_shares_of_a_budget_are_alerted_and_refusals_are_counted() -> None:
    """Half of the limit, then all of it; the call that finds nothing left is a refusal, and no alert of the budget."""
    registry = Registry([agent(Budget("user:7", usd=0.04, reserve=0.02))])
    async with api_of(Stage(settings=with_keys(), registry=registry)) as api:
        for _ in range(3):
            await api.submitted(jobType="a")
            await api.stage.run()
        sent = [notice for notice in api.stage.alerts.sent if notice.kind == "budget"]
        figures = (await api.request("GET", "/api/metrics", ADMIN)).text
    day = sent[0].message.split()[4]
    assert [notice.message for notice in sent] == [
        f"the budget 'user:7' for {day} has reached 50 %: 0.02 of 0.04 usd",
        f"the budget 'user:7' for {day} has reached 100 %: 0.04 of 0.04 usd",
    ]
    assert len({notice.once for notice in sent}) == 2
    assert "baton_budget_refusals_total 1.0" in figures
    assert "baton_budget_waits_total 0.0" in figures


async def test_a_job_that_waits_for_its_budget_holds_no_slot_and_is_woken_by_a_raise() -> None:
    budget = Budget("k", usd=0.02, reserve=0.02, on_limit="wait")
    stage = Stage(registry=Registry([agent(budget)]))
    await stage.played("a")
    await stage.submit("a", "job_2")
    await stage.run(within_seconds=5)
    snapshot = await stage.snapshot("job_2")
    line = "the budget 'k' for turn 1, until 2027-01-16T00:00:00.000Z"
    assert status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms) == ("waiting", line)
    assert not stage.entry("job_2").slot
    assert (await stage.ports.counters.sums())["budget_waits"] == 1
    woken = await budgets_of(stage).raise_limit("k", "day", "usd", "2027-01-15", 4 * CENT)
    for event in woken:
        await postpone(stage.container.emitter, parse_event(event.encode()), 0, "raised")
    await stage.run(within_seconds=5)
    assert (await stage.now("job_2")).status == "completed"


@pytest.mark.parametrize("late_ms", [0, 16 * 3_600_000])
async def test_an_offloaded_call_settles_in_the_period_in_which_it_reserved(
    late_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPENAI.key_variable, KEY)
    stage = OffloadedStage(
        offloading(
            model_settings={"timeout": 90_000}, budgets=[Budget("k", usd=1, reserve=0.5, time_zone="Asia/Tokyo")]
        )
    )
    budgets = stage.container.ports.budgets
    assert budgets is not None
    request = await stage.asks()
    assert [(row.period, row.spent, row.reserved) for row in (await budgets().rows("k"))[0]] == [
        ("2027-01-15", 0, 50 * CENT)
    ]
    stage.clock.ms += late_ms
    await stage.bring(request, DONE)
    job = await stage.now()
    spent = amount_of("usd", job.used.cost_usd)
    assert (job.status, spent > 0) == ("completed", True)
    stage.clock.ms -= late_ms
    assert [(row.period, row.spent, row.reserved) for row in (await budgets().rows("k"))[0]] == [
        ("2027-01-15", spent, 0)
    ]


async def test_a_job_that_had_no_room_is_retried_from_its_failure_once_there_is() -> None:
    """Its earlier turn stays, and is paid once."""
    stage = Stage(registry=Registry([agent(Budget("k", usd=0.03, reserve=0.02), model=Priced(calls=1))]))
    failed = await stage.played("a")
    assert failed.error is not None
    assert (failed.error.type, failed.used.model_calls) == ("budget_exceeded", 1)
    counted = await stage.ports.counters.sums()
    assert counted["budget_refusals"] == 1
    assert not any(name.startswith("model_failures") for name in counted), "no model was asked"
    await budgets_of(stage).set_limit("k", "day", "usd", 5 * CENT)
    await stage.container.commands.retry(failed, "ann", from_start=False)
    await stage.run()
    job = await stage.now()
    assert (job.status, job.used.model_calls) == ("completed", 2)
    (row,), _ = await budgets_of(stage).rows("k")
    assert (row.spent, row.reserved) == (4 * CENT, 0)
