"""Turns and tool calls of a fork: some are taken over from the job that it was made from, and the rest is done.

Invariant: no tool runs that a recorded call answers. Unless the fork's tools are to run again, a call without a
recorded one asks a person first. Must not: change or wait for the job that the fork was made from.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from baton.agents.registry import Registry, registry_with
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.fork import Edits, Ended, Fork, fork_of, same_arguments
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed, ToolNeedsApproval, ToolReturned
from baton.executors.executor import Executing, with_entries
from baton.executors.tool_run import arguments_of
from baton.planning.reference import UnresolvedReference
from baton.sdk.records import Failure
from baton.storage.ports.jobs import Reader
from baton.tools.tool import WEEK_SECONDS
from baton_events.ids import canonical_json

_KEPT = 8


class ForkSources:
    """Reads the jobs that forks were made from, once for each fork while it is at work here."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[str, Ended] = {}  # by the fork's id, the oldest first

    async def of(self, fork_id: str, fork: Fork) -> Ended:
        """Read the job.

        Raises:
            ForkSourceError: it is gone, or was retried, and lacks the data to take over. StoreError.
        """
        if fork_id in self._kept:
            return self._kept[fork_id]
        snapshot = await self._reader.job(fork.job_id)
        if snapshot is None:
            raise ForkSourceError(f"job {fork.job_id!r}, which this job is a fork of, was deleted or has expired")
        ended = Ended(snapshot.job, snapshot.calls, snapshot.results, await self._reader.transcript(fork.job_id))
        if faults := list(ended.faults(fork)):
            raise ForkSourceError(f"job {fork.job_id!r} has changed since it was forked: {faults[0][1]}")
        while len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[fork_id] = ended
        return ended


class ForkSourceError(Exception):
    """A fork cannot go on: its source does not have the data to take over."""

    @property
    def failure(self) -> Failure:
        """The failure of the fork's turn or call."""
        return Failure("fork_source_gone", str(self))


class ForkedTurn:
    """Performs CallModel: `turn`, unless it is taken over. `turn_with`: calls the models of another registry."""

    def __init__(
        self, turn: Executing, turn_with: Callable[[Registry], Executing], registry: Registry, sources: ForkSources
    ) -> None:
        self._turn, self._turn_with, self._registry, self._sources = turn, turn_with, registry, sources

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Take the turn over, or call the model."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        fork = fork_of(history.transcript[0])
        try:
            ended = await self._sources.of(effect.job.id, fork)
        except ForkSourceError as error:
            return ModelFailed(error.failure)
        turn = ended.turn_of(effect.turn)
        if turn < fork.turn:
            return ended.model_answer(turn, fork.edits)
        asks = self._with_edits(effect.job.agent, fork.edits)
        entries = ended.entries_before(turn) if turn == fork.turn else ()
        new = tuple([entry for entry in entries if entry not in history.transcript])
        prompt_history = dataclasses.replace(history, transcript=(*history.transcript, *new))
        return with_entries(await asks(effect, prompt_history, claim), new)

    def _with_edits(self, name: str, edits: Edits) -> Executing:
        registry = registry_with_edits(self._registry, name, edits)
        return self._turn if registry is self._registry else self._turn_with(registry)


def registry_with_edits(registry: Registry, name: str, edits: Edits) -> Registry:
    """Return the registry with the agent as edited in a fork; the same one without such edits."""
    agent = registry.agent(name)
    # A runner gets the edits with the recorded data.
    if agent.runner is not None or (edits.instructions is None and edits.model is None):
        return registry
    instructions = agent.instructions if edits.instructions is None else edits.instructions
    edited = dataclasses.replace(agent, instructions=instructions, model=edits.model or agent.model)
    return registry_with(registry, edited)


class ForkedRun:
    """Performs RunTool: `run`, unless a recorded call answers it."""

    def __init__(self, run: Executing, sources: ForkSources) -> None:
        self._run = run
        self._sources = sources

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Return the recorded result, ask a person, or run the tool."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        fork = fork_of(history.transcript[0])
        try:
            result = await self._known(effect, fork, history, claim)
        except ForkSourceError as error:
            return ToolFailed(error.failure)
        except UnresolvedReference:
            result = None  # the run reports it
        return result or await self._run(effect, history, claim)

    async def _known(self, effect: RunTool, fork: Fork, history: History, claim: Claim) -> StepResult | None:
        """Return the call's result without a run, or the question whether it may run; None: it runs."""
        ended, call = await self._sources.of(effect.job.id, fork), effect.call
        turn = ended.turn_of(call.turn - effect.job.first_turn + 1)
        if turn < fork.turn:
            taken_over = ended.call_at(turn, call.position)
            return None if taken_over in fork.edits.arguments else _given(ended.outcome(taken_over, fork.edits))
        if fork.tools_run == "again" or call.approved:
            return None
        arguments = arguments_of(call, history)
        if found := _recorded(ended, effect, arguments, history):
            return _given(ended.outcome(found, fork.edits))
        title = f"Run {call.tool}: the forked job has no such call"
        return ToolNeedsApproval(arguments, title, claim.now_ms + WEEK_SECONDS * 1000)


def _recorded(ended: Ended, effect: RunTool, arguments: dict[str, object], history: History) -> str:
    """Return the same recorded call; of several, the one that as many requests came before. Empty: there is none."""
    call = effect.call
    same = [one.id for one in ended.same_calls(call.tool) if same_arguments(_resolved(ended, one.id), arguments)]
    before = [
        asked
        for entry in history.transcript
        for position, asked in enumerate(entry.get("calls", ()))
        if (entry["turn"], position) < (call.turn, call.position) and asked["tool"] == call.tool
    ]
    count = sum(same_arguments(asked["arguments"], call.arguments) for asked in before)
    return same[min(count, len(same) - 1)] if same else ""


def _resolved(ended: Ended, call_id: str) -> dict[str, object]:
    call = ended.calls[call_id]
    try:
        return arguments_of(call, History(results=ended.results))
    except UnresolvedReference:
        return call.arguments


def _given(outcome: Mapping[str, Any] | None) -> StepResult:
    if outcome is None:
        return ToolFailed(Failure("not_recorded", "this call was not over when the job ended"))
    if "ok" in outcome:
        kept_json = canonical_json(outcome["kept"]) if "kept" in outcome else ""
        return ToolReturned(canonical_json(outcome["ok"]), kept_json)
    return ToolFailed(Failure(outcome["error"]["type"], outcome["error"]["message"]))
