"""One model call: from the records to the model's request, from its answer to a step result.

Its text is streamed to the job's parts, but for a planner's, which is a thought, and for a structured answer, whose
text is made of the checked output.

Invariant: every failure is a step result, never raised: a provider's 429 is one, not a failure of the delivery. Must
not: run tools; it only checks whether the requested ones exist and fit.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice, takewhile
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from msgspec import structs

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Work
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed, ModelWaits, StepResult, used_by
from baton.engine.transcript import NewerEntryError
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.history import KeepAll
from baton.sdk.agents.registry import Registry, UnknownAgentError, agent_takes, offered_by
from baton.sdk.agents.runner import CODE_RUNS, CodeRunner, CodeRuns
from baton.sdk.memory import entries as recollection
from baton.sdk.models.fingerprint import request_digests
from baton.sdk.models.model import (
    ANSWER_CUT,
    CUT_CAUSE,
    CUT_NOTE,
    Message,
    Model,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
    files_of,
)
from baton.sdk.planning.plan import is_plan, plan_prompt
from baton.sdk.records.limits import since
from baton.sdk.records.memory import ModelCache
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.contained import CutShortError, traceback_of
from baton.store.redis.reader import Reader
from baton.worker.conversation import exchanges
from baton.worker.executors.chat_files import ChatFiles, FileGoneError, with_refused
from baton.worker.executors.executor import is_for_the_queue
from baton.worker.executors.history import build_prompt, kinds_of, prompt_again
from baton.worker.executors.model_call import (
    ModelCalls,
    answered,
    calls_of,
    keeps_cut,
    model_failed,
    runner_turn,
    waiting_output,
)
from baton.worker.executors.runner_work import recorded
from baton.worker.executors.text_stream import TextStream, TextStreams
from baton_events.ids import canonical_json
from baton_events.values.text import text_of

if TYPE_CHECKING:
    from baton.worker.conversation.sent_files import Weighing
    from baton.worker.executors.offloading.calls import OffloadedCalls
    from baton.worker.executors.plan_turns import PlannerTurn

# Code is interrupted by its runner, which then says where it was.
_CODE_GRACE_SECONDS = 3
_BEFORE_THE_TASK = frozenset({"memory", "session"})
Asking = Callable[[Model, ModelRequest], Awaitable[ModelAnswer | ModelWaits]]


class ModelTurn:
    def __init__(
        self,
        registry: Registry,
        work_limit_seconds: float,
        cache: ModelCache | None = None,
        text_streams: TextStreams | None = None,
        files: ChatFiles | None = None,
        offloaded: "Callable[[], OffloadedCalls] | None" = None,
        reader: Reader | None = None,
        code_runs: CodeRuns | None = None,
    ) -> None:
        self._reader, self._code_runs, self._registry = reader, code_runs, registry
        self._work_limit_seconds, self._cache, self._text_streams = work_limit_seconds, cache, text_streams
        self._files, self._offloaded = files, offloaded

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        """Call the model of the job's agent."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        try:
            agent = self._registry.agent(effect.job.agent)
        except UnknownAgentError as error:
            # Old code in the middle of a deploy may not know it yet.
            return ModelFailed(Failure("unknown_agent", str(error), retryable=True), is_unfit=True)
        try:
            kinds_of(history)
        except NewerEntryError as error:
            return ModelFailed(Failure("newer_transcript", str(error), retryable=True))
        if agent.plan:
            from baton.worker.executors.plan_turns import static_turn  # noqa: PLC0415 - few agents have a plan

            return static_turn(agent.plan, self._registry.tools_of(agent), history)
        if agent.output is not None and (found := waiting_output(agent.output, history)):
            return found
        try:
            return unless_always_cut(await self._asked(agent, effect, history, claim), effect.job, history)
        except FileGoneError as error:
            return _file_gone(error)

    async def _asked(self, agent: Agent, effect: CallModel, history: History, claim: Claim) -> StepResult:
        if agent.runner is not None:
            history = await self._with_files(effect, history, agent)
            text_stream = self._text_streams.of(effect, claim) if self._text_streams else None
            limit_seconds = min(agent.model_timeout_seconds, self._work_limit_seconds)
            turn = effect.job.first_turn + effect.job.stretches + effect.turn - 1
            record = recorded(effect.job, history, claim.now_ms, self._reader)
            record = structs.replace(record, turn=turn, again=effect.again, news=effect.news)
            if not isinstance(agent.runner, CodeRunner):
                return await runner_turn(agent.runner, record, text_stream, limit_seconds, attempt=effect.attempt)
            CODE_RUNS.set(self._code_runs)
            tools = {tool.name: tool for tool in self._registry.tools}
            limit_seconds = self._work_limit_seconds + _CODE_GRACE_SECONDS
            return await runner_turn(agent.runner, record, None, limit_seconds, tools)
        if effect.offloaded and effect.memo and self._offloaded:
            try:
                found = await self._offloaded().poll(effect.memo, self._registry.model_of(agent))
            except ModelError as error:
                return model_failed(error)
            if isinstance(found, ModelWaits):
                return found
            claim = structs.replace(claim, answer=found)
        streams = agent.mode != "plan" and agent.output is None and not agent.offload
        text_stream = self._text_streams.of(effect, claim) if self._text_streams and streams else None
        return await self._answer_of(agent, effect, history, text_stream, claim)

    async def _answer_of(
        self, agent: Agent, effect: CallModel, history: History, text_stream: TextStream | None, claim: Claim
    ) -> StepResult:
        calls = calls_of(agent, effect.job.tenant, self._work_limit_seconds, self._cache)
        specs = self._registry.specs_of(agent)
        planner = None
        if agent.mode == "plan":
            planner = _planner_turn(self._registry, agent, effect.job, history)
        prompt_specs = planner.prompt_specs if planner else specs
        summarizer = partial(self._registry.summarizer_of, agent)
        weigh = None if isinstance(agent.history, KeepAll) else _weighing(self._registry, agent)
        prompt = await build_prompt(agent, history, prompt_specs, calls, summarizer, weigh)
        try:
            prompt_history = await self._with_files(effect, prompt.history, agent)
        except FileGoneError as error:
            return structs.replace(_file_gone(error), extra_usage=prompt.extra_usage)
        request = _request(agent, specs, prompt_history, effect.turn, text_stream)
        asking = (
            _offloaded(self._offloaded(), agent, effect, claim, calls)
            if self._offloaded and (agent.offload or effect.offloaded or claim.answer)
            else calls.call
        )
        taken = planner.answered if planner else partial(_answered, self._registry, agent, effect.job, history)
        step_result, digests = await self._answer(
            agent, request, asking, calls.limit_seconds, planner, taken, effect.job.id
        )
        extra_usage = prompt.extra_usage + step_result.extra_usage
        if not isinstance(step_result, ModelAnswered):
            return structs.replace(step_result, extra_usage=extra_usage)
        streamed_text = await text_stream.streamed_text() if text_stream else None
        estimated = prompt.estimated_tokens
        return structs.replace(
            step_result,
            request_digests=digests,
            estimated_tokens=estimated,
            sent_from=prompt.sent_from,
            streamed_text=streamed_text,
            extra_usage=extra_usage,
        )

    async def _with_files(self, effect: CallModel, history: History, agent: Agent) -> History:
        """Return the history with the files that the agent's model takes; a runner has those of results itself."""
        takes = partial(agent_takes, self._registry, agent)
        if self._files is None:  # a replay has no contents
            return with_refused(history, takes) if "session" in kinds_of(history) else history
        of_results = agent.runner is None and bool(getattr(self._registry.model_of(agent), "takes_files", ()))
        return await self._files.filled(effect.job, history, takes, results=of_results)

    async def _answer(
        self,
        agent: Agent,
        request: ModelRequest,
        asking: Asking,
        limit_seconds: float,
        planner: "PlannerTurn | None",
        taken: Callable[[ModelAnswer], ModelAnswered | ModelFailed],
        job_id: str,
    ) -> tuple[ModelAnswered | ModelFailed | ModelWaits, dict[str, str] | None]:
        model = self._registry.model_of(agent)
        try:
            question = planner.request(request) if planner else request
            answer = await asking(model, question)
        except TimeoutError:
            late = Failure("model_timeout", f"no answer within {limit_seconds:g} s", retryable=True)
            return ModelFailed(late, unanswered=True), None
        except ModelError as error:
            return model_failed(error), None
        except Exception as error:
            if is_for_the_queue(error):
                raise
            kind = error.type if isinstance(error, CutShortError) else type(error).__name__
            message, trace = f"{kind}: {text_of(error)}", traceback_of(error)
            failure = Failure("model_error", message, retryable=True, traceback=trace)
            return ModelFailed(failure, unanswered=True), None
        if isinstance(answer, ModelWaits):
            return answer, None
        step_result = taken(answer)
        if not isinstance(step_result, ModelAnswered):
            return step_result, None
        return step_result, request_digests(question, reads_history=model.reads_history, job_id=job_id)


