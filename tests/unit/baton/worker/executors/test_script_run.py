"""Scripts of a model: what they come to, plainly and with a crash at each point, and what hostile ones can do."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from baton import Agent, Call, CodeMode, Limits, Registry, ScriptedModel, ToolContext, ToolError, tool, wait_for_event
from baton.sdk.models.scripted import ScriptEntry
from baton.testing import Approve, Reject, Simulation
from baton.testing.records import Run
from tests.unit.baton.worker.executors.hostile_scripts import HOSTILE

PRICES = {"b0": 5, "b1": 500, "b2": 9}


@tool
async def list_bills(n: int = 3) -> list[dict[str, str]]:
    return [{"id": f"b{at}"} for at in range(n)]


@tool
async def price(id: str, ctx: ToolContext) -> int:  # noqa: A002 - as a user may name it
    """Return a price."""
    Simulation.effect(ctx.idempotency_key)
    await asyncio.sleep(5)
    return PRICES[id]


@tool(requires_approval=True, background=True)
async def pay(id: str, euros: int, ctx: ToolContext) -> str:  # noqa: A002 - as above
    Simulation.effect(ctx.idempotency_key)
    return f"paid {euros}"


@tool(retries=1, retry_delay_seconds=1)
async def fails(kind: str) -> None:
    """Fail."""
    raise {"value": ValueError("it failed"), "tool": ToolError("gone", type="no_such_bill")}[kind]


@tool(timeout_seconds=1, retries=0)
async def hangs() -> None:
    """Hang."""
    await asyncio.sleep(100)


@tool(name="log-in")
async def log_in(user: str, password: str) -> str:
    return f"{user} has {len(password)}"


helper = Agent("helper", model=ScriptedModel(["helped"]))
TOOLS: list[Any] = [list_bills, price, pay, fails, hangs, log_in, wait_for_event, helper]


def agent(*script: ScriptEntry, **options: Any) -> Agent:
    return Agent("clerk", **{"model": ScriptedModel(script), "tools": TOOLS, "code_mode": True, **options})


def simulation(*code: str, **options: Any) -> Simulation:
    """Play an agent whose model sends these scripts, each in a turn of its own, and then answers."""
    turns = [[Call("run_code", {"code": each})] for each in code]
    return Simulation(Registry([agent(*turns, "done", **options), helper]))


def script(run: Run, at: int = 0) -> dict[str, Any]:
    return [call for call in run.calls if call["tool"] == "run_code"][at]


def called(run: Run) -> list[str]:
    return [f"{call['tool']} {call['status']}" for call in run.calls if call["tool"] != "run_code"]


PAYING = """
bills = await list_bills()
prices = await asyncio.gather(*[price(b["id"]) for b in bills])
done = []
for bill, euros in zip(bills, prices):
    try:
        done.append(await pay(bill["id"], euros))
    except Exception as refused:
        print(bill["id"], refused)
done
"""


def _decide(checkpoint: Any) -> Approve | Reject:
    euros = checkpoint.arguments["euros"]
    return Reject("too much") if euros > 100 else Approve({**checkpoint.arguments, "euros": 4} if euros == 5 else None)


# (name, code, value, printed, calls besides run_code)
PROGRAMS: list[tuple[str, str, Any, str, int]] = [
    ("paying", PAYING, ["paid 4", "paid 9"], "b1 rejected: too much\n", 7),
    ("loop", "total = 0\nfor i in range(3):\n    total += await price(f'b{i}')\nreturn total", 514, "", 3),
    ("nothing", "x = 1", None, "", 0),
    ("pair", "a, b = 1, await price('b0')\na, b", [1, 5], "", 1),
    ("returned pair", "if True:\n    return (1), 2", [1, 2], "", 0),
    ("at once", 'a = price("b0")\nb = await price("b2")\n[await a, b]', [5, 9], "", 2),
    ("helper", "async def twice(i):\n    return 2 * await price(i)\nawait asyncio.gather(*map(twice, ['b0', 'b2']))",
     [10, 18], "", 2),
    ("function as value", "async def of(f, *given):\n    return await f(*given)\nawait of(price, 'b0')", 5, "", 1),
    ("own names",
     "id, str, len, type, list, dict, isinstance, set = 'b0', 1, 2, 3, 4, 5, 6, 7\n[await price(id), str, {1: len}]",
     [5, 1, {"1": 2}], "", 1),
    ("in a text", "f'{await price(\"b0\")} and {await price(id=\"b2\")}'", "5 and 9", "", 2),
    ("set by name", "class Bill:\n    pass\nb = Bill()\nsetattr(b, 'euros', await price('b0'))\nb.paid = False\nb",
     {"euros": 5, "paid": False}, "", 1),
    ("keywords", "await log_in(password='p' * 3, user='ann')", "ann has 3", "", 1),
    ("errors", """
