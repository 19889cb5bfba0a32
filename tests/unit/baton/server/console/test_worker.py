"""Pages about the whole deployment: admission, audit log, schedules, tools, usage, prices, and messages."""

import asyncio
import json
import re
from dataclasses import replace

from msgspec import structs

from baton import Agent, Call, Registry, ToolError, tool
from baton.queue.ports import QueueSchedule
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.planning.step import Step
from baton.server.console.admin.chart import REST, largest, stacked
from baton.settings.service_prices import LIST, Prices
from baton.store.redis import keys
from baton_events.errors import PublishError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of


def _fail() -> None:
    raise ValueError("the shelf is empty")


async def test_the_worker_is_stopped_and_started(operator: Operator) -> None:
    await operator.api.submitted()
    markup = await operator.see("/console")
    assert ("at most 3 at once" in markup, "acme" in markup) == (True, True)
    assert re.search(r'<details class="sure">[^\n]+ action="/console/stop"', markup), "it asks before it stops"
    assert "No job starts" in await operator.done("/console/stop")
    await operator.api.submitted()
    assert "Start jobs again" in await operator.see("/console")
    assert "Jobs start again." in await operator.done("/console/start")


async def test_who_waits_for_the_bound_of_its_tenant_is_told_so() -> None:
    async with operator_of(Stage(settings=with_keys(max_jobs_per_tenant=1))) as operator:
        first, second = [(await operator.api.submitted())["id"] for _ in range(2)]
        waits = "the tenant's bound of 1 (MAX_JOBS_PER_TENANT)"
        found = {
            one["id"]: one["waitingFor"]
            for one in (await operator.api.request("GET", "/api/agent-jobs")).json()["jobs"]
        }
        assert (waits in found[first], waits in found[second]) == (False, True)
        assert waits in (await operator.api.request("GET", f"/api/agent-jobs/{second}")).json()["waitingFor"]
        await operator.log_in()
        assert "1 of 1" in await operator.see("/console")
        await operator.stage.run()
        assert {one.job.status for one in (await operator.stage.reader.jobs([first, second])).values()} == {"completed"}


async def test_the_overview_sets_today_beside_yesterday() -> None:
    @tool
    async def breaks() -> str:
        raise ToolError("broken <today>")

    plan = [Step("one", "breaks", {})]
    agents = [Agent(name="fails", plan=plan, tools=[breaks]), Agent(name="says", model=ScriptedModel(["done"]))]
    async with operator_of(Stage(settings=with_keys(), registry=Registry(agents))) as operator:
        await operator.api.submitted(jobType="says")
        await operator.stage.run()
        operator.stage.clock.ms += 86_400_000
        await operator.log_in()
        await operator.api.submitted(jobType="fails")
        await operator.stage.run()
        markup = await operator.see("/console")
        await operator.done("/console/jobs/bulk", action="retry", status="failed")
        running = await operator.see("/console")
    assert ("failed: 1</title>" in markup, "failed: 1</title>" in running) == (True, False)
    days = re.findall(r'<th scope="row">(\w+)</th>(.+)</tr>', markup)
    ends = {day: re.findall(r'num(?: bad)?">(\d+)<', row)[:2] for day, row in days}
    assert ends == {"today": ["0", "1"], "yesterday": ["1", "0"]}
    assert markup.count("broken &lt;today&gt;") == 2  # on its card, and among the newest
    assert "Retry all" in markup


async def test_what_failed_shortly_before_midnight_is_still_there_after_it() -> None:
    failing = Agent(name="fails", plan=[Step("one", tool(name="fail", retries=0)(_fail))])
    async with operator_of(Stage(settings=with_keys(), registry=Registry([failing]))) as operator:
        operator.stage.clock.ms += 15 * 3_600_000 + 3_540_000  # 23:59
        await operator.api.submitted(jobType="fails")
        await operator.stage.run()
        operator.stage.clock.ms += 180_000
        await operator.log_in()
        [link] = re.findall(r'href="([^"]+)">Failed, created in the last day', markup := await operator.see("/console"))
        [tab] = re.findall(r'href="([^"]+)">Failed, last day', await operator.see("/console/jobs"))
        pages = [await operator.see(one.replace("&amp;", "&")) for one in (link, tab, "/console/agents/fails/versions")]
    for page in (markup, *pages):
        assert 'ValueError</span> in _fail of fails <span class="dim">at console/test_worker.py, line 24<' in page