def _planner_turn(registry: Registry, agent: Agent, job: Job, history: History) -> "PlannerTurn":
    from baton.worker.executors.plan_turns import planner_turn  # noqa: PLC0415 - as above

    return planner_turn(agent, job, registry.tools_of(agent), registry.specs_of(agent), history)


def _file_gone(error: FileGoneError) -> ModelFailed:
    return ModelFailed(Failure("file_gone", str(error)))


def unless_always_cut(step_result: StepResult, job: Job, history: History) -> StepResult:
    """Return the failure of a turn whose answer was cut off again, after the model was told of it often enough.

    A cut call or output goes back to the model, which may ask for less. It may not do so for ever.
    """
    if not (isinstance(step_result, ModelAnswered) and step_result.cut and step_result.wanted):
        return step_result
    turns = [entry for entry in history.transcript if entry["role"] == "model"]
    # Those before a retry of the job do not count: somebody may have allowed more since.
    own = islice(reversed(turns), since(job.used, job.before).turns)
    cut_before = len(list(takewhile(methodcaller("get", "cut"), own)))
    if cut_before < max(1, job.model.retries):
        return step_result
    failure = Failure(ANSWER_CUT, f"{CUT_CAUSE}, {cut_before + 1} times in a row: allow more", partial=step_result.text)
    return ModelFailed(failure, extra_usage=used_by(step_result))


