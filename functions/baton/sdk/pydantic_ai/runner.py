"""`durable(agent)`: runs an agent of pydantic-ai piece by piece, by its public API: `agent.iter` and a capability.

A turn runs up to one model request; a call is the last answer with that call alone. Invariant: each piece can begin
from the record; what cannot be kept between two is refused by name, with the remedy, as far as it can be seen before a
run. Must not: copy or patch the agent.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from copy import copy, deepcopy
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, Unpack, cast

import pydantic_ai as ai
from msgspec.structs import replace as with_fields
from pydantic_ai import exceptions
from pydantic_ai.capabilities import AbstractCapability, ReinjectSystemPrompt
from pydantic_ai.models import Model
from pydantic_ai.toolsets import AbstractToolset
from pydantic_core import to_jsonable_python
from pydantic_graph import End

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.runner import (
    CallReturned,
    NeedsApproval,
    OwnWorkspaces,
    Recorded,
    RunFailedError,
    RunnerAnswer,
    RunnerCall,
)
from baton.sdk.libraries.library_runner import (
    JobSettings,
    LibraryRunner,
    OfJob,
    awaited,
    check_fits,
    check_given,
    in_json,
    library_agent,
    named,
    with_settings,
)
from baton.sdk.libraries.recorded_errors import Used, recorded_error
from baton.sdk.models.model import ANSWER_CUT, CUT_CAUSE, Call, Listener, ModelAnswer, ModelError, Spent
from baton.sdk.models.through_pydantic_ai.client import origin_of, streams
from baton.sdk.models.through_pydantic_ai.errors import model_error
from baton.sdk.models.through_pydantic_ai.messages import calls_of, contents_of, listen, text_of
from baton.sdk.pydantic_ai.open_runs import HeldRun, as_it_began, count_all_as_new, held_run
from baton.sdk.pydantic_ai.run_objects import Changed, Held, RunObjects
from baton.sdk.pydantic_ai.run_state import Run, RunState, enqueue_again, kept_of_call, kept_of_end, kept_of_turn
from baton.sdk.pydantic_ai.stopping import (
    Piece,
    Stop,
    StoppedError,
    StoppingPiece,
    function_tools,
    leaf_toolsets,
    may_do,
    storable_in,
)
from baton.sdk.pydantic_ai.workspaces import WorkspaceOfPiece, Workspaces
from baton.sdk.tools.approval_rule import WEEK_SECONDS
from baton.sdk.tools.pending import Pending
from baton_events.ids import canonical_json

# The flag that a model's profile must have for a file; no flag exists for video.
_NEEDED = {"image": "supports_image_input", "audio": "supports_audio_file_input", "video": ""}

# The call that represents a wait for the provider, which gets longer each time.
WAITS, _LONGEST_SECONDS = "wait_for_model", 300.0
_OF_MODEL = (ModelError, ai.ModelAPIError, ai.FallbackExceptionGroup)


class PydanticAIRunner(LibraryRunner):
    """`Runner` of one agent; `deps` and `prompt` are called with the job."""

    state = RunState

    def __init__(
        self,
        agent: ai.Agent[Any, Any],
        deps: OfJob | None,
        prompt: OfJob | None,
        usage_limits: ai.UsageLimits | None,
        workspace: OfJob | None = None,
    ) -> None:
        self._agent = agent
        self._deps = deps or (lambda _: None)
        self._prompt = prompt or (
            lambda job: [*filter(None, [job.task]), *contents_of(job.files)] if job.files else job.task
        )
        self._usage_limits = usage_limits or ai.UsageLimits()
        self._outputs_first = agent.end_strategy == "early"
        self._others_handle = may_do(agent, "handle_deferred_tool_calls")
        self._workspaces = Workspaces(agent, lambda job: awaited(self._deps(job)), workspace)
        self.workspaces: OwnWorkspaces | None = self._workspaces if self._workspaces.are_made else None

    @property
    def name(self) -> str:
        """The model's name."""
        model = self._agent.model
        return model if isinstance(model, str) else getattr(model, "model_name", "")

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """The functions of tools, `deps` and `prompt`."""
        tools = [tool.function for tool in function_tools(self._agent)]
        return [*tools, self._deps, self._prompt, *filter(None, [self._workspaces.given])]

    @property
    def toolsets(self) -> list[AbstractToolset[Any]]:
        """The leaf toolsets of the agent."""
        return leaf_toolsets(self._agent)

    def made_of(self) -> dict[str, Any]:
        """Return instructions, tools, settings and output; a function among the instructions counts by its name."""
        own = vars(self._agent)  # the library has no public name for either
        given = [*own.get("_instructions", ()), *own.get("_system_prompts", ())]
        settings = self._agent.model_settings
        found = sorted(function_tools(self._agent), key=attrgetter("name"))
        return {
            "instructions": [named(getattr(each, "instruction", each)) for each in given],
            "tools": [(tool.name, tool.description, tool.function_schema.json_schema) for tool in found],
            "settings": None if settings is None or callable(settings) else dict(settings),
            "output": self._agent.output_json_schema(),
        }

    def takes_file(self, media_type: str) -> bool:
        """Return whether the model takes the file, by its profile; one known only by name takes all files."""
        model = self._agent.model
        needed = _NEEDED.get(media_type.partition("/")[0], "supports_document_input")
        return not isinstance(model, Model) or bool(model.profile.get(needed, True))

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Check edited arguments if the tool is a function; other tools check them when they run."""
        for function in function_tools(self._agent):
            if function.name == tool:
                schema = function.function_schema
                check_fits(tool, schema.validator.validate_python, arguments, schema.json_schema.get("properties", ()))

    def model_error(self, error: Exception) -> ModelError | None:
        """Return the provider's failure that an error is; None: it is none."""
        return model_error(error) if isinstance(error, _OF_MODEL) else None

    async def run_turn(self, recorded: Recorded, listener: Listener | None, used: list[Used]) -> RunnerAnswer:
        """Continue up to one model request, and judge its answer."""
        with self._agent.override(**cast("dict[str, Any]", recorded.edits)):
            async with self._workspaces.piece(recorded) as workspace:
                answer = await self._run_turn(recorded, listener, used, workspace)
                return with_fields(answer, workspace=await workspace.new_handle())

    async def _run_turn(
        self, recorded: Recorded, listener: Listener | None, used: list[Used], workspace: WorkspaceOfPiece
    ) -> RunnerAnswer:
        open_run = await held_run(recorded)
        state = open_run.state if open_run else RunState.of(recorded)
        failed = recorded_error(state.failure, exceptions) if state.failure else None
        node, ids, held, unanswered = None, list[str](), Held(), None
        async with _as_recorded(failed, state.failure):
            history: Sequence[ai.ModelMessage] = ()
            if open_run is None:
                open_run, history = await self._begun(recorded, state)
            run, workspace.run, open_run.objects.held = open_run.run, open_run.run, state.held
            open_run.answers.clear()
            async with open_run:
                try:
                    if failed:
                        raise failed
                    node, ids = await self._turn(run, listener, history, open_run.node)
                    if ids:
                        await workspace.make()
                    count_all_as_new(run)
                except _OF_MODEL as error:
                    if not (failure := model_error(error)).retryable:
                        raise
                    unanswered = failure
                finally:
                    used.append(partial(_used, run, state))
                if unanswered is None and run.result is None:
                    held = open_run.objects.kept()
            stays = unanswered is None and run.result is None and _goes_on(node, ids) and not recorded.edits
            if not stays:
                await open_run.close()
        if unanswered:  # the run does not learn of it: it goes on when the model is there again
            raise unanswered
        answer = _judged(run, state, node, ids, held, outputs_first=self._outputs_first)
        if stays and not open_run.stay_open(recorded.job.job_id, node, answer.answer.provider, len(recorded.turns) + 1):
            await open_run.close()
        return answer

    async def _begun(self, recorded: Recorded, state: RunState) -> tuple[HeldRun, Sequence[ai.ModelMessage]]:
        """Open a run for a turn; also return the history that it goes on from, if it resumes no calls."""
        prompt = None if state.messages else storable_in(await awaited(self._prompt(recorded.job)))
        if prompt is None:
            state.answered += map(ai.UserPromptPart, state.sent)
        elif state.sent:
            prompt = [*([prompt] if isinstance(prompt, str) else prompt), *state.sent]
        history, results = (state.history, None) if state.failure else _gone_on_from(state)
        open_run = await self._opened(recorded, state, history, results, prompt)
        return open_run, history if results is None and prompt is None else ()

    async def run_call(self, recorded: Recorded, call: RunnerCall) -> CallReturned | NeedsApproval | Pending:
        """Run the call, as the only one of the last answer."""
        open_run = await held_run(recorded, call)
        state = open_run.state if open_run else RunState.of(recorded, call.turn)
        if state.polls:
            return Pending(timeout_seconds=call.arguments["seconds"], operation=False, otherwise=None)
        failure, returned, pending = None, None, None
        parts: Sequence[ai.ModelRequestPart] = ()
        try:
            async with self._workspaces.piece(recorded) as workspace:
                open_run = open_run or await self._opened_for(recorded, state, call)
                run, workspace.run, open_run.objects.held = open_run.run, open_run.run, state.held
                open_run.answers[:], open_run.piece.late = [state.response], False
                node: Any = open_run.node
                async with open_run:
                    try:
                        begun: Any = node or run.next_node
                        node = await run.next(begun if node else cast("Any", await run.next(begun)))
                        parts = node.request.parts
                    except Exception as error:  # noqa: BLE001 - the run is failed of it in its next turn
                        failure = error
                    contents = [getattr(part, "content", None) for part in parts]  # not each part has one
                    pending = next((content for content in contents if isinstance(content, Pending)), None)
                    if not failure and not pending:
                        changed = open_run.objects.changed() if parts else Changed()
                        returned = CallReturned(*kept_of_call(state, parts, run, changed, late=open_run.piece.late))
                job_id, stays = recorded.job.job_id, open_run.stay_open_after
                if returned is None or not open_run.node or not stays(job_id, node, returned):
                    await open_run.close()
                if failure:
                    raise failure
                return pending or returned or CallReturned(None)
        except StoppedError as stopped:
            if stopped.requests.approvals:
                return NeedsApproval(f"run tool {call.tool}", next(iter(stopped.requests.metadata.values()), None))
            return Pending(timeout_seconds=WEEK_SECONDS)

    async def abandon(self, recorded: Recorded) -> None:
        """Cancel the suspended answer that the job waited for, if any."""
        state = RunState.of(recorded)
        if not state.polls:
            return
        try:
            async with await self._opened(recorded, state, state.history, None) as open_run:
                await open_run.run.ctx.deps.model.cancel_suspended_response(state.response)
            await open_run.close()
        except (ai.ModelAPIError, ai.FallbackExceptionGroup) as error:
            raise model_error(error) from error

    async def _opened(
        self,
        recorded: Recorded,
        state: RunState,
        history: Sequence[ai.ModelMessage],
        results: ai.DeferredToolResults | None,
        prompt: Any = None,
        answers: Sequence[ai.ModelResponse] = (),
        call: RunnerCall | None = None,
    ) -> HeldRun:
        """Open a run that continues from the recorded state, with the counts that pydantic-ai restarts in each run.

        `answers`: the one whose call it makes first, if any.
        """
        objects, made = RunObjects(self._agent, state.held), list(answers)
        again = bool(results)
        if call is not None:  # whether another piece runs the hooks of the node that the call is made in
            again = call.position > 0 or (self._outputs_first and bool(_outputs_beside(state)))
        kind = Piece if self._others_handle else StoppingPiece
        piece = kind(
            retries=state.retries(),
            lists=state.lists,
            objects=objects,
            answers=made,
            begins=not state.messages,
            again=again,
        )
        job, given = recorded.job, self._workspaces.given

        @asynccontextmanager
        async def opening() -> AsyncIterator[Run]:
            async with self._agent.iter(
                prompt,
                message_history=[replace(one, run_id=None) if one.run_id == state.run_id else one for one in history]
                or None,
                deferred_tool_results=results,
                conversation_id=job.session_id,
                run_id=state.run_id or None,
                deps=await awaited(self._deps(job)),
                usage=deepcopy(state.usage),
                usage_limits=self._usage_limits,
                workspace=await awaited(given(job)) if given else self._workspaces.of(recorded.workspace),
                infer_name=False,
                # Earlier jobs may be sent as texts, or from their middle: only their first message has a system prompt.
                capabilities=[
                    piece,
                    *([Stop()] if self._others_handle else []),
                    *([ReinjectSystemPrompt(id="baton_system_prompt")] if state.earlier else []),
                ],
            ) as run:
                run.ctx.state.run_step, run.ctx.state.output_retries_used = state.steps, state.output_retries
                run.ctx.deps.established_tool_names = None if state.tools is None else set(state.tools)
                run.ctx.state.default_output_modes.update(state.output_modes)
                as_it_began(run, state)
                if not made:
                    run.ctx.deps.output_schema = schema = copy(run.ctx.deps.output_schema)
                    schema.allows_pending_model_response = True  # else the run waits for the provider by itself
                    for kept in state.pending:
                        enqueue_again(run, kept)
                objects.begin(run.ctx.deps.tool_manager.toolset)
                yield run

        return await HeldRun(state, objects, made, piece).enter(opening())

    async def _turn(
        self, run: Run, listener: Listener | None, history: Sequence[ai.ModelMessage], node: Any
    ) -> tuple[Any, list[str]]:
        """Run up to the calls of one answer; return the node that comes then, and the calls to make.

        `node`: the one to begin with, of a run that stayed open; None: another one.
        """
        node = node or run.next_node
        while not isinstance(node, ai.ModelRequestNode | End):
            node = await run.next(node)
        if len(known := run.ctx.state.message_history) < len(history) - 1:
            # A run that begins leaves out results without their calls; one that goes on has them.
            known[:] = history[:-1]
        if isinstance(node, ai.ModelRequestNode):
            if listener is not None and streams(run.ctx.deps.model):
                requested: Any = node
                async with requested.stream(run.ctx) as stream:
                    await listen(stream, listener)
            node = await run.next(node)
        ids = list[str]()
        if _is_suspended(node):
            return node, ids
        if isinstance(node, ai.CallToolsNode) and _is_cut(node.model_response) and node.model_response.tool_calls:
            ids = [part.tool_call_id for part in node.model_response.tool_calls]  # none of them runs
        elif isinstance(node, ai.CallToolsNode):
            ids = _calls_to_make(run, node.model_response, self._usage_limits)
            if not ids or (self._outputs_first and len(ids) < len(node.model_response.tool_calls)):
                try:
                    node, ids = await run.next(node), []
                except StoppedError as stopped:  # its node has run: another run makes the calls
                    node, ids = None, stopped.ids_in(node.model_response)
        return node, ids

    async def _opened_for(self, recorded: Recorded, state: RunState, call: RunnerCall) -> HeldRun:
        made = next(part for part in state.response.tool_calls if part.tool_call_id == state.ids[call.position])
        others = [part for part in state.response.parts if not isinstance(part, ai.ToolCallPart)]
        results, differs = None, call.arguments != made.args_as_dict()
        if call.approved:
            approved = ai.ToolApproved(override_args=call.arguments if differs else None)
            results = ai.DeferredToolResults(approvals={made.tool_call_id: approved})
        elif differs:  # a secret among them is kept with the call alone
            made = replace(made, args=call.arguments)
        history = [*state.history[:-1], replace(state.response, parts=[*others, made])]
        return await self._opened(recorded, state, history, results, answers=[state.response], call=call)