async def test_a_card_names_no_place_that_has_not_failed_the_job() -> None:
    model = ScriptedModel([[Call("fail")], RuntimeError("out of words")])
    agent = Agent(name="fails", model=model, tools=[tool(name="fail", retries=0)(_fail)], model_retries=0)
    async with operator_of(Stage(settings=with_keys(), registry=Registry([agent]))) as operator:
        await operator.api.submitted(jobType="fails")
        await operator.stage.run()
        markup = await operator.see("/console")
    assert ("out of words" in markup, "line " in markup) == (True, False)


async def test_approvals_and_dead_letters_are_counted_in_the_menu(operator: Operator) -> None:
    """Read once in a while, and anew after a form; what does not answer has no count, and the page comes anyway."""
    operator.stage.records.failing = [PublishError("gone")]
    markup = await operator.see("/console")
    assert "The queue does not answer" in markup
    assert 'class="count"' not in markup
    await operator.stage.submit("answers", "job_9")
    operator.stage.records.die(operator.stage.queue.published[-1][0])
    await operator.done("/console/jobs/job_9/cancel")
    assert 'Undelivered <b class="count bad-count">1</b>' in await operator.see("/console/jobs")


async def test_the_overview_costs_the_same_however_many_jobs_there_are() -> None:
    """Of its chart no row is read, of what has failed the records, and of each card three jobs, each all at once."""
    failing = Agent(name="fails", plan=[Step("one", tool(name="fail", retries=0)(_fail))])
    costs, markup = list[tuple[int, int]](), ""
    async with operator_of(Stage(settings=with_keys(), registry=Registry([failing]))) as operator:
        store = operator.stage.reader.connection
        for _ in range(2):
            for _ in range(30):
                await operator.api.submitted(jobType="fails")
            await operator.stage.run(within_seconds=60)
            await operator.see("/console")
            before = len(store.sent), store.redis.requests
            markup = await operator.see("/console")
            costs.append((store.sent[before[0] :].count("HGETALL"), store.redis.requests - before[1]))
    assert ("failed: 60</title>" in markup, "All 60" in markup) == (True, True)
    assert costs == [(14, 17)] * 2


async def test_the_last_day_is_drawn_by_its_hours(operator: Operator) -> None:
    came = 1_800_000_000_000  # 08:00
    for _ in range(2):
        await operator.api.submitted(jobType="answers")
    await operator.stage.run()
    assert operator.stage.clock.ms - came < 3_600_000
    operator.stage.clock.ms += 23 * 3_600_000
    await operator.log_in()
    await operator.api.submitted(jobType="answers")
    await operator.stage.run()
    assert operator.stage.clock.ms - came < 24 * 3_600_000
    markup = await operator.see("/console")
    assert all(f"{each}</title>" in markup for each in ("08:00, completed: 2", "07:00, completed: 1"))
    operator.stage.clock.ms += 3_600_000
    assert "08:00, completed" not in await operator.see("/console")
    assert "3 in all" not in await operator.see("/console")


async def test_the_api_has_samples_of_the_last_hours(operator: Operator) -> None:
    for _ in range(4):
        await operator.api.submitted()
    await operator.stage.ports.admission.sweep(0, operator.stage.clock.ms)
    (sample,) = (await operator.api.request("GET", "/api/admin/agent-worker", ADMIN)).json()["history"]
    assert (sample["activeJobs"], sample["pendingJobs"], sample["maxConcurrentJobs"]) == (3, 1, 3)


