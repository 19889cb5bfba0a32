"""A job that gets its slot at once: its first event brings the ticket, with which whoever begins it takes the slot."""

from dataclasses import replace

from msgspec import structs

from events.core.admission import Standing
from events.core.transitions import JobStatus
from events.schema import AgentLoopInit, Ticket
from tests.unit.functions.giving_up import give_up
from tests.unit.functions.stage import SETTINGS, Stage


def ticket_of(stage: Stage) -> Ticket | None:
    """What the last event brings."""
    event = stage.events()[-1]
    assert isinstance(event, AgentLoopInit)
    return event.payload.ticket


async def test_the_slot_is_taken_when_the_job_begins() -> None:
    """With one request less: the wish is out, and nobody asks the admission again."""
    stage = Stage()
    first = await stage.submit("answers")
    assert ticket_of(stage) is not None
    assert stage.store.tree("job_1").standing("job_1") == Standing("slot", 1)
    await stage.deliver(first)
    tree = stage.store.tree("job_1")
    assert tree.jobs["job_1"].status is JobStatus.COMPLETED
    assert not any(leg.kind == "wish" and leg.want == "slot" for leg in tree.legs.values())


async def test_a_ticket_of_an_earlier_wish_is_void() -> None:
    """The job has wished anew since: the event waits for that."""
    stage = Stage()
    first = await stage.submit("answers")
    tree = stage.store.tree("job_1")
    stage.store.write("job_1", structs.replace(tree, standings={"job_1": Standing("slot", 2)}))
    assert (await stage.deliver(first)).word == "gated"
    assert not stage.store.tree("job_1").standing("job_1").slot


async def test_a_ticket_that_could_not_be_delivered_is_driven_again_with_its_event() -> None:
    """Nobody else may know of it any more: the witness, which carries the wish, may have used up its retries, too."""
    stage = Stage()
    first = await stage.submit("answers")
    ticket = ticket_of(stage)
    assert ticket is not None
    assert (await give_up(stage, first, "cb1")).word == "driven"
    assert ticket_of(stage) == ticket


async def test_a_job_in_line_has_none() -> None:
    """It wishes, and is told once there is a slot."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    assert ticket_of(stage) is None
    await stage.run()
    assert (await stage.snapshot("job_2")).job.status is JobStatus.COMPLETED


async def test_a_ticket_that_comes_twice_changes_nothing_more() -> None:
    """Nor does one that comes after the wish itself was granted."""
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first)
    before = stage.store.tree("job_1")
    assert (await stage.deliver(first, "again")).word in ("applied", "busy")
    assert stage.store.tree("job_1").standings == before.standings


async def test_what_it_cost_to_ask_is_paid_by_the_job() -> None:
    """Whoever begins it charges that; once."""
    stage = Stage()
    first = await stage.submit("answers")
    assert isinstance(first, AgentLoopInit)
    paid = first.model_copy(
        update={"payload": first.payload.model_copy(update={"ticket": Ticket(lap=1, commands=1_000, size_bytes=5)})}
    )
    async with stage.container.metering.invocation():
        await stage.deliver(paid)
    assert (await stage.snapshot()).usage.redis_commands >= 1_000
