"""Outcomes by stream and webhook, readers that die, failovers that forget an acknowledgement: the first outcome stays.

Generated orders of what can happen to one operation; whatever the order, the job ends with the outcome that was taken
in first, its tool call has one result, and no entry is left in the stream or buried.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from baton.commands.signal import CompletionBody
from tests.unit.baton.kit.flaky import FlakyStage

ACTIONS = ("add", "look", "die", "minute", "webhook", "forget acknowledgements")


class Played:
    def __init__(self) -> None:
        self.stage = FlakyStage()
        self.stream = self.stage.outcomes
        self.operation_id = ""
        self.made = 0
        self.entries = dict[str, dict[str, str]]()

    async def begin(self) -> None:
        """The job waits."""
        await self.stage.waiting("waits")
        (call,) = await self.stage.calls()
        self.operation_id = call.operation_id

    async def do(self, action: str) -> None:
        match action:
            case "add":
                self.made += 1
                name, fields = f"{self.stage.clock.ms}-{self.made}", {"success": "true", "result": str(self.made)}
                self.entries[name] = {"operation_id": self.operation_id, **fields}
                self.stream.add(name, **self.entries[name])
            case "look":
                await self.stage.container.operations.outcomes.poll()
            case "die":
                await self.stream.take()
            case "minute":
                self.stream.let_go()
            case "webhook":
                self.made += 1
                body = CompletionBody(success=True, result=self.made)
                await self.stage.container.operations.completing.complete(self.operation_id, body, "webhook")
            case _:  # a failover brings back what was acknowledged
                for name, found in self.entries.items():
                    self.stream.add(name, **found)

    async def first(self) -> int | None:
        results = (await self.stage.snapshot()).results
        return next((result["ok"] for result in results.values()), None)


@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_the_first_outcome_stays_whatever_the_order(actions: list[str]) -> None:
    async def play() -> None:
        played = Played()
        await played.begin()
        first: int | None = None
        for action in [*actions, "add", "minute", "look"]:
            await played.do(action)
            recorded = await played.first()
            assert first is None or recorded == first
            first = recorded
        await played.stage.run()
        snapshot = await played.stage.snapshot()
        assert snapshot.job.status == "completed"
        assert list(snapshot.results.values()) == [{"ok": first}]
        assert (played.stream.entries, played.stream.buried, played.stream.waiting) == ({}, {}, {})

    asyncio.run(play())
