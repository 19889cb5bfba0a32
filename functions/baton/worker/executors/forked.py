"""Turns and tool calls of a fork: some are taken over from the job that it was made from, and the rest is done.

Invariant: no tool runs that a recorded call answers. A call without a recorded one asks a person first, unless the
fork's tools are to run again. A fork that a client has made always asks before a tool runs. Must not: change the job
that the fork was made from, or wait for it.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.json import Decoder
from msgspec.structs import replace as struct_replace

from baton.engine.commit.answers import Claim, History
from baton.engine.commit.codec import known, read_record
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.fork import Edits, Ended, Fork, Source, fork_of, place_of, same_arguments
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed, ToolNeedsApproval, ToolReturned
from baton.sdk.agents.registry import Registry, UnknownToolError, registry_with
from baton.sdk.planning.reference import UnresolvedReference
from baton.sdk.records.result_files import files_in_result
from baton.sdk.records.transcript import Failure, named_files
from baton.sdk.tools.approval_rule import WEEK_SECONDS
from baton.store.redis.agent_memory import Chats
from baton.store.redis.reader import Reader
from baton.worker.executors.chat_files import read_files
from baton.worker.executors.executor import Executing, with_entries
from baton.worker.executors.tool_run import arguments_of, question_of
from baton_events.ids import canonical_json

_KEPT = 8
# Not strict: a script may write a whole number as `1e+14`.
_SOURCE = Decoder(Source, strict=False)


class ForkSources:
    """Reads what forks take over, once for each fork while it is at work here."""

    def __init__(self, chats: Chats, reader: Reader) -> None:
        self._chats, self._reader = chats, reader
        self._kept: dict[str, Ended] = {}  # by the fork's id, the oldest first

    async def of(self, job: Job, fork: Fork) -> Ended:
        """Read the ended job that a fork takes over, as it was when it was forked.

        Raises ForkSourceError: it is gone with the fork's session. StoreError.
        """
        if job.id in self._kept:
            return self._kept[job.id]
        text = await self._chats.read_file(job.tenant, job.session_id, fork.source)
        if text is None:
            gone = f"what this job takes over of job {fork.job_id!r} was deleted with its session {job.session_id!r}"
            raise ForkSourceError(gone)
        source = read_record(_SOURCE, text)
        known(source.job)
        while len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[job.id] = Ended(source)
        return self._kept[job.id]

    async def calls_of(self, job_id: str) -> Sequence[CallRecord]:
        """Return the tool calls that a job has requested. Raises StoreError."""
        snapshot = await self._reader.job(job_id)
        return snapshot.calls if snapshot is not None else ()


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
        registry = registry_with_edits(self._registry, effect.job.agent, fork.edits)
        asks = self._turn if registry is self._registry else self._turn_with(registry)
        if effect.turn > fork.first_own:
            return await asks(effect, history, claim)  # all that it takes over is there
        try:
            ended = await self._sources.of(effect.job, fork)
        except ForkSourceError as error:
            return ModelFailed(error.failure)
        turn = ended.turn_of(effect.turn)
        if turn < fork.turn:
            return ended.model_answer(turn, fork.edits)
        return await asked_with(ended.entries_before(turn) if turn == fork.turn else (), asks, effect, history, claim)


async def asked_with(
    entries: Sequence[dict[str, Any]], asks: Executing, effect: CallModel, history: History, claim: Claim
) -> StepResult | None:
    """Ask with recorded entries, as far as they are not there; they are recorded with the answer."""
    new = tuple([entry for entry in entries if entry not in history.transcript])
    prompt_history = dataclasses.replace(history, transcript=(*history.transcript, *new), memo={})
    return with_entries(await asks(effect, prompt_history, claim), new)


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

    def __init__(self, run: Executing, sources: ForkSources, registry: Registry) -> None:
        self._run, self._sources, self._registry = run, sources, registry

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
        call = effect.call
        if call.approved:
            return None
        number, is_edited = call.turn - effect.job.first_turn + 1, False
        if number < fork.first_own:
            ended = await self._sources.of(effect.job, fork)
            taken_over = ended.call_at(ended.turn_of(number), call.position)
            is_edited = taken_over in fork.edits.arguments
            if not is_edited:
                return _given(ended.outcome(taken_over, fork.edits))
        if not fork.asks and (is_edited or fork.tools_run == "again"):
            return None
        arguments = arguments_of(call, history)
        if is_edited or fork.tools_run == "again":
            return self._question(call.tool, arguments, f"Run {call.tool}: a client has forked the job", claim.now_ms)
        return await self._recorded(effect, fork, arguments, claim.now_ms)

    async def _recorded(self, effect: RunTool, fork: Fork, arguments: dict[str, object], now_ms: int) -> StepResult:
        tool, why = effect.call.tool, "the forked job has no such call"
        try:
            ended = await self._sources.of(effect.job, fork)
        except ForkSourceError:
            why = "what the fork takes over is gone"
        else:
            mine = await self._sources.calls_of(effect.job.id)
            if found := _recorded(ended, effect.call, fork, arguments, mine):
                return _given(ended.outcome(found, fork.edits))
        return self._question(tool, arguments, f"Run {tool}: {why}", now_ms)

    def _question(self, tool: str, arguments: dict[str, object], title: str, now_ms: int) -> ToolNeedsApproval:
        try:
            asked = question_of(self._registry.tool(tool), arguments, now_ms)
        except UnknownToolError:  # an agent's runner, or a server, has it
            asked = ToolNeedsApproval(arguments, "", now_ms + WEEK_SECONDS * 1000)
        return struct_replace(asked, title=title)


async def files_named_in(chats: Chats, source: Source, limit_bytes: int) -> dict[str, str]:
    """Read the files that an ended job names, by name."""
    returned = [file for result in source.results.values() for file in files_in_result(result.get("ok"))]
    return await read_files(chats, source.job, [*named_files(source.transcript), *returned], limit_bytes)


def _recorded(
    ended: Ended, call: CallRecord, fork: Fork, arguments: dict[str, object], mine: Sequence[CallRecord]
) -> str:
    """Return the same recorded call; of several, the one that as many came before. Empty: there is none.

    `mine`: the fork's own calls. Those inside scripts that it has taken over are none of them.
    """
    same = [one for one in ended.same_calls(call.tool) if same_arguments(_resolved(ended, one.id), arguments)]
    before = [one for one in mine if one.tool == call.tool and place_of(one) < place_of(call)]
    count = sum(same_arguments(one.arguments, call.arguments) for one in before)
    count += sum(bool(one.script) and one.turn < fork.turn for one in same)
    return same[min(count, len(same) - 1)].id if same else ""


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
        apart_bytes = outcome["ok"]["bytes"] if "apart" in outcome else 0
        return ToolReturned(canonical_json(outcome["ok"]), kept_json, apart_bytes=apart_bytes)
    return ToolFailed(Failure(outcome["error"]["type"], outcome["error"]["message"]))