found = []
for kind in ("value", "tool"):
    try:
        await fails(kind)
    except ValueError as error:
        found.append(f"value: {error}")
    except RuntimeError as error:
        found.append(str(error))
try:
    await hangs()
except TimeoutError as error:
    found.append("timeout")
found""", ["value: it failed", "no_such_bill: gone", "timeout"], "", 3),
    ("mixed", """
async def safe(call):
    try:
        return await call
    except Exception as error:
        return str(error)
await asyncio.gather(safe(price("b0")), safe(fails("tool")), safe(pay("b1", 500)), safe(pay("b2", 9)))""",
     [5, "no_such_bill: gone", "rejected: too much", "paid 9"], "", 4),
    ("branch beside a wait", """
async def branch(of):
    euros = await price(of)
    return await log_in(of, "p" * euros)
[*await asyncio.gather(wait_for_event("never", timeout_seconds=3 * 86400), branch("b0"), branch("b2"))]""",
     [{"timedOut": True}, "b0 has 5", "b2 has 9"], "", 5),
    ("job below", "await helper('do it')", "helped", "", 1),
    ("days", "await wait_for_event('never', timeout_seconds=3 * 86400)", {"timedOut": True}, "", 1),
    ("time and chance",
     "import datetime, random\n[datetime.datetime.now().year > 2000, random.random() == random.random()]",
     [True, False], "", 0),
]  # fmt: skip
IDS = [name for name, *_ in PROGRAMS]


@pytest.mark.parametrize(("code", "value", "printed", "calls"), [one[1:] for one in PROGRAMS], ids=IDS)
async def test_a_script_gives_what_it_gives_as_ordinary_python(code: str, value: Any, printed: str, calls: int) -> None:
    run = await simulation(code, limits=Limits(wall_seconds=10**6)).run("clerk", "x", decide=_decide)
    assert (run.status, run.error, run.usage["modelCalls"]) == ("completed", None, 2)
    assert script(run).get("result") == {"value": value, **({"printed": printed} if printed else {})}, script(run)
    assert len(run.calls) == calls + 1
    assert {call.get("scriptCallId") for call in run.calls} - {None} == ({script(run)["id"]} if calls else set())
    assert script(run)["status"] == "completed"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=name, marks=[] if name == "at once" else pytest.mark.long)
        for name, code, *_ in PROGRAMS
        if name != "time and chance"
    ],
)
async def test_a_crash_at_any_point_changes_nothing(code: str) -> None:
    code = code.replace("await hangs()", "raise TimeoutError")  # that it is slow is a finding of its own
    played = simulation(code, limits=Limits(wall_seconds=10**6))
    report = await played.crash_everywhere("clerk", "x", decide=_decide)
    report.check()
    assert len(report.points) > 3


async def test_a_call_is_a_tool_call_of_the_job_with_a_key_a_row_and_parts() -> None:
    run = await simulation("await asyncio.gather(price('b0'), price('b2'))").run("clerk", "x")
    assert len({start.idempotency_key for start in run.tool_starts}) == 2
    assert run.virtual_seconds < 9, "each takes 5 s, and both run at once"
    inputs = [part for part in run.parts if part["type"] == "tool-input-available"]
    assert [part.get("providerMetadata") for part in inputs] == [
        None,
        *[{"baton": {"scriptCallId": script(run)["id"]}}] * 2,
    ]
    outputs = {part["toolCallId"]: part["output"] for part in run.parts if part["type"] == "tool-output-available"}
    assert outputs[script(run)["id"]] == {"value": [5, 9]}
    assert [call["attempts"] for call in run.calls] == [1, 1, 1]


BESIDE = """
async def branch():
    euros = await price("b0")
    return await log_in("ann", "p" * euros)
