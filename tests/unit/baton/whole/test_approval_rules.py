"""`requires_approval` with a function: it says of each call whether a person must be asked."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, Step, ToolContext, ToolError, task_data, tool
from baton.mcp import McpServer
from baton.sdk.tools.tool import Tool
from baton.testing import Approve, Checkpoint, Reject, Run, Simulation

Rule = Callable[[dict[str, Any], ToolContext], Any]


class Till:
    """A tool that pays, by a rule, and what it and its rule saw."""

    def __init__(self, rule: Rule, **options: Any) -> None:
        self.paid, self.asked = list[int](), list[dict[str, Any]]()

        @tool(requires_approval=rule, retries=0, **options)
        async def pay(euros: int) -> int:
            self.paid.append(euros)
            return euros

        self.pay: Tool = pay

    async def run(self, *euros: Any, **answers: Any) -> Run:
        """Play a job whose model pays these amounts, one after the other."""
        script: list[Any] = [[Call("pay", {"euros": each})] for each in euros]
        agents = [
            Agent("a", ScriptedModel([*script, "done"]), tools=[self.pay]),
            Agent("p", plan=[Step("s", self.pay, {"euros": task_data["euros"]})]),
        ]
        return await Simulation(Registry(agents)).run(
            answers.pop("agent", "a"), "go", decide=answers.pop("decide", self.approve), **answers
        )

    def approve(self, checkpoint: Checkpoint) -> Approve:
        self.asked.append(checkpoint.arguments)
        return Approve()


def much(arguments: dict[str, Any], ctx: ToolContext) -> bool:
    return bool(arguments["euros"] > 100 and ctx.call_id)


async def much_later(arguments: dict[str, Any], ctx: ToolContext) -> bool:
    return much(arguments, ctx)


class Policy:
    def __call__(self, arguments: dict[str, Any], ctx: ToolContext) -> bool:
        return much(arguments, ctx)

    async def later(self, arguments: dict[str, Any], ctx: ToolContext) -> bool:
        return much(arguments, ctx)


RULES = [much, much_later, Policy(), Policy().later, partial(much), lambda given, _: given["euros"] > 100]


@pytest.mark.parametrize("rule", RULES, ids=["def", "async", "object", "method", "partial", "lambda"])
async def test_a_function_decides_of_each_call(rule: Rule) -> None:
    till = Till(rule)
    run = await till.run(5, 500, 6)
    assert (run.status, till.paid, till.asked) == ("completed", [5, 500, 6], [{"euros": 500}])


async def test_each_call_is_decided_under_a_key_of_its_own() -> None:
    """One key for two calls would give the second one the first one's answer."""
    keys = list[str]()

    def rule(_: dict[str, Any], ctx: ToolContext) -> bool:
        keys.append(ctx.idempotency_key)
        return False

    await Till(rule).run(5, 6)
    assert len(set(keys)) == 2


async def test_it_decides_by_what_a_plan_s_references_lead_to() -> None:
    till = Till(much)
    for euros in (5, 500):
        await till.run(agent="p", input_data={"euros": euros})
    assert (till.paid, till.asked) == ([5, 500], [{"euros": 500}])


async def test_an_edit_needs_no_second_question() -> None:
    """What a person has approved runs, whatever the function says of it."""
    till = Till(much)
    await till.run(500, decide=lambda _: Approve(arguments={"euros": 600}))
    await till.run(500, decide=lambda _: Reject("no"))
    assert till.paid == [600]


def _raises(error: BaseException) -> Rule:
    def rule(arguments: dict[str, Any], ctx: ToolContext) -> bool:
        raise error

    return rule


def _changes(arguments: dict[str, Any], ctx: ToolContext) -> bool:
    del ctx
    return bool(arguments.pop("euros") > 100)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (_raises(KeyError("rate")), "KeyError"),
        (_raises(ToolError("no limits today", type="Closed")), "Closed"),
        (_raises(SystemExit(3)), "SystemExit"),
        (_raises(StopIteration()), "RuntimeError"),
        (lambda _, __: None, "no_decision"),
        (lambda _, __: 1, "no_decision"),
    ],
    ids=["an error", "a tool's error", "an exit", "a stop", "nothing", "a number"],
)
async def test_a_function_without_an_answer_lets_no_call_run(rule: Rule, kind: str) -> None:
    """The call fails with its reason, which the model reads; it is not repeated."""
    till = Till(rule)
    run = await till.run(5)
    assert (run.status, till.paid, till.asked) == ("completed", [], [])
    (call,) = run.calls
    assert (call["error"]["type"], call["attempts"]) == (kind, 1)


async def test_a_function_that_changes_the_arguments_changes_nothing() -> None:
    till = Till(_changes)
    await till.run(5, 500)
    assert (till.paid, till.asked) == ([5, 500], [{"euros": 500}])


@pytest.mark.long
async def test_a_death_at_any_point_changes_nothing() -> None:
    till = Till(much)
    agent = Agent("a", ScriptedModel([[Call("pay", {"euros": 500})], "done"]), tools=[till.pay])
    (await Simulation(Registry([agent])).crash_everywhere("a", "go", decide=lambda _: Approve())).check()


@pytest.mark.parametrize(
    "rule",
    [None, 1, "yes", "", [], Policy, lambda: True, lambda euros: euros > 100, lambda arguments, ctx, more: True],
    ids=["none", "number", "text", "empty", "list", "class", "no argument", "one argument", "three arguments"],
)
def test_what_is_neither_bool_nor_such_a_function_is_refused_at_once(rule: Any) -> None:
    with pytest.raises(TypeError, match=r"tool 'pay': requires_approval must be .*, got "):
        Till(rule)
    with pytest.raises(TypeError, match=r"McpServer.*: requires_approval must be "):
        McpServer("https://tools.test/mcp", requires_approval=rule)


def test_a_generator_is_no_function_that_answers() -> None:
    def rule(arguments: dict[str, Any], ctx: ToolContext) -> Any:
        yield True

    with pytest.raises(TypeError, match="requires_approval must be True, False or a function"):
        Till(rule)
