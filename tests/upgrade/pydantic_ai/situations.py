"""Situations of a run of pydantic-ai: at each kind of its pieces, under one version of pydantic-ai."""

from tests.upgrade.maker import Maker


async def run_asks_its_model(m: Maker) -> None:
    """The second request to the model is in flight; the first one's calls have results."""
    await m.submit("trips")
    await m.up_to("loop", after=1)


async def run_call_claimed(m: Maker) -> None:
    """One of two calls at once is over; the other one has run, and died before its result was recorded."""
    await m.submit("trips")
    await m.up_to("call", after=1)
    await m.die("before commit")


async def run_retries(m: Maker) -> None:
    """A tool has asked for another try, of which the model is to be told."""
    await m.submit("trips")
    await m.up_to("loop", after=2)


async def run_waits_for_approval(m: Maker) -> None:
    """A call waits for a person, who will change its arguments."""
    job_id = await m.submit("trips")
    await m.run()
    (point,) = await m.checkpoints(job_id)
    m.later("POST", f"/api/admin/agent-checkpoints/{point['id']}", {"arguments": {"euros": 110}}, key="admin")


async def run_corrects_its_output(m: Maker) -> None:
    """The output does not fit, of which the model is to be told."""
    job_id = await m.submit("trips")
    await m.run()
    (point,) = await m.checkpoints(job_id)
    await m.request("POST", f"/api/admin/agent-checkpoints/{point['id']}", {}, key="admin")
    await m.up_to("loop", after=1)


OF_PYDANTIC_AI = (
    run_asks_its_model,
    run_call_claimed,
    run_retries,
    run_waits_for_approval,
    run_corrects_its_output,
)