"""


async def test_a_call_that_waits_holds_nothing_but_what_awaits_it() -> None:
    code = f"{BESIDE}await asyncio.gather(wait_for_event('never', timeout_seconds=3 * 86400), branch(), pay('b2', 9))"
    run = await simulation(code, limits=Limits(wall_seconds=10**6)).run("clerk", "x", decide=_decide)
    assert script(run).get("result") == {"value": [{"timedOut": True}, "ann has 5", "paid 9"]}
    begun = datetime.fromisoformat(run.calls[0]["startedAt"])
    seconds = {
        call["tool"]: (datetime.fromisoformat(call["finishedAt"]) - begun).total_seconds() for call in run.calls[1:]
    }
    assert seconds["wait_for_event"] == pytest.approx(3 * 86400, abs=60)
    assert max(took for tool, took in seconds.items() if tool != "wait_for_event") < 30


async def test_what_a_script_awaits_no_more_ends_with_it() -> None:
    code = """
try:
    await asyncio.gather(fails("tool"), wait_for_event("never", timeout_seconds=3 * 86400), pay("b2", 9), price("b0"))
except RuntimeError as error:
    return str(error)"""
    run = await simulation(code, "await price('b2')").run("clerk", "x")
    assert (run.status, script(run).get("result")) == ("completed", {"value": "no_such_bill: gone"})
    assert run.virtual_seconds < 60
    ended = {call["tool"]: call for call in run.calls if call.get("scriptCallId") == script(run)["id"]}
    assert {tool: call["status"] for tool, call in ended.items()} == {
        "fails": "failed",
        "wait_for_event": "cancelled",
        "pay": "cancelled",
        "price": "cancelled",
    }
    assert {ended[tool]["error"]["type"] for tool in ("wait_for_event", "pay", "price")} == {"given_up"}
    assert script(run, 1).get("result") == {"value": 9}


async def test_calls_in_flight_count_for_those_at_once() -> None:
    code = f"{BESIDE}await asyncio.gather(*[price('b1') for i in range(2)], *[branch() for i in range(2)], hangs())"
    run = await simulation(code, "1", code_mode=CodeMode(calls_at_once=5)).run("clerk", "x")
    assert "TimeoutError" in script(run)["error"]["message"]
    code = """
async def many():
    await price("b0")
    await asyncio.gather(*[price("b1") for i in range(3)])