@asynccontextmanager
async def _as_recorded(failed: Exception | None, failure: RunFailedError | None) -> AsyncIterator[None]:
    """Raise a call's failure as it was recorded, if the run makes nothing else of it."""
    try:
        yield
    except Exception as error:
        if error is failed and failure is not None:
            raise failure from error
        raise


def _used(run: Run, state: RunState) -> tuple[Spent, dict[str, Any] | None]:
    one = run.usage - state.usage
    any_spent = one.input_tokens or one.output_tokens
    return _spent(one, 1) if any_spent else Spent(), kept_of_end(state, run)


def _spent(usage: ai.RunUsage, least: int) -> Spent:
    return Spent(max(usage.requests, least), usage.input_tokens, usage.output_tokens, float(usage.cost or 0))


def _gone_on_from(state: RunState) -> tuple[list[ai.ModelMessage], ai.DeferredToolResults | None]:
    """Return the history that a turn continues from; output tools called beside others are judged in that turn."""
    outputs = _outputs_beside(state)
    if not outputs:
        return [*state.history, *([ai.ModelRequest(parts=state.answered)] if state.answered else [])], None
    # A tool that requests a retry wins over the output, if pydantic-ai gets it together with the output.
    retried = [part for part in state.answered if isinstance(part, ai.ToolReturnPart) and part.outcome == "retried"]
    others = [part for part in state.answered if part not in retried]
    results = ai.DeferredToolResults(
        approvals={part.tool_call_id: ai.ToolApproved() for part in outputs},
        calls={part.tool_call_id: ai.ModelRetry(cast("str", part.content)) for part in retried},
    )
    return [*state.history, *([ai.ModelRequest(parts=others)] if others else [])], results


