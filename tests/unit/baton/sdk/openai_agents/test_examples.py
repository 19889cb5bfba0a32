"""Agents of the SDK, as jobs and by `Runner.run`: the same output or error, items, usage, requests, and hooks."""

from typing import Any

import agents as sdk
import pytest
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.openai_agents import durable
from baton.testing import Approve, Reject, Simulation
from tests.unit.baton.sdk.openai_agents.example_agents import EXAMPLES, Case, Scripted

CONFIG = sdk.RunConfig(tracing_disabled=True)
_REASON = "too dear"


async def own_run(case: Case) -> Any:
    settings: dict[str, Any] = {"hooks": case.run_hooks, "run_config": CONFIG}
    if case.max_turns:
        settings["max_turns"] = case.max_turns
    result = await sdk.Runner.run(case.agent, "do it", context=case.context, **settings)
    while result.interruptions:
        state = result.to_state()
        for one in result.interruptions:
            if case.refuses:
                state.reject(one, rejection_message=_REASON)
            else:
                state.approve(one)
        result = await sdk.Runner.run(case.agent, state, **settings)
    return result


def as_job(case: Case) -> Any:
    return durable(
        case.agent,
        name="job",
        context=lambda _: case.context,
        hooks=case.run_hooks,
        max_turns=case.max_turns,
        run_config=CONFIG,
    )


def _requests(case: Case) -> Any:
    waiting: list[Any] = [case.agent]
    read = dict[str, Any]()
    while waiting:
        agent = waiting.pop()
        if agent.name not in read and isinstance(agent.model, Scripted):
            read[agent.name] = [*agent.model.read]
            waiting += [one if isinstance(one, sdk.Agent) else one._agent_ref() for one in agent.handoffs]
    return read


def _decide(case: Case) -> Any:
    return lambda _: Reject(_REASON) if case.refuses else Approve()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_job_is_what_the_sdk_makes_of_it(name: str) -> None:
    case = EXAMPLES[name]()
    error = expected = None
    try:
        expected = await own_run(case)
    except Exception as raised:  # noqa: BLE001 - any that the SDK raises
        error = raised
    again = EXAMPLES[name]()
    run = await Simulation(Registry([as_job(again)])).run("job", "do it", decide=_decide(case))
    if name != "input_guardrail":  # it runs beside the request, which it may outrun
        assert _requests(again) == _requests(case)
    assert sorted(map(str, again.noted)) == sorted(map(str, case.noted))
    if error is not None:
        assert run.error == {"type": type(error).__name__, "message": str(error)}
        return
    assert run.error is None
    assert expected is not None
    assert run.result.get("output") == to_jsonable_python(expected.final_output)
    assert run.model_messages == expected.to_input_list(mode="normalized")  # a filter of a handoff has the last word
    used = expected.context_wrapper.usage
    assert (run.usage["inputTokens"], run.usage["outputTokens"]) == (used.input_tokens, used.output_tokens)
