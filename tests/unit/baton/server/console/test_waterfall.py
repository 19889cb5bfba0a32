"""A run as rows of bars: what its time went to."""

import json
import re
from typing import Any

from msgspec.structs import replace

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, approval, tool, workflow
from baton.engine import stream_parts
from baton.engine.work_items import ItemKind
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.records.transcript import ModelPolicy
from baton.sdk.tools.tool_error import ToolError
from baton.server.console.waterfall import Axis, Row, Rows, Trace, Traced
from baton.worker.runtime.policy import LEASE_MS
from tests.unit.baton.kit.plan_kit import Kit, diamond
from tests.unit.baton.kit.plan_kit import stage_of as stage_of_plan
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import operator_of

ZERO_MS = 1_800_000_000_000


def stage_of(script: list[Any], *helpers: Agent) -> Stage:
    """A stage on which a model's answer takes 10 ms and a tool 100 ms."""

    class Slow(ScriptedModel):
        async def answer(self, request: ModelRequest) -> ModelAnswer:
            stage.clock.ms += 10
            return await super().answer(request)

    @tool(retries=1, retry_delay_seconds=1.0)
    async def flaky(ctx: ToolContext) -> str:
        """Work at the second attempt."""
        stage.clock.ms += 100
        if ctx.attempt == 1:
            raise ToolError("not yet", retryable=True)
        return "done"

    @tool(retries=0)
    async def ask(task: str, ctx: ToolContext) -> Pending:
        """Give a task to the helper."""
        return ctx.start("helper", task)

    agent = Agent(name="slow", model=Slow(script), tools=[flaky, ask])
    stage = Stage(registry=Registry([agent, *helpers]))
    return stage


async def traced(stage: Stage, job_id: str = "job_1", since: int = 0) -> Traced:
    read = await stage.snapshot(job_id)
    named = ModelPolicy(name="scripted") if read.job.agent != "planned" else read.job.model
    made = Traced(replace(read, job=replace(read.job, model=named)))
    made.trace.take(stage.store.tree("job_1").parts[job_id][since:])
    return made


def shown(rows: list[Row]) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """Each row's bars that take time, counted from the job's beginning."""
    return [
        (row.label, [(b.kind, b.start_ms - ZERO_MS, b.end_ms - ZERO_MS) for b in row.bars if b.end_ms > b.start_ms])
        for row in rows
    ]


async def test_rows_of_one_tool_say_in_what_they_differ() -> None:
    """A job's row says its task, which that of a job below does, too."""
    script = [[Call("ask", {"task": "one"}), Call("ask", {"task": "two"})], "done"]
    stage = stage_of(script, Agent(name="helper", model=ScriptedModel(["yes"]), instructions="Help."))
    await stage.submit("slow")
    await stage.run()
    rows = [row for row in Rows({"job_1": await traced(stage)}, stage.clock.ms).of("job_1") if row.kind == "call"]
    assert [(row.label, row.about) for row in rows] == [("ask", "one"), ("ask", "two")]


@tool
async def weigh(n: int) -> int:
    return n


@workflow
async def weighing(n: int) -> int:
    """Weigh, and ask a person."""
    await approval("Weigh it?", {"n": n})
    return await weigh(n)


async def test_a_workflow_has_steps_and_no_turns() -> None:
    """Neither in its picture nor in what it waits for."""
    stage = Stage(settings=with_keys(), registry=Registry(workflows=[weighing]))
    async with operator_of(stage) as operator:
        job_id = (await operator.api.submitted(jobType="weighing", inputData={"n": 3}))["id"]
        await stage.run(within_seconds=600)
        main = (await operator.see(f"/console/jobs/{job_id}")).split("<main")[1]
        for text in ("turn", "model calls", "tokens in"):
            assert text not in re.sub(r"<[^>]*>", " ", main)
        assert "waits for a decision about &#39;Weigh it?&#39;, until" in re.sub(r"<[^>]*>", "", main)
        assert "<b>&#34;n&#34;</b>: 3" in (await operator.see("/console/approvals")).split('class="card question"')[1]
        assert 'class="d1 r-call r-person"' in main
        rows = list(Rows({job_id: Traced(await stage.snapshot(job_id))}, stage.clock.ms).of(job_id))
        assert [(row.kind, row.depth, row.label, row.about) for row in rows] == [
            ("job", 0, "weighing", "n 3"),
            ("call", 1, "approval", "Weigh it?"),
        ]