async def test_what_operators_do_is_in_the_audit_log(operator: Operator) -> None:
    assert "logged in" in await operator.see("/console/audit")
    operator.stage.redis.forget(keys.AUDIT)
    assert "No admin key has changed anything" in await operator.see("/console/audit")
    await operator.stage.submit()
    await operator.done("/console/jobs/job_1/cancel")
    markup = await operator.see("/console/audit")
    assert all(text in markup for text in (">cancelled", 'href="/console/jobs/job_1"', "operators", "by operators"))
    assert "/cancel" not in markup
    await operator.api.request("POST", "/api/admin/agent-worker", ADMIN)
    await operator.api.request("PATCH", "/api/agent-jobs/job_1", ADMIN, json={"action": "retry"})
    await operator.api.request("DELETE", "/api/admin/budgets/k", ADMIN)
    await operator.done("/console/jobs/bulk", action="retry", q="<text>", jobType="")
    await operator.api.request("POST", "/api/agent-jobs/bulk", ADMIN, json={"action": ["x"], "filter": {"q": "a"}})
    markup = await operator.see("/console/audit")
    assert all(text in markup for text in (">let jobs start again<", ">retried</a>", ">DELETE /api/admin/budgets/"))
    assert ("retried many jobs" in markup, ">text &lt;text&gt;<" in markup) == (True, True)
    assert "csrf" not in markup.split("<main")[1]
    await operator.api.submitted(ADMIN)
    shown = [">POST /api/agent-jobs<" in await operator.see(f"/console/audit{query}") for query in ("", "?starts=1")]
    assert shown == [False, True]
    await operator.see("/console/audit?cursor=x", 422)


async def test_a_schedule_is_made_paused_and_deleted(operator: Operator) -> None:
    """Once however often its form is sent; others' schedules are not deleted from here."""
    assert "has no schedules" in await operator.see("/console/schedules")
    fields = {"jobType": "answers", "taskDescription": "every <morning>", "cron": "0 9 * * 1-5", "once": "n1"}
    first, markup = [
        await operator.done("/console/schedules/new/make", **fields, timeZone="Europe/Berlin") for _ in range(2)
    ]
    assert ("is made." in first, "every &lt;morning&gt;" in markup, "Europe/Berlin" in markup) == (True,) * 3
    (schedule_id,) = operator.stage.schedules.known
    other = operator.stage.schedules.known["other"] = QueueSchedule("other", "https://x.example", "0 * * * *")
    assert "Pause it: it starts no job of yours" in await operator.see("/console/schedules")
    assert "Schedule other is paused." in await operator.done(f"/console/schedules/{other.id}/set", paused="yes")
    assert operator.stage.schedules.known[other.id].paused
    assert "Schedule other is resumed." in await operator.done(f"/console/schedules/{other.id}/set", paused="no")
    assert (await operator.do("/console/schedules/x/set", paused="yes")).status_code == 404
    known, path = operator.stage.schedules.known, f"/console/schedules/{schedule_id}/run"
    assert "</a> is to start: " in await operator.done(path)
    operator.stage.clock.ms += 1
    started = asyncio.create_task(operator.done(path))
    for _ in range(8):
        await asyncio.sleep(0.1)
        await operator.stage.run()
    page = await started
    assert ("The job is started." in page, "<h1>every &lt;morning&gt;" in page) == (True, True)
    known[schedule_id] = structs.replace(known[schedule_id], last={"tick": "SUCCESS", "lost": "FAIL"})
    last = await operator.see("/console/schedules")
    assert (last.count("completed</span> <a "), "?tenant=operators&amp;jobType=answers" in last) == (2, True)
    assert ("its message was not delivered" in last, ">success<" in last) == (True, False)
    assert (await operator.do("/console/schedules/other/run")).status_code == 404
    assert f"Schedule {schedule_id} is deleted." in await operator.done(f"/console/schedules/{schedule_id}/delete")
    assert list(operator.stage.schedules.known) == [other.id]
    assert (await operator.do("/console/schedules/other/delete")).status_code == 409


async def test_a_check_of_all_jobs_that_is_paused_is_named_on_the_overview(operator: Operator) -> None:
    check = QueueSchedule("check", "https://x.example/sweep", "0 * * * *")
    for paused in (False, True):
        operator.stage.schedules.known["check"] = structs.replace(check, paused=paused)
        operator.stage.clock.ms += 30_000
        assert ("is paused: stuck jobs are found no more" in await operator.see("/console")) is paused