def _answered(
    registry: Registry, agent: Agent, job: Job, history: History, answer: ModelAnswer
) -> ModelAnswered | ModelFailed:
    return answered(answer, offered_by(registry, agent), agent.output, partial(keeps_cut, agent, job, history))


def _offloaded(offloaded: "OffloadedCalls", agent: Agent, effect: CallModel, claim: Claim, calls: ModelCalls) -> Asking:
    return lambda model, question: offloaded.call(agent, effect, claim, calls, model, question)


def _request(
    agent: Agent, specs: tuple[ToolSpec, ...], history: History, turn: int, listener: TextStream | None = None
) -> ModelRequest:
    return ModelRequest(
        agent.instructions,
        messages(history),
        specs,
        turn,
        settings=agent.request_settings,
        output=agent.output.spec if agent.output else None,
        listener=listener,
    )


def _weighing(registry: Registry, agent: Agent) -> "Weighing | None":
    if isinstance(agent.history, KeepAll) or not getattr(registry.model_of(agent), "takes_files", ()):
        return None
    from baton.worker.conversation.sent_files import weighing  # noqa: PLC0415 - few models take files

    return weighing(registry, agent)


def request_again(registry: Registry, agent: Agent, job: Job, history: History) -> ModelRequest:
    """Make the request of an earlier turn anew, as the agent is today.

    `registry`: the agent's. `agent`: the agent whose model was called. `job`: the turn's. `history`: the records up to
    the answer.
    """
    specs = registry.specs_of(agent)
    planner = _planner_turn(registry, agent, job, history) if agent.mode == "plan" else None
    specs_sent = planner.prompt_specs if planner else specs
    sent = prompt_again(agent, history, specs_sent, _weighing(registry, agent))
    request = _request(agent, specs, sent, job.turn)
    return planner.request(request) if planner else request