async def test_a_row_says_what_its_turn_says_and_what_its_call_reports() -> None:
    """Marks, progress, and decisions, whose pages they lead to."""

    @tool(requires_approval=True)
    async def pay(euros: int, ctx: ToolContext) -> int:
        await ctx.info("asked the bank", {"euros": euros})
        await ctx.progress(0.5, "half")
        return euros

    say: list[Any] = [ModelAnswer("I pay first.", (Call("pay", {"euros": 7}),)), "Paid."]
    agent = Agent(name="clerk", model=ScriptedModel(say), tools=[pay])
    async with operator_of(Stage(settings=with_keys(), registry=Registry([agent]))) as operator:
        stage = operator.stage
        await stage.submit("clerk")
        await stage.run(within_seconds=60)
        path = "/api/admin/agent-checkpoints"
        (waiting,) = (await operator.api.request("GET", path, ADMIN)).json()["checkpoints"]
        card = (await operator.see("/console/approvals")).split('class="card question"')[1]
        assert ("<p>do it</p>" in card, card.count(": euros 7"), "&#34;euros&#34;" in card) == (True, 3, False)
        assert '<label>Reason <input name="reason"' in card, "no click alone rejects"
        await operator.api.request("POST", f"{path}/{waiting['id']}", ADMIN, json={"comment": "fine"})
        assert "All that wait" in await operator.see(f"/console/approvals/{waiting['id']}")
        await stage.run(within_seconds=60)
        rows = list(Rows({"job_1": await traced(stage)}, stage.clock.ms).of("job_1"))
    assert [(row.depth, row.label, row.about) for row in rows if row.kind in ("turn", "mark")][:3] == [
        (1, "turn 1", "I pay first."),
        (3, "approval, approved", "by operators: fine"),
        (3, "asked the bank", '{"euros": 7}'),
    ]
    assert [(row.depth, row.label, row.about) for row in rows if row.label == "pay"] == [(2, "pay", "7; 50% half")]
    assert next(row.href for row in rows if row.kind == "mark") == f"/console/approvals/{waiting['id']}"
    assert "Paid." in {row.about for row in rows}


def test_a_text_that_is_left_is_no_answer_and_parts_of_another_version_are_none() -> None:
    """Unknown kinds are no error, nor known ones in another shape: nothing that a job says breaks its page."""
    trace, odd = Trace(), [{"type": "data-something-new", "data": {"a": 1}}, {"type": "brand-new"}]
    odd += [{"type": "data-event", "data": {"type": 3}}, {"type": "text-delta"}, {"type": "data-progress", "data": 3}]
    odd += [{"type": "data-checkpoint", "data": {"callId": "c"}}, {"type": "data-retry", "data": {"textId": "x"}}]
    trace.take([*stream_parts.text("text-1-1-a", "Hel"), *map(json.dumps, odd)])
    assert trace.text == {1: "Hel"}
    trace.take([*stream_parts.abandoned("text-1-1-a"), stream_parts.text_start("text-1-2-b")])
    assert trace.text == {1: ""}
    trace.take([stream_parts.text_delta("text-1-2-b", "lo"), stream_parts.job_retried(2, 7, from_start=True, by="Ann")])
    trace.take([stream_parts.user_message('{"messageId": "m", "role": "user", "text": "Be quick"}')])
    marks = {"run-2": ("retried from the start", "by Ann", ""), "m": ("told meanwhile", "Be quick", "")}
    assert (trace.text, trace.marks[1]) == ({1: "lo"}, marks)