def _calls_to_make(run: Run, response: ai.ModelResponse, limits: ai.UsageLimits) -> list[str]:
    """Return the ids of an answer's calls, except for those of output tools."""
    manager = run.ctx.deps.tool_manager
    tools = {part.tool_name: manager.get_tool_def(part.tool_name) for part in response.tool_calls}
    kinds = {name: "unknown" if tool is None else tool.kind for name, tool in tools.items()}
    calls = [part for part in response.tool_calls if kinds[part.tool_name] != "output"]
    ids = [part.tool_call_id for part in calls]
    counted = sum(kinds[part.tool_name] in ("function", "unknown") for part in calls)
    if counted and limits.tool_calls_limit is not None:
        limits.check_before_tool_call(replace(run.usage, tool_calls=run.usage.tool_calls + counted))
    return ids


def _is_cut(response: ai.ModelResponse) -> bool:
    """Return whether a limit of its length cut the answer off."""
    return response.finish_reason == "length"


def _goes_on(node: Any, ids: Sequence[str]) -> bool:
    """Return whether a run may stay open: it makes one call next, or corrects its answer."""
    if not ids:
        return isinstance(node, ai.ModelRequestNode)
    if not isinstance(node, ai.CallToolsNode) or _is_cut(node.model_response):
        return False
    return [part.tool_call_id for part in node.model_response.tool_calls] == ids[:1]


