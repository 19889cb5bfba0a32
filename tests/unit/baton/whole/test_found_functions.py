"""Promises of the functions that are not kept yet."""

from dataclasses import replace

import httpx
import pytest

from baton import Agent, Call, Registry, ScriptedModel, ToolError, tool
from baton.app import build_app
from baton.engine.commit.codec import dump_call, dump_job
from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton_events.errors import MalformedEventError
from baton_events.schema import AgentLoopInit, LoopPayload, Submission, encode_event
from tests.unit.baton.kit.signing import delivery_headers
from tests.unit.baton.kit.stage import SETTINGS, Stage


async def test_webhooks_are_served_below_the_path_of_the_base() -> None:
    """decisions/0002-four-events: the base may carry a path such as /api/v2; now 404 on the one app."""
    base = "https://fn.example.com/api/v2"
    stage = Stage(settings=replace(SETTINGS, worker_base_url=base))
    body = encode_event(await stage.submit("answers")).encode()
    transport = httpx.ASGITransport(app=build_app(stage.container))
    async with httpx.AsyncClient(transport=transport) as client:
        url = f"{base}/workers/agent-loop"
        response = await client.post(url, content=body, headers=delivery_headers(url, body))
    assert response.status_code == 200


async def test_submitting_an_ended_job_again_takes_no_slot() -> None:
    """An Idempotency-Key repeated after the job's entry has left the slot table: now the ended job holds a slot."""
    stage = Stage()
    job = stage.job()
    await stage.container.commands.submit(job, {"text": ""})
    await stage.run()
    stage.admission.entries.clear()  # what the sweep does 150 s after the end
    await stage.container.commands.submit(job, {"text": ""}, may_exist=True)
    assert not any(entry.slot for entry in stage.admission.entries.values())


async def test_a_backup_whose_job_cannot_be_read_is_malformed() -> None:
    """Now a pydantic ValidationError, so 500 and the queue repeats it."""
    stage = Stage()
    fact = Submission(job={"id": "job_9"}, task={})
    event = event_of("s", loop_item("job_9", 1, 1, 0))
    assert isinstance(event, AgentLoopInit)
    with pytest.raises(MalformedEventError):
        await stage.deliver(event.model_copy(update={"payload": LoopPayload(turn=1, command=fact)}))


async def test_a_tools_error_can_be_stored_whatever_its_text_is() -> None:
    """A file name that is no UTF-8: now the COMMIT raises each time, and the job fails as undeliverable."""

    @tool(retries=0)
    async def odd() -> None:
        raise ToolError("no such file: caf\udce9")

    stage = Stage(registry=Registry([Agent(name="odd", model=ScriptedModel([[Call("odd")], "ok"]), tools=[odd])]))
    await stage.submit("odd")
    await stage.run()
    for record in await stage.calls():
        dump_call(record)


async def test_a_models_text_can_be_stored_whatever_it_is() -> None:
    """A lone surrogate, as some providers' broken escapes make it."""
    stage = Stage(registry=Registry([Agent(name="odd", model=ScriptedModel(["bad \ud800"]))]))
    await stage.submit("odd")
    await stage.run()
    dump_job((await stage.snapshot()).job)
