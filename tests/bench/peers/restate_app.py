"""The agent job as a Restate service: each step is a durable `run`. Served as `tests.bench.peers.restate_app:app`."""

from typing import Any

import restate

from tests.bench.peers import work

agent = restate.Service("agent")
OPTIONS = restate.RunOptions(type_hint=dict)


async def model(job: str, variant: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    await work.pause(job)
    return work.model_step(job, variant, messages)


async def tool(job: str, call: dict[str, Any]) -> dict[str, Any]:
    await work.pause(job)
    return work.tool_step(job, call)


@agent.handler()
async def run(context: restate.Context, request: dict[str, Any]) -> list[int]:
    job, variant, messages = request["job"], request["variant"], work.start()
    while True:
        turn = await context.run_typed("model", model, OPTIONS, job, variant, messages)
        messages.append(turn)
        if not turn["tool_calls"]:
            return work.stamps(messages)
        futures = [context.run_typed("tool", tool, OPTIONS, job, call) for call in turn["tool_calls"]]
        if len(futures) == 1:
            messages.append(await futures[0])
        else:
            messages += [await future for future in await restate.gather(*futures)]


app = restate.app(services=[agent])