def _is_suspended(node: Any) -> bool:
    """Return whether the provider goes on with the answer by itself."""
    return isinstance(node, ai.CallToolsNode) and node.model_response.state == "suspended"


def _judged(
    run: Run, state: RunState, node: Any, ids: Sequence[str], held: Held, *, outputs_first: bool
) -> RunnerAnswer:
    """Judge the answer of a run that is closed. `node`: the run's node after it; `ids`: of the calls to make."""
    messages = _joined(run.all_messages(), _outputs_beside(state) if outputs_first else [], len(state.history))
    response = next((one for one in reversed(messages) if isinstance(one, ai.ModelResponse)), ai.ModelResponse([]))
    text, output, correction = text_of(response), None, ""
    calls, alone = tuple[Call, ...](), tuple[bool, ...]()
    if ids:
        while not isinstance(messages[-1], ai.ModelResponse):  # calls begun in this turn run in their own pieces
            messages.pop()
        parts = {part.tool_call_id: part for part in response.tool_calls}
        if _is_cut(response):
            calls = calls_of(response)
        else:
            calls = tuple([Call(parts[one].tool_name, in_json(parts[one].args_as_dict())) for one in ids])
            manager = run.ctx.deps.tool_manager
            alone = tuple([manager.is_sequential(parts[one]) for one in ids])
    elif _is_suspended(node):
        seconds = run.ctx.deps.model.continuation_delay(response) or 1.0
        calls = (Call(WAITS, {"seconds": min(seconds * 2**state.polls, max(seconds, _LONGEST_SECONDS))}),)
    elif run.result is not None:  # what the hooks around the run have made of it
        output = to_jsonable_python(run.result.output)
        if _is_cut(response) and not isinstance(output, str):
            raise RunFailedError(ANSWER_CUT, f"{CUT_CAUSE}, so its output is not whole", partial=text)
        text = output if isinstance(output, str) else text or ("" if output is None else canonical_json(output))
    else:
        messages.append(node.request)
        misfits = run.ctx.state.output_retries_used > state.output_retries
        correction = "the answer does not fit: the model is told why" if misfits else "more was enqueued for the model"
    asked = run.usage.requests > state.usage.requests
    used = run.usage - state.usage if asked else ai.RunUsage()
    spent = (used.input_tokens, used.output_tokens, float(used.cost or 0), False, used.cache_read_tokens)
    origin = origin_of(response, streamed=False) if asked else None
    kept, nested = kept_of_turn(state, messages, ids, run, held), _spent(state.nested, 0)
    answer = ModelAnswer(text, calls, *spent, provider=kept, origin=origin, spent_before=nested)
    return RunnerAnswer(answer, output, correction, alone, asked)