def messages(history: History) -> tuple[Message, ...]:
    """Return the conversation so far, as it is sent to the model: retrieved memory comes before the task.

    Of turns that an earlier step has sent, nothing is made anew.
    """
    seen, known = history.memo.get("messages", (0, ()))
    entries = history.transcript[seen:]
    if seen > len(history.transcript) or (seen and any(entry["role"] in _BEFORE_THE_TASK for entry in entries)):
        known, entries = (), history.transcript
    prompt: list[Message] = list(known)
    stays = True  # nothing that the entries ask for is still to come
    for entry in _once(entries):
        if entry["role"] != "model":
            at = _place(entry, prompt)
            prompt[at:at] = _besides(entry)
        elif is_plan(entry):
            prompt += plan_prompt(entry, history.results)
            stays = False
        else:
            stays = _turn(prompt, entry, history.results) and stays
    sent = tuple(prompt)
    if stays:
        history.memo["messages"] = len(history.transcript), sent
    return sent


def _turn(prompt: list[Message], entry: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Add the model's answer of a turn, and the results of its calls; return whether all of them are there."""
    wanted_calls: Sequence[Mapping[str, Any]] = entry["calls"]
    calls = tuple(
        [PastCall(wanted_call["id"], wanted_call["tool"], wanted_call["arguments"]) for wanted_call in wanted_calls]
    )
    prompt.append(ModelMessage(entry["text"], calls, entry.get("provider")))
    if entry.get("cut") and not calls:
        prompt.append(UserMessage(CUT_NOTE, note=True))
    notes: list[Message] = []
    is_over = True
    for wanted_call in wanted_calls:
        stored = results.get(wanted_call["id"]) or wanted_call
        if "ok" in stored:
            files = files_of(stored) if "files" in stored else ()
            prompt.append(ToolMessage(wanted_call["id"], wanted_call["tool"], stored["ok"], files=files))
        else:
            error = stored.get("error") or {"type": "unknown", "message": "the result is not recorded"}
            prompt.append(ToolMessage(wanted_call["id"], wanted_call["tool"], error, is_error=True))
            is_over = is_over and "error" in stored
        if "edited" in stored and (edited := stored["edited"]):
            shown = f"[A person changed a call of {wanted_call['tool']}: it ran with {canonical_json(edited)}]"
            notes.append(UserMessage(shown, note=True))
    prompt += notes
    return is_over


def _once(transcript: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    quoted = {one["jobId"] for entry in transcript if entry["role"] == "session" for one in entry["exchanges"]}
    if not quoted:
        return transcript
    return [
        {**entry, "entries": [one for one in entry["entries"] if one["id"] not in quoted]}
        if entry["role"] == "memory"
        else entry
        for entry in transcript
    ]


def _place(entry: Mapping[str, Any], prompt: list[Message]) -> int:
    """Return the entry's place: retrieved memory first, then the session's earlier messages, then the task."""
    match entry["role"]:
        case "memory":
            return 0
        case "session":
            return next((at for at, message in enumerate(prompt) if not getattr(message, "note", False)), len(prompt))
        case _:
            return len(prompt)


def _besides(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the messages of an entry that is not the model's; a role of a newer version is not sent."""
    match entry["role"]:
        case "user":
            return (UserMessage(entry.get("text", ""), entry.get("data") or {}, files=files_of(entry)),)
        case "summary":
            return (UserMessage(f"[Summary of turns 1 to {entry['upTo']}:]\n{entry['text']}", note=True),)
        case "omitted":
            return (UserMessage(f"[{entry['turns']} earlier turns are left out here.]", note=True),)
        case "memory":
            remembered = recollection.as_prompt(entry)
            return (UserMessage(remembered, note=True),) if remembered else ()
        case "session":
            return exchanges.as_prompt(entry)
        case _:
            return ()
