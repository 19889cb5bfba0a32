"""A stage whose agents fail as often as they are told to, to be retried."""

from dataclasses import replace

from baton import Agent, Call, Pending, Registry, ScriptedModel, Step, ToolContext, ToolError, tool
from baton.engine.transitions import JobStatus
from baton.models.model import ModelAnswer, ModelError, ModelRequest
from baton_events.schema import AgentLoopInit, Event
from tests.unit.baton.kit.stage import SETTINGS, Stage


class Flaky:
    """What fails as often as it is told to, and what it was asked."""

    name = "flaky"
    reads_history = True

    def __init__(self) -> None:
        self.model_fails = self.tool_fails = 0
        self.requested: list[ModelRequest] = []
        self.runs: list[tuple[str, str, int]] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requested.append(request)
        if request.turn > 1 and self.model_fails:
            self.model_fails -= 1
            raise ModelError("overloaded", retryable=False)
        return ModelAnswer("", (Call("note", {"text": "a"}),)) if request.turn == 1 else ModelAnswer("the answer")

    def agents(self) -> Registry:
        @tool(retries=0)
        async def note(text: str, ctx: ToolContext) -> str:
            """Note a text."""
            self.runs.append((text, ctx.idempotency_key, ctx.attempt))
            if text == "b" and self.tool_fails:
                self.tool_fails -= 1
                raise ToolError("it broke")
            return text

        @tool(retries=0)
        async def order() -> Pending:
            """Wait for somebody."""
            return Pending(timeout_seconds=3_600)

        @tool(retries=0)
        async def help_me(ctx: ToolContext) -> Pending:
            """Start a job below."""
            return ctx.start("waits", "help")

        steps = [
            Step("one", note, {"text": "a"}),
            Step("two", note, {"text": "b"}, depends_on=["one"]),
            Step("three", note, {"text": "c"}, depends_on=["two"]),
        ]
        twice = ScriptedModel([[Call("note", {"text": "a"})], [Call("note", {"text": "b"})], "done"])
        return Registry(
            [
                Agent(name="flaky", model=self, tools=[note]),
                Agent(name="plans", plan=steps),
                Agent(name="tight", model=twice, tools=[note]),
                Agent(name="waits", model=ScriptedModel([[Call("order")], "came"]), tools=[order]),
                Agent(name="asks", model=ScriptedModel([[Call("help_me")], "helped"]), tools=[help_me]),
            ]
        )


class FlakyStage:
    """A stage whose agents are flaky."""

    def __init__(self) -> None:
        self.flaky = Flaky()
        self.stage = Stage(settings=replace(SETTINGS, continuation="queue"), registry=self.flaky.agents())
        self.commands = self.stage.container.commands

    async def ended(self, agent: str) -> None:
        """A job of this agent runs until nothing is left."""
        await self.stage.submit(agent)
        await self.stage.run()

    async def retry(self, *, from_start: bool = False) -> str:
        job = (await self.stage.snapshot()).job
        found = await self.commands.retry(job, "client of acme", from_start=from_start)
        await self.stage.run()
        return found.refused

    async def status(self) -> JobStatus:
        return (await self.stage.snapshot()).job.status

    def backup(self, kind: type) -> Event:
        found = [e for e in self.stage.events() if isinstance(e, AgentLoopInit) and isinstance(e.payload.command, kind)]
        return found[-1]