async def test_the_days_are_drawn_and_are_a_table(operator: Operator) -> None:
    assert "No job has ended yet" in await operator.see("/console/usage")
    await operator.api.submitted(jobType="adds")
    await operator.stage.run()
    months = await operator.see("/console/usage")
    assert "No job has ended yet" not in months
    assert '<a href="/console/jobs?tenant=acme">acme</a>' in months
    assert 'href="/console/usage" aria-current="page"' in months
    markup = await operator.see("/console/usage?split=agent")
    assert markup.count('<figure class="chart">') == 4
    assert "adds: 1</title>" in markup
    assert '<td data-name="agent">adds</td>' in markup
    assert '<td data-name="month">' in await operator.see("/console/usage?show=month&split=model")
    assert "No job of these has ended" in await operator.see("/console/usage?agent=other")


def test_what_there_is_too_much_of_to_draw_is_one_series() -> None:
    totals = {f"s{number}": float(number) for number in range(9)}
    assert largest(totals) == ["s4", "s5", "s6", "s7", "s8", REST]
    chart = stacked("Jobs", ["a", "b"], ["x", "y"], {("a", "x"): 3, ("b", "x"): 1, ("b", "y"): 1}, str)
    bars = [(bar.kind, bar.x, bar.y, bar.height) for bar in chart.bars]
    assert bars == [(0, 0, 0, 96), (0, 50, 64, 32), (1, 50, 32, 32)]


async def test_prices_are_reported_with_source_and_date() -> None:
    settings = replace(with_keys(), prices=Prices(command_usd=0.0000015))
    async with operator_of(Stage(settings=settings)) as operator:
        markup = await operator.see("/console/usage")
    assert all(text in markup for text in ("$0.0000015 ", "list price $0.000002"))
    assert all(price.as_of in markup for price in LIST)
    assert markup.count("list price") == 1


async def test_the_steps_of_a_job_are_shown_on_request(operator: Operator) -> None:
    job = await operator.api.submitted(jobType="adds")
    await operator.stage.run()
    path = f"/console/jobs/{job['id']}"
    assert f'href="{path}?steps=1#steps"' in await operator.see(path)
    markup = (await operator.see(f"{path}?steps=1")).partition('id="steps"')[2]
    texts = ("<span>turn 1</span>", "<span>turn 2</span>", "of turn 1", "outside steps")
    assert [markup.count(text) for text in texts] == [1, 1, 2, 1]
    (call, _) = (await operator.api.read(job["id"]))["toolCalls"]
    page = await operator.see(f"{path}/calls/{call['id']}")
    assert (page.count("this call"), page.count("of turn 1")) == (1, 0)


async def test_messages_show_what_happened_last_and_one_its_log_and_body(operator: Operator) -> None:
    await operator.stage.submit()
    message_id = operator.stage.queue.published[-1][0]
    operator.stage.records.happen(message_id, "ERROR", status=500, error="<b>broke</b>")
    markup = await operator.see("/console/messages")
    assert markup.count(f'value="{message_id}"') == 1
    assert all(text in markup for text in ("&lt;b&gt;broke", 'title="ERROR">failed once<', ">next step<"))
    assert "job_1" in await operator.see("/console/messages?job=job_1&state=CREATED")
    assert "nothing like it" in await operator.see("/console/messages?job=job_2")
    assert "no message has the state" in await operator.see("/console/messages?state=LOST", 422)
    operator.stage.records.happen(message_id, "DELIVERED", status=200, answer='{"outcome": "done"}')
    markup = await operator.see(f"/console/messages/{message_id}")
    assert all(text in markup for text in ("Its step is still to be done", "outcome", "agent.loop.init"))
    found = await operator.http.get(f"/console/messages?id={message_id}")
    assert found.headers["location"] == f"/console/messages/{message_id}"
    assert "does not know message" in await operator.see("/console/messages/msg_x", 404)


async def test_an_applied_message_says_so_and_offers_a_replay(operator: Operator) -> None:
    event = await operator.stage.submit("adds")
    message_id = operator.stage.queue.published[-1][0]
    await operator.stage.deliver(event)
    before = len(operator.stage.outgoing())
    markup = await operator.done("/console/messages/replay", message=message_id)
    assert "1 applied already, so not sent" in markup
    assert "Send what the job expects" in markup
    assert len(operator.stage.outgoing()) == before
    assert "2 messages of the job were sent again" in await operator.done("/console/jobs/job_1/replay")
    assert len(operator.stage.outgoing()) == before + 2