await asyncio.gather(many(), *[wait_for_event("never", timeout_seconds=9) for i in range(3)])"""
    run = await simulation(code, "1", code_mode=CodeMode(calls_at_once=5)).run("clerk", "x")
    assert "more than 5 calls at once" in script(run)["error"]["message"]
    assert len(called(run)) == 4, "none of those over the limit has begun"


async def test_legs_are_no_turns_and_calls_count() -> None:
    code = "for i in range(5):\n    await list_bills()\n1"
    run = await simulation(code, code, limits=Limits(turns=3)).run("clerk", "x")
    assert (run.status, run.result) == ("completed", {"answer": "done"})
    assert run.usage["modelCalls"] == 3
    run = await simulation(code, code, limits=Limits(turns=2)).run("clerk", "x")
    assert (run.status, run.result) == ("failed", None)
    assert "turns=2" in str(run.error)
    assert len(run.calls) == 12, "what the last turn asked for is done"
    run = await simulation(code, limits=Limits(tool_calls=4)).run("clerk", "x")
    assert "tool_calls=4" in str(run.error)
    assert called(run) == ["list_bills completed"] * 3
    assert script(run)["status"] == "cancelled"


async def test_scripts_of_one_answer_run_one_after_the_other_and_share_no_name() -> None:
    codes = ["x = await price('b0')\nx", "x"]
    turn = [Call("run_code", {"code": code}) for code in codes]
    run = await Simulation(Registry([agent(turn, "done"), helper])).run("clerk", "x")
    assert script(run).get("result") == {"value": 5}
    assert "Name `x` used when not defined" in script(run, 1)["error"]["message"]
    assert run.usage["modelCalls"] == 2


async def test_another_tool_is_unknown_and_the_message_names_run_code() -> None:
    turn = [Call("price", {"id": "b0"}), Call("run_code", {"code": "1"}), Call("run_code", {})]
    run = await Simulation(Registry([agent(turn, "done"), helper])).run("clerk", "x")
    other, ran, bad = run.calls
    assert other["error"] == {"type": "unknown_tool", "message": "there is no tool 'price'; there are: run_code"}
    assert (ran.get("result"), bad["error"]["type"]) == ({"value": 1}, "invalid_arguments")


@pytest.mark.parametrize(
    ("code", "faults", "calls"),
    [
        ("await price('b0')\nfoo()", ["script.py, line 2: Name `foo` used when not defined"], 0),
        ("await pay('b0')", ["line 1: No argument provided for required parameter `euros` of function `pay`"], 0),
        ("await price(ident='b0')", ["line 1: Argument `ident` does not match any known parameter"], 0),
        ("await price(3)", ["line 1: Argument to function `price` is incorrect"], 0),
        ("x = 1\nprice('b0')", ["line 2: Object of type `CoroutineType[Any, Any, int]` is not awaited"], 0),
        ("x = 1\nf'{x} {price(\"b0\"):>9}'", ["script.py, line 2: price() is not awaited"], 0),
        ("for b in list_bills():\n    pass", ["line 1: Object of type `CoroutineType[Any"], 0),
        ("import requests", ["line 1: Cannot resolve imported module `requests`"], 0),
        ("if True\n    pass", ["script.py, line 1"], 0),
        ("Here it is:\nx = 1", ["script.py, line 1", "Send Python alone: no words and no fences around it."], 0),
        ("class A(Exception): pass", ["does not yet support class inheritance"], 0),
        ("a = price('b0')\n\nb = price('b2')\n1",
         ["never awaited, and have not run: price() in line 1, price() in line 3"], 0),
        ("a = price('b0')\n\nb = await price('b2')\nb", ["awaited, though they have begun: price() in line 1."], 2),
        ("a = [price('b0')]\nawait price('b2')\nb = price('b1')\n1",
         ["though they have begun: price() in line 1.\n", "awaited, and have not run: price() in line 3."], 2),
        ("async def of(f):\n    return f('b0')\na = of(price)\nb = await a\nawait price('b2')",
         ["never awaited, though they have begun: price() in line 3"], 2),
        ("await price('b0')\nprint('so')\nawait asyncio.gather(1 / 0)",
         ["line 3, in <module>\n    await asyncio.gather(1 / 0)", "ZeroDivisionError", "Printed before:\nso"], 1),
        ("await fails('value')", ['File "script.py", line 1', "ValueError: it failed"], 1),
    ],
)  # fmt: skip
async def test_a_failure_is_told_with_its_lines_and_the_job_goes_on(code: str, faults: list[str], calls: int) -> None:
    run = await simulation(code, "2").run("clerk", "x")
    assert (run.status, len(run.calls)) == ("completed", calls + 2)
    error = script(run)["error"]
    assert error["type"] == "script_error"
    assert all(fault in error["message"] for fault in faults), error["message"]
    assert ("The script was not run, and made no call" in error["message"]) == (
        calls == 0 and "never awaited" not in faults[0]
    )
    assert script(run, 1).get("result") == {"value": 2}


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("price", "the result has function 'price'"),
        ("def f(): pass\nif True:\n    return {'a': [f]}", "the result has function 'f'"),
        ("lambda: 1", "the result has function '<lambda>'"),
        ("class A: pass\nA", "the result has class 'A'"),
        ("len", "the result has built-in function len"),
        ("[price('b0')]", "the result has a call without await"),
        ("def f(): pass\nx = f\nawait log_in(x, password='p')", "log_in: an argument has function 'f'"),
        ("async def of(f, *x):\n    return await f(*x)\nawait of(price, price)", "argument has function 'price'"),
        ("import dataclasses as d\n@d.dataclass\nclass A:\n    x: object\nA(lambda: 1)", "has function '<lambda>'"),
    ],
)  # fmt: skip
async def test_a_function_is_no_value_and_the_error_names_it(code: str, named: str) -> None:
    run = await simulation(code, "'<function f>'").run("clerk", "x")
    assert named in script(run)["error"]["message"]
    assert "baton_" not in script(run)["error"]["message"]
    assert script(run, 1).get("result") == {"value": "<function f>"}


@pytest.mark.parametrize(
    "code",
    [
        "if len(await list_bills()) == 3:\n    return 1\n1",
        "try:\n    open('x')\nexcept PermissionError:\n    pass\n1",
        "for kind in ['b0']:\n    await price(kind)\n1",
        "d = {'id': 'b0'}\nawait price(d.get('id'))\n1",
        "await price((await list_bills())[0].get('id'))\n1",
    ],
)
async def test_what_a_checker_does_not_know_runs_all_the_same(code: str) -> None:
    run = await simulation(code).run("clerk", "x")
    assert script(run).get("result") == {"value": 1}, script(run)


async def test_secrets_are_hidden_wherever_a_script_is_kept_or_shown_and_the_script_runs_with_them() -> None:
    secret = "hunter2-hunter2"
    code = f"password = '{secret}'\nprint(await log_in('ann', password), password)\nraise ValueError(password)"
    run = await simulation(code).run("clerk", "x")
    assert run.calls[1]["result"] == "ann has 15"
    everything = repr([run.calls, run.parts, run.model_messages])
    assert secret not in everything
    assert "password = '[redacted]'" in everything
    assert "ann has 15 [redacted]" in script(run)["error"]["message"]


async def test_a_child_and_a_chat_have_scripts_too() -> None:
    boss = Agent("boss", model=ScriptedModel([[Call("clerk", {"task": "pay"})], "ok"]), tools=[(clerk := _clerk())])
    run = await Simulation(Registry([boss, clerk, helper])).run("boss", "x", decide=_decide)
    assert run.calls[0]["result"] == "done"
    run = await Simulation(Registry([clerk, helper])).run("clerk", "x", session="chat", decide=_decide)
    assert script(run).get("result") == {"value": "paid 9"}


def _clerk() -> Agent:
    return agent([Call("run_code", {"code": "await pay('b2', 9)"})], "done")


async def test_three_approvals_over_three_deploys_make_each_decided_call_once() -> None:
    code = """
