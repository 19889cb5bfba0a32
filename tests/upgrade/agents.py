"""The agents of the corpus, and what their tools did: the same in every version, since an upgrade changes none of them.

Invariant: what is here stays as it is; a new situation brings an agent of its own. Otherwise a later version would not
finish an older one's jobs for a reason that is not the product's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from baton import (
    Agent,
    Call,
    Limits,
    Memory,
    Pending,
    Registry,
    ScriptedModel,
    Step,
    Summarize,
    ToolContext,
    ToolError,
    result_of,
    sleep,
    tool,
    wait_for_event,
)
from baton.models.model import ModelAnswer, ModelError, ModelRequest
from baton.models.scripted import ScriptEntry
from tests.upgrade.pydantic_ai.agent import trips

DAY_SECONDS = 86_400
# A job's time goes on while it waits.
_PATIENT = Limits(wall_seconds=30 * DAY_SECONDS)


@dataclass
class Kit:
    """The tools and models; `ran`: each run of a tool, with its arguments and key.

    `model_fails`: how often the flaky model still does. `tool_breaks`: whether the fragile tool does.
    """

    ran: list[tuple[str, dict[str, Any], str]] = field(default_factory=list[tuple[str, dict[str, Any], str]])
    model_fails: int = 0
    tool_breaks: bool = False

    def __post_init__(self) -> None:
        self._make_working()
        self._make_waiting()

    def _make_working(self) -> None:

        @tool(retries=0)
        async def add(a: int, b: int, ctx: ToolContext) -> int:
            """Add two numbers."""
            self.ran.append(("add", {"a": a, "b": b}, ctx.idempotency_key))
            return a + b

        @tool(retries=2, retry_delay_seconds=5.0)
        async def shaky(ctx: ToolContext) -> str:
            """Fail the first time, in a way that may pass."""
            self.ran.append(("shaky", {}, ctx.idempotency_key))
            if ctx.attempt == 1:
                raise ToolError("not yet", retryable=True)
            return "mended"

        @tool(retries=0)
        async def fail(ctx: ToolContext) -> str:
            """Fail for good."""
            self.ran.append(("fail", {}, ctx.idempotency_key))
            raise ToolError("it broke", type="Broken")

        @tool(retries=0)
        async def fragile(ctx: ToolContext) -> str:
            """Fail as long as somebody says so."""
            self.ran.append(("fragile", {}, ctx.idempotency_key))
            if self.tool_breaks:
                raise ToolError("it broke", type="Broken")
            return "held"

        @tool(retries=0)
        async def page(n: int) -> str:
            """Read a page."""
            return f"page {n}: ".ljust(500, "x")

        self.add, self.shaky, self.fail, self.fragile, self.page = add, shaky, fail, fragile, page

    def _make_waiting(self) -> None:
        @tool(retries=0)
        async def order(item: str, ctx: ToolContext) -> Pending:
            """Order something, which somebody brings."""
            self.ran.append(("order", {"item": item}, ctx.idempotency_key))
            return Pending(timeout_seconds=DAY_SECONDS)

        @tool(retries=0)
        async def delegate(agent: str, ctx: ToolContext) -> Pending:
            """Start a job below."""
            self.ran.append(("delegate", {"agent": agent}, ctx.idempotency_key))
            return ctx.start(agent, "help")

        @tool(requires_approval=True, approval_seconds=DAY_SECONDS, approval_title="pay a bill", retries=1)
        async def pay(to: str, amount: int, ctx: ToolContext) -> dict[str, Any]:
            """Pay."""
            self.ran.append(("pay", {"to": to, "amount": amount}, ctx.idempotency_key))
            return {"paid": amount}

        @tool(requires_approval=True, approval_people=2, approval_seconds=DAY_SECONDS, retries=0)
        async def lend(amount: int, ctx: ToolContext) -> dict[str, Any]:
            """Lend, which two people must approve."""
            self.ran.append(("lend", {"amount": amount}, ctx.idempotency_key))
            return {"lent": amount}

        @tool(retries=0)
        async def mark(title: str, ctx: ToolContext) -> str:
            """Set a mark, and say how far it is."""
            self.ran.append(("mark", {"title": title}, ctx.idempotency_key))
            await ctx.progress(0.5, "half way")
            await ctx.info(title, {"of": title})
            return title

        self.order, self.delegate, self.pay, self.lend, self.mark = order, delegate, pay, lend, mark

    def registry(self) -> Registry:
        return Registry([*self._plain(), *self._waiting(), *self._planned(), *self._telling(), trips(self.ran.append)])

    def _plain(self) -> list[Agent]:
        three = [Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4}), Call("mark", {"title": "made"})]
        chain: list[ScriptEntry] = [[Call("add", {"a": n, "b": n})] for n in range(1, 4)]
        mixed = [Call("shaky"), Call("fail"), Call("add", {"a": 5, "b": 5})]
        return [
            Agent(name="answers", model=ScriptedModel(["done"])),
            Agent(name="adds", model=ScriptedModel([three, "3 and 7"]), tools=[self.add, self.mark]),
            Agent(name="chain", model=ScriptedModel([*chain, "2, 4, 6"]), tools=[self.add]),
            Agent(name="mends", model=ScriptedModel([mixed, "mended"]), tools=[self.shaky, self.fail, self.add]),
            Agent(name="flaky", model=_Flaky(self), tools=[self.add]),
            Agent(name="tight", model=ScriptedModel([*chain, "end"]), tools=[self.add], limits=Limits(turns=2)),
        ]

    def _waiting(self) -> list[Agent]:
        child = [Call("delegate", {"agent": "adds"}), Call("add", {"a": 9, "b": 9})]
        waits = [Call("order", {"item": "tea"}), Call("add", {"a": 1, "b": 1})]
        pays = [Call("pay", {"to": "Ann", "amount": 5}), Call("pay", {"to": "Ben", "amount": 7})]
        requests = Limits(turns=1, on_limit="ask", wall_seconds=30 * DAY_SECONDS)
        few = Limits(tool_calls=1, on_limit="ask", wall_seconds=30 * DAY_SECONDS)
        both = [Call("add", {"a": 1, "b": 1}), Call("add", {"a": 2, "b": 2})]
        return [
            Agent("waits", ScriptedModel([waits, "tea came"]), tools=[self.order, self.add], limits=_PATIENT),
            Agent(
                "hears",
                ScriptedModel(
                    [[Call("wait_for_event", {"name": "rain", "timeout_seconds": DAY_SECONDS})], "it rained"]
                ),
                tools=[wait_for_event],
                limits=_PATIENT,
            ),
            Agent(
                "sleeps",
                ScriptedModel([[Call("sleep", {"seconds": 10 * DAY_SECONDS})], "awake"]),
                tools=[sleep],
                limits=_PATIENT,
            ),
            Agent("supervises", ScriptedModel([child, "helped"]), tools=[self.delegate, self.add], limits=_PATIENT),
            Agent("pays", ScriptedModel([pays, "paid"]), tools=[self.pay], limits=_PATIENT),
            Agent("lends", ScriptedModel([[Call("lend", {"amount": 5})], "lent"]), tools=[self.lend], limits=_PATIENT),
            Agent(
                "asks", ScriptedModel([[Call("add", {"a": 1, "b": 1})], "went on"]), tools=[self.add], limits=requests
            ),
            Agent("greedy", ScriptedModel([both, "both"]), tools=[self.add], limits=few),
        ]

    def _planned(self) -> list[Agent]:
        steps = [
            Step("top", self.add, {"a": 1, "b": 1}),
            Step("left", self.add, {"a": result_of("top"), "b": 1}, depends_on=["top"]),
            Step("bad", self.fail, depends_on=["top"], on_failure="skip"),
            Step("right", self.add, {"a": result_of("top"), "b": 2}, depends_on=["top"]),
            Step("after", self.add, {"a": 0, "b": 0}, depends_on=["bad"]),
            Step("bottom", self.add, {"a": result_of("left"), "b": result_of("right")}, depends_on=["left", "right"]),
        ]
        made = [
            {"name": "one", "tool": "add", "arguments": {"a": 1, "b": 2}},
            {"name": "two", "tool": "add", "arguments": {"a": 3, "b": 4}, "depends_on": ["one"]},
        ]
        broken = [
            Step("first", self.add, {"a": 1, "b": 1}),
            Step("second", self.fragile, depends_on=["first"]),
            Step("third", self.add, {"a": 2, "b": 2}, depends_on=["second"]),
        ]
        plans: list[ScriptEntry] = [[Call("make_plan", {"steps": made})], "planned and done"]
        return [
            Agent(name="plan", plan=steps),
            Agent(name="planner", mode="plan", model=ScriptedModel(plans), tools=[self.add]),
            Agent(name="breaks", plan=broken),
        ]

    def _telling(self) -> list[Agent]:
        text: list[ScriptEntry] = [ModelAnswer("I add them.", (Call("add", {"a": 1, "b": 2}),)), "It is three."]
        pages: list[ScriptEntry] = [[Call("page", {"n": n})] for n in range(1, 9)]
        return [
            Agent(name="talks", model=ScriptedModel(text, pause_seconds=0.001), tools=[self.add]),
            Agent(name="remembers", model=ScriptedModel(["I remember."]), memory=Memory()),
            Agent(name="caches", model=_Reader(["from the cache"]), cache_seconds=DAY_SECONDS),
            Agent(
                name="reads",
                model=_Reader([*pages, "read all"]),
                tools=[self.page],
                history=Summarize(max_tokens=600, model=_Reader(["in short"])),
            ),
            Agent(name="chats", model=_Reader([[Call("add", {"a": 6, "b": 6})], "as I said"]), tools=[self.add]),
        ]


class _Reader(ScriptedModel):
    """A scripted model that reads what was said before, and counts tokens by letters; a lone entry answers always."""

    name = "reader"
    reads_history = True

    def __init__(self, script: Sequence[ScriptEntry]) -> None:
        super().__init__(script)
        self._only = len(script) == 1

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """The entry of the turn."""
        turn = 1 if self._only else request.turn
        given = await super().answer(ModelRequest("", (), (), turn))
        read = sum(len(str(message)) for message in request.messages) // 4
        return ModelAnswer(given.text, given.calls, input_tokens=read, output_tokens=10, cost_usd=0.001)


class _Flaky(ScriptedModel):
    """A scripted model that fails as often as its kit says."""

    name = "flaky"

    def __init__(self, kit: Kit) -> None:
        super().__init__([[Call("add", {"a": 2, "b": 2})], "four"])
        self._kit = kit

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Fail, or follow the script."""
        if self._kit.model_fails:
            self._kit.model_fails -= 1
            raise ModelError("overloaded", retryable=True, retry_after_seconds=30)
        return await super().answer(request)