def _outputs_beside(state: RunState) -> list[ai.ToolCallPart]:
    """Return the calls of output tools that wait for other calls of the same answer."""
    return [part for part in state.response.tool_calls if part.tool_call_id not in state.ids] if state.ids else []


def _joined(
    messages: Sequence[ai.ModelMessage], first: Sequence[ai.ToolCallPart], recorded: int
) -> list[ai.ModelMessage]:
    """Join the parts that answer one answer in one request, in the order of its calls, or after these calls.

    `recorded`: how many messages were recorded, and so joined, before.
    """
    begin = max(0, min(recorded, len(messages)) - 1)
    while begin and not isinstance(messages[begin], ai.ModelResponse):
        begin -= 1
    joined = list(messages[:begin])
    order: list[str] = []
    for message in messages[begin:]:
        last = joined[-1] if joined else None
        answers = any(getattr(part, "tool_call_id", None) in order for part in message.parts)
        if answers and isinstance(message, ai.ModelRequest) and isinstance(last, ai.ModelRequest):
            places = {one: at for at, one in reversed([*enumerate(order)])}  # the first one of an id counts
            parts = sorted(
                (*last.parts, *message.parts),
                key=lambda part: places.get(getattr(part, "tool_call_id", ""), len(order)),
            )
            joined[-1] = replace(message, parts=parts)
            continue
        if isinstance(message, ai.ModelResponse):
            order = [part.tool_call_id for part in (*first, *message.tool_calls)]
        joined.append(message)
    return joined