a = await pay("b0", 1)
b = await pay("b1", 2)
try:
    await log_in("a", "b")
except RuntimeError as gone:
    print(str(gone)[:12])
c = await pay("b2", 3)
[a, b, c]"""
    turns: list[ScriptEntry] = [[Call("run_code", {"code": code})], "done"]
    versions = [
        Registry([agent(*turns), helper]),
        Registry([agent(*turns, tools=[price, pay]), helper]),  # two tools are gone
        Registry([agent(*turns, tools=[pay], code_mode=CodeMode(output_chars=1)), helper]),
    ]
    deployed, asked = Registry([agent(*turns), helper]), list[Any]()

    def decide(checkpoint: Any) -> Approve:
        asked.append(checkpoint.arguments["euros"])
        vars(deployed).update(vars(versions[len(asked) - 1]))
        return Approve()

    run = await Simulation(deployed).run("clerk", "x", decide=decide)
    assert script(run).get("result") == {"value": ["paid 1", "paid 2", "paid 3"], "printed": "unknown_tool\n"}
    assert (asked, called(run).count("pay completed")) == ([1, 2, 3], 3)
    assert len([attempt for attempt in run.attempts if attempt.effects]) == 3
    (gone,) = (call for call in run.calls if call["tool"] == "log-in")
    assert gone["attempts"] == 3, "a process of the older deploy may still have it"


# Programs over several tools, as one script; one call a turn, each would take a turn more than it has calls.
JOBS = [
    code
    for name, code, _, _, calls in PROGRAMS
    if calls > 1 and name not in ("helper", "in a text", "branch beside a wait")
] + [f"found = []\nfor i in range({n}):\n    found.append(await price('b' + str(i % 3)))\nfound" for n in range(3, 18)]


def _rounds(run: Run) -> int:
    """Return the turns of a model that calls tools itself: in each those that a stretch of the script makes."""
    rounds, makes = 0, False
    for part in run.parts:
        makes = makes or (part["type"] == "tool-input-available" and "providerMetadata" in part)
        if part["type"] == "data-event" and part["data"]["outcome"].startswith("the script waits"):
            rounds, makes = rounds + makes, False
    return rounds


@pytest.mark.long
async def test_code_mode_needs_sixty_per_cent_fewer_model_requests() -> None:
    assert len(JOBS) == 20
    with_code, without = 0, 0
    for code in JOBS:
        run = await simulation(code).run("clerk", "x", decide=_decide)
        assert script(run)["status"] == "completed"
        with_code += int(run.usage["modelCalls"])
        without += _rounds(run) + 1
    assert with_code <= 0.4 * without, (with_code, without)


@pytest.mark.parametrize(("code", "says"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_script_ends_within_its_limits_and_the_next_one_is_right(code: str, says: str) -> None:
    limits = CodeMode(seconds=0.3 if says == "TimeoutError" else 5)
    played = simulation(code, "await price('b0')", code_mode=limits)
    run = await played.run("clerk", "x")
    assert (run.status, script(run, 1).get("result")) == ("completed", {"value": 5})
    if says:
        assert says in script(run)["error"]["message"]
    else:
        assert len(repr(script(run)["result"])) < 16_200
    assert run.calls[1]["tool"] == "run_code", "it has called nothing"