async def test_many_are_replayed_and_counted(operator: Operator) -> None:
    event = await operator.stage.submit("adds")
    await operator.stage.deliver(event)
    ids = [message_id for message_id, _ in operator.stage.queue.published]
    data = {"csrf": await operator.token(), "message": ids}
    response = await operator.http.post("/console/messages/replay", data=data)
    markup = await operator.see(response.headers["location"])
    assert f"Of {len(ids)} messages: {len(ids) - 1} sent again; 1 applied already, so not sent" in markup
    assert "No message was ticked" in await operator.done("/console/messages/replay")


async def test_all_of_a_page_are_ticked_and_replayed(operator: Operator) -> None:
    for number in range(130):
        await operator.stage.submit("answers", f"job_{number}")
    ids = re.findall(r'<td><input [^>]*name="message" value="([^"]+)"', await operator.see("/console/messages"))
    assert len(ids) == 120
    data = {"csrf": await operator.token(), "message": ids}
    response = await operator.http.post("/console/messages/replay", data=data)
    assert "Of 120 messages: 120 sent again" in await operator.see(response.headers["location"])


async def test_pages_that_come_at_once_count_the_same(operator: Operator) -> None:
    for markup in await asyncio.gather(operator.see("/console"), operator.see("/console")):
        assert "The queue does not answer" not in markup


async def test_what_has_died_since_the_page_was_read_stays(operator: Operator) -> None:
    """A button names a number: more are neither deleted nor retried by it."""
    stage, shown = operator.stage, dict[str, str]()
    for number in range(3):
        await stage.submit("answers", f"job_{number}")
        letter = stage.records.dead.pop(stage.records.die(stage.queue.published[-1][0], 500, "trouble"))
        dead_id = f"{stage.clock.ms}-0"  # as the queue makes it
        stage.records.dead[dead_id] = structs.replace(letter, id=dead_id)
        if not number:
            markup = await operator.see("/console/dead-letters")
            group = markup.split('href="?group=')[1][:32]
            markup = await operator.see(f"/console/dead-letters?group={group}")
            [newest] = set(re.findall(r'name="newest" value="(\d+)"', markup))
            shown = {"group": group, "newest": newest}
        stage.clock.ms += 1_000
    assert "1 of 1 are sent again" in await operator.done("/console/dead-letters/retry", **shown)
    assert len(stage.records.dead) == 2


async def test_dead_letters_are_grouped_by_error_and_a_group_is_retried(operator: Operator) -> None:
    """Ids and numbers do not tell errors apart, the largest group comes first; what was applied already stays."""
    stage = operator.stage
    await stage.submit("answers", "job_9")
    stage.records.die(stage.queue.published[-1][0], 500, "another thing")
    for number in range(3):
        event = await stage.submit("answers", f"job_{number}")
        answer = json.dumps({"detail": f"job_{number} met <i>trouble</i>"})
        stage.records.die(stage.queue.published[-1][0], 500, answer)
        if not number:
            await stage.deliver(event)
    markup = await operator.see("/console/dead-letters")
    assert markup.index("trouble") < markup.index("another thing")
    assert "<i>" not in markup
    group = markup.split('href="?group=')[1][:32]
    opened = await operator.see(f"/console/dead-letters?group={group}")
    assert "applied already" in opened or "its job has ended" in opened
    markup = await operator.done("/console/dead-letters/retry", group=group)
    assert "2 of 3 are sent again. 1 were applied already" in markup
    assert len(stage.records.dead) == 2
    markup = await operator.done("/console/dead-letters/delete", group=group)
    assert "1 undelivered messages are deleted" in markup
    assert "another thing" in markup
    assert "Nothing was done: these messages" in await operator.done("/console/dead-letters/retry", group=group)
    assert "2 of 3 are sent again. 1 were applied already" in await operator.see("/console/audit")