@with_settings
def durable(
    agent: ai.Agent[Any, Any],
    *,
    name: str | None = None,
    deps: OfJob | None = None,
    prompt: OfJob | None = None,
    usage_limits: ai.UsageLimits | None = None,
    workspace: OfJob | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of pydantic-ai durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is neither copied nor changed.
        name: the job's type; the agent's name, unless given.
        deps: called with a `JobInfo` whenever a run is opened, returns the dependencies, which are never stored.
        prompt: called with a `JobInfo` before the first request, returns the user prompt; else it is the task's text.
        usage_limits: as `agent.run` takes them; without them, those of `agent.run`: 50 requests, and an error beyond.
        workspace: called with a `JobInfo` whenever a run is opened, returns the workspace as `agent.run` takes it,
            which is never destroyed. Else a job has one of its own, if a capability makes any, until it has ended.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has no name or no model, or something that a durable run cannot keep.
    """
    named = name or getattr(agent, "name", None)
    factories = {"deps": deps, "prompt": prompt, "workspace": workspace}
    check_given(agent, ai.Agent, "pydantic_ai.Agent", named, factories)
    runner = PydanticAIRunner(agent, deps, prompt, usage_limits, workspace)
    return library_agent(named, runner, list(_faults(agent)), **settings)


def _faults(agent: ai.Agent[Any, Any]) -> Iterator[str]:
    if agent.model is None and not may_do(agent, "get_model"):
        yield "it has no model; give one: Agent('openai:gpt-5-mini', …)"
    capabilities: list[AbstractCapability[Any]] = []
    agent.root_capability.apply(capabilities.append)
    for kind in map(type, capabilities):
        if any(one.__module__.startswith("pydantic_ai.durable_exec") for one in kind.__mro__):
            yield f"capability {kind.__name__} belongs to another engine; leave it out"
