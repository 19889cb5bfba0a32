"""The starting point of a run's turn, and the meaning of its model's answer: a result, calls, or a correction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pydantic_ai as ai
from pydantic_core import to_jsonable_python

from baton.sdk.agents.runner import RunFailedError, RunnerAnswer
from baton.sdk.models.model import ANSWER_CUT, CUT_CAUSE, Call, ModelAnswer
from baton.sdk.models.through_pydantic_ai.client import origin_of
from baton.sdk.models.through_pydantic_ai.messages import calls_of, text_of
from baton.sdk.pydantic_ai.run_objects import Held
from baton.sdk.pydantic_ai.run_state import Run, RunState, kept_of_turn
from baton_events.ids import canonical_json

# The call that represents a wait for the provider, which gets longer each time.
WAITS, _LONGEST_SECONDS = "wait_for_model", 300.0


def gone_on_from(state: RunState) -> tuple[list[ai.ModelMessage], ai.DeferredToolResults | None]:
    """Return the history that a turn continues from; output tools called beside others are judged in that turn."""
    outputs = outputs_beside(state)
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


def calls_to_make(run: Run, response: ai.ModelResponse, limits: ai.UsageLimits) -> list[str]:
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


def is_cut(response: ai.ModelResponse) -> bool:
    """Return whether a limit of its length cut the answer off."""
    return response.finish_reason == "length"


def goes_on(node: Any, ids: Sequence[str]) -> bool:
    """Return whether a run may stay open: it makes one call next, or corrects its answer."""
    if not ids:
        return isinstance(node, ai.ModelRequestNode)
    response = node.model_response if isinstance(node, ai.CallToolsNode) else None
    return (
        response is not None and [part.tool_call_id for part in response.tool_calls] == ids[:1] and not is_cut(response)
    )


def is_begun(state: RunState, position: int, *, outputs_first: bool) -> bool:
    """Return whether another piece runs the hooks of the node that the call at this position is made in."""
    return position > 0 or (outputs_first and bool(outputs_beside(state)))


def is_suspended(node: Any) -> bool:
    """Return whether the provider goes on with the answer by itself."""
    return isinstance(node, ai.CallToolsNode) and node.model_response.state == "suspended"


def judged(
    run: Run, state: RunState, node: Any, ids: Sequence[str], held: Held, *, outputs_first: bool
) -> RunnerAnswer:
    """Judge the answer of a run that is closed. `node`: the run's node after it; `ids`: of the calls to make."""
    messages = _joined(run.all_messages(), outputs_beside(state) if outputs_first else [], len(state.history))
    response = next((one for one in reversed(messages) if isinstance(one, ai.ModelResponse)), ai.ModelResponse([]))
    text, output, correction = text_of(response), None, ""
    calls, alone = tuple[Call, ...](), tuple[bool, ...]()
    if ids:
        while not isinstance(messages[-1], ai.ModelResponse):  # calls begun in this turn run in their own pieces
            messages.pop()
        parts = {part.tool_call_id: part for part in response.tool_calls}
        if is_cut(response):
            calls = calls_of(response)
        else:
            calls = tuple([Call(parts[one].tool_name, parts[one].args_as_dict()) for one in ids])
            manager = run.ctx.deps.tool_manager
            alone = tuple([manager.is_sequential(parts[one]) for one in ids])
    elif is_suspended(node):
        seconds = run.ctx.deps.model.continuation_delay(response) or 1.0
        calls = (Call(WAITS, {"seconds": min(seconds * 2**state.polls, max(seconds, _LONGEST_SECONDS))}),)
    elif run.result is not None:  # what the hooks around the run have made of it
        output = to_jsonable_python(run.result.output)
        if is_cut(response) and not isinstance(output, str):
            raise RunFailedError(ANSWER_CUT, f"{CUT_CAUSE}, so its output is not whole", partial=text)
        text = output if isinstance(output, str) else text or ("" if output is None else canonical_json(output))
    else:
        messages.append(node.request)
        misfits = run.ctx.state.output_retries_used > state.output_retries
        correction = "the answer does not fit: the model is told why" if misfits else "more was enqueued for the model"
    answer = ModelAnswer(text, calls, provider=kept_of_turn(state, messages, ids, run, held))
    if asked := run.usage.requests > state.usage.requests:
        used = run.usage - state.usage
        spent = (used.input_tokens, used.output_tokens, float(used.cost or 0), False, used.cache_read_tokens)
        origin = origin_of(response, streamed=False)
        answer = ModelAnswer(text, calls, *spent, provider=answer.provider, origin=origin)
    return RunnerAnswer(answer, output, correction, alone, asked)


def outputs_beside(state: RunState) -> list[ai.ToolCallPart]:
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
            parts = sorted((*last.parts, *message.parts), key=lambda part: _place(part, order))
            joined[-1] = replace(message, parts=parts)
            continue
        if isinstance(message, ai.ModelResponse):
            order = [part.tool_call_id for part in (*first, *message.tool_calls)]
        joined.append(message)
    return joined


def _place(part: Any, order: list[str]) -> int:
    return order.index(part.tool_call_id) if getattr(part, "tool_call_id", None) in order else len(order)