async def test_the_steps_of_a_plan_say_what_they_come_after() -> None:
    stage = await stage_of_plan(diamond(Kit()), Limits())
    await stage.run()
    rows = list(Rows({"job_1": await traced(stage)}, stage.clock.ms).of("job_1"))
    about = {row.label: row.about.rpartition("; ")[2] for row in rows if row.kind == "call"}
    assert (about["left: say"], about["bottom: join"]) == ("after top", "after left, right")
    assert "turn" not in {row.kind for row in rows}, "no model was asked"


async def test_attempts_pauses_and_time_in_the_queue_have_bars_of_their_own() -> None:
    stage = stage_of([[Call("flaky")], "done"])
    await stage.submit("slow")
    stage.clock.ms += 50
    await stage.run()
    rows = list(Rows({"job_1": await traced(stage)}, stage.clock.ms).of("job_1"))
    assert shown(rows) == [
        ("slow", [("queue", 0, 50), ("span", 50, 1270)]),
        ("turn 1", [("queue", 0, 50), ("work", 50, 60)]),
        ("flaky", [("failed", 60, 160), ("pause", 160, 1160), ("work", 1160, 1260)]),
        ("turn 2", [("work", 1260, 1270)]),
    ]
    (call,) = await stage.calls()
    assert [row.href for row in rows[1:3]] == ["/console/jobs/job_1/turns/1", f"/console/jobs/job_1/calls/{call.id}"]
    assert rows[2].spelled.startswith(
        "1.2 s: attempt 1 ToolError: not yet 100 ms, before it is retried 1.0 s, attempt 2"
    )


async def test_a_job_below_has_rows_below_the_call_that_waits_for_it() -> None:
    """The wait lasts as long as the job; both are open while it runs, and end with its end."""
    stage = stage_of([[Call("ask", {"task": "x"})], "done"], Agent(name="helper", model=ScriptedModel(["helped"])))
    await stage.submit("slow")
    seen: list[list[Row]] = []

    async def look() -> None:
        stage.clock.ms += 5
        both = {name: await traced(stage, name) for name in stage.store.tree("job_1").jobs}
        seen.append(list(Rows(both, stage.clock.ms).of("job_1")))

    await stage.run(look)
    below = [(2, "ask"), (3, "helper"), (4, "turn 1")]
    assert [(row.depth, row.label) for row in seen[-1]] == [(0, "slow"), (1, "turn 1"), *below, (1, "turn 2")]
    open_rows = [row for row in seen[1] if row.open]
    assert [row.bars[-1].kind for row in open_rows if row.label == "ask"] == ["wait"]
    assert [bar.text for row in seen[-1] for bar in row.bars if bar.kind == "wait"] == ["waits for its job"]
    assert not [row for row in seen[-1] if row.open]


async def test_what_a_cancel_cuts_off_has_worked_until_then_and_a_retry_is_a_cut_of_the_axis() -> None:
    """The time between is drawn by nothing, and what comes after it is counted from the retry."""

    @tool
    async def export() -> str:
        stage.clock.ms += 400
        if (job := (await stage.snapshot()).job).run == 1:
            await stage.container.commands.cancel(job, "Ann")
        return "exported"

    @tool(requires_approval=True)
    async def send() -> str:
        return "sent"

    agent = Agent("slow", model=ScriptedModel([[Call("send"), Call("export")]]), tools=[send, export])
    stage = Stage(registry=Registry([agent]))
    await stage.submit("slow")
    stage.clock.ms += 50
    await stage.run()
    rows = list(Rows({"job_1": await traced(stage)}, stage.clock.ms + 9_000).of("job_1"))
    states = [(row.label, row.state) for row in rows if row.label != "turn 1"]
    asked = ("approval, cancelled", "")
    assert states == [("slow", "cancelled"), ("send", "cancelled"), asked, ("export", "cancelled")]
    calls = [row for row in rows if row.kind == "call"]
    assert shown(calls) == [("send", [("wait", 50, 450)]), ("export", [("work", 50, 450)])]
    assert Axis(rows, ZERO_MS, whole=True).end_ms == ZERO_MS + 450
    await stage.container.commands.retry((await stage.snapshot()).job, "Ann", from_start=False)
    stage.clock.ms += 20
    await stage.run(within_seconds=1)
    found = await traced(stage)
    rows = list(Rows({"job_1": found}, stage.clock.ms).of("job_1"))
    again, job, export_row = found.snapshot.job.counted_from_ms - ZERO_MS, rows[0], rows[-1]
    assert shown([export_row])[0][1] == [
        *(("work", 50, 450), ("queue", again, again + 20), ("work", again + 20, again + 420))
    ]
    assert [(bar.start_ms, bar.end_ms) for bar in job.bars[1:]] == [
        *((ZERO_MS + 50, ZERO_MS + 450), (ZERO_MS + again, stage.clock.ms))
    ]
    axis = Axis(rows, ZERO_MS, found.breaks, whole=True)
    assert (axis.cuts, axis.after(export_row)) == ([(axis.x(ZERO_MS + 450), "23 h 59 min")], "20 ms")
    assert 50 < axis.x(ZERO_MS + 450) < 55


