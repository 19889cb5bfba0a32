"""A stage whose agents fail as often as they are told to, to be retried."""

from baton import Agent, Call, Pending, Registry, ScriptedModel, Step, ToolContext, ToolError, tool
from baton.engine.state import Job
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton_events.schema import AgentLoopInit, Event
from tests.unit.baton.kit.stage import Stage


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
            self.runs.append((text, ctx.idempotency_key, ctx.attempt))
            if text == "b" and self.tool_fails:
                self.tool_fails -= 1
                raise ToolError("it broke")
            return text

        @tool(retries=0)
        async def order() -> Pending:
            return Pending(timeout_seconds=3_600)

        @tool(retries=0)
        async def help_me(ctx: ToolContext) -> Pending:
            return ctx.start("waits", "help")

        steps = [
            Step("one", note, {"text": "a"}),
            Step("two", note, {"text": "b"}, depends_on=["one"]),
            Step("three", note, {"text": "c"}, depends_on=["two"]),
        ]
        return Registry(
            [
                Agent(name="flaky", model=self, tools=[note]),
                Agent(name="plans", plan=steps),
                Agent(name="waits", model=ScriptedModel([[Call("order")], "came"]), tools=[order]),
                Agent(name="asks", model=ScriptedModel([[Call("help_me")], "helped"]), tools=[help_me]),
            ]
        )


class FlakyStage(Stage):
    """A stage whose agents are flaky."""

    def __init__(self) -> None:
        self.flaky = Flaky()
        super().__init__(registry=self.flaky.agents())
        self.commands = self.container.commands

    @classmethod
    async def failed(cls, times: int = 1) -> "FlakyStage":
        """One whose job has failed; its model fails so often in all."""
        made = cls()
        made.flaky.model_fails = times
        await made.played("flaky")
        return made

    @classmethod
    async def cancelled(cls) -> "FlakyStage":
        """One whose job was cancelled before it began."""
        made = cls()
        await made.submit("waits")
        await made.commands.cancel(await made.now(), "one")
        return made

    async def waiting(self, agent: str) -> None:
        """Run a job up to the wait of its call."""
        await self.deliver(await self.submit(agent))
        await self.deliver(self.events()[-1], "m2")

    async def retry(self, job: Job | None = None, *, from_start: bool = False) -> str:
        found = await self.commands.retry(job or await self.now(), "one", from_start=from_start)
        return found.refused

    def backup(self, kind: type) -> Event:
        """The last message that tells such a fact."""
        found = [e for e in self.events() if isinstance(e, AgentLoopInit) and isinstance(e.payload.command, kind)]
        return found[-1]