async def test_work_whose_process_is_dead_ends_with_its_last_sign_of_life() -> None:
    """Until another process takes it over, which its part tells then."""
    stage = stage_of(["done"])
    await stage.submit("slow")
    found = await traced(stage)
    (item,) = [one for one in found.snapshot.items if one.kind is ItemKind.LOOP]
    held = replace(item, owner="dead", claimed_ms=ZERO_MS + 50, lease_until_ms=ZERO_MS + 300 + LEASE_MS)
    found = Traced(replace(found.snapshot, items=(held,)), found.trace)
    rows = Rows({"job_1": found}, held.lease_until_ms + 1_000).of("job_1")
    assert shown(list(rows))[1][1] == [("queue", 0, 50), ("work", 50, 300), ("lease", 300, 1_300 + LEASE_MS)]


async def test_what_a_trimmed_stream_has_lost_is_no_time_in_the_queue() -> None:
    """A call whose parts are gone is as long as its record says; the turn after it begins with its first attempt."""
    stage = stage_of([[Call("flaky")], "done"])
    await stage.submit("slow")
    await stage.run()
    rows = list(Rows({"job_1": await traced(stage, since=-3)}, stage.clock.ms).of("job_1"))
    assert shown(rows)[1:] == [("turn 1", []), ("flaky", [("span", 10, 1210)]), ("turn 2", [("work", 1210, 1220)])]


async def test_folded_calls_are_those_of_the_job_that_makes_them() -> None:
    """Which may be below the job whose page it is, so its own page has them."""
    stage = stage_of([[Call("flaky") for _ in range(42)], "done"])
    await stage.submit("slow")
    await stage.run()
    rows = list(Rows({"job_1": await traced(stage)}, stage.clock.ms, range(1, 3)).of("job_1"))
    [fold] = [(row.label, row.href) for row in rows if row.kind == "fold"]
    assert fold == ("2 more calls of turn 1", "/console/jobs/job_1?turns=1-1")


async def test_old_turns_are_folded() -> None:
    turns = [[Call("flaky")] for _ in range(150)]
    stage = stage_of([*turns, "done"])
    await stage.container.commands.submit(replace(stage.job("slow"), limits=Limits(turns=200, tool_calls=200)), {})
    await stage.run()
    both = {"job_1": await traced(stage)}
    rows = list(Rows(both, stage.clock.ms).of("job_1"))
    folds = [(row.label, row.href) for row in rows if row.kind == "fold"]
    assert folds[0] == ("turns 1 to 100: 200 steps", "/console/jobs/job_1?turns=1-100")
    assert len(rows) == 42
    some = list(Rows(both, stage.clock.ms, range(7, 9)).of("job_1"))
    assert [row.label for row in some if row.kind == "turn"] == ["turn 7", "turn 8"]
    assert len(list(Rows(both, stage.clock.ms, everything=True).of("job_1"))) == 302
    axis = Axis(some, ZERO_MS)
    ticks = [text for _, text, fine in axis.ticks if not fine]
    assert ticks == ["7.5 s", "8 s", "8.5 s", "9 s", "9.5 s"]
    assert (axis.x(axis.start_ms), axis.x(axis.end_ms)) == (0.0, 100.0)
