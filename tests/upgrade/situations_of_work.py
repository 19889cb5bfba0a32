"""Situations of work: turns, calls, results, failures, plans and texts, each where a new version may find it."""

from tests.upgrade.maker import Maker


async def submitted(m: Maker) -> None:
    """A job was accepted; nothing of it has been delivered."""
    await m.submit("adds")


async def turn_claimed(m: Maker) -> None:
    """The process died after its model answered: the turn is claimed, and its message comes again."""
    await m.submit("adds")
    await m.die("before commit")


async def turn_not_handed_on(m: Maker) -> None:
    """The process died between the turn's COMMIT and the publishing of its three calls."""
    await m.submit("adds")
    await m.die("after commit")


async def calls_open(m: Maker) -> None:
    """Three calls are in flight."""
    await m.submit("adds")
    await m.up_to("call")


async def call_claimed(m: Maker) -> None:
    """The first of three calls has run, and died before its result was recorded."""
    await m.submit("adds")
    await m.up_to("call")
    await m.die("before commit")


async def call_not_handed_on(m: Maker) -> None:
    """A call's result is recorded, and its process died before anybody was told."""
    await m.submit("adds")
    await m.up_to("call")
    await m.die("after commit")


async def marks_claimed(m: Maker) -> None:
    """A call told its progress and set a mark, and died."""
    await m.submit("adds")
    await m.up_to("call", after=2)
    await m.die("before commit")


async def results_open(m: Maker) -> None:
    """All three calls have run; their results are to be taken in."""
    await m.submit("adds")
    await m.up_to("complete")


async def result_claimed(m: Maker) -> None:
    """One result is being taken in, by a process that died."""
    await m.submit("adds")
    await m.up_to("complete", after=1)
    await m.die("before commit")


async def last_result_not_handed_on(m: Maker) -> None:
    """The last result is taken in, and nobody was told of the next turn."""
    await m.submit("adds")
    await m.up_to("complete", after=2)
    await m.die("after commit")


async def second_turn(m: Maker) -> None:
    """The next turn is in flight."""
    await m.submit("chain")
    await m.up_to("loop", after=1)


async def failures_open(m: Maker) -> None:
    """Calls have failed, one for good; nobody has decided yet what follows."""
    await m.submit("mends")
    await m.up_to("failed")


async def failure_claimed(m: Maker) -> None:
    """A failure is being taken in, by a process that died."""
    await m.submit("mends")
    await m.up_to("failed")
    await m.die("before commit")


async def call_to_be_tried_again(m: Maker) -> None:
    """A call that failed waits for its second attempt."""
    await m.submit("mends")
    await m.run(within_seconds=4)


async def model_to_be_asked_again(m: Maker) -> None:
    """The model was overloaded, twice, and asked for half a minute."""
    m.kit.model_fails = 2
    await m.submit("flaky")
    await m.run(within_seconds=35)
    assert not m.kit.model_fails


async def stopped_by_a_limit(m: Maker) -> None:
    """The next turn will find its limit reached."""
    await m.submit("tight")
    await m.up_to("loop", after=2)


async def plan_begun(m: Maker) -> None:
    """A plan's first step is in flight, the others wait for it."""
    await m.submit("plan")
    await m.up_to("call")


async def plan_half_done(m: Maker) -> None:
    """Two steps of a plan are over, one of them has failed; what depends on it is to be skipped."""
    await m.submit("plan")
    await m.up_to("failed")


async def step_claimed(m: Maker) -> None:
    """A step that is told another one's result has died."""
    await m.submit("plan")
    await m.up_to("call", after=1)
    await m.die("before commit")


async def plan_made_by_a_model(m: Maker) -> None:
    """A model's plan is half done; the model will reflect on it."""
    await m.submit("planner")
    await m.up_to("call", after=1)


async def text_open(m: Maker) -> None:
    """A model was in mid-text when its process died: the text is open in the stream."""
    await m.submit("talks")
    await m.die("before commit")


async def second_text_open(m: Maker) -> None:
    """The same in a later turn."""
    await m.submit("talks")
    await m.up_to("loop", after=1)
    await m.die("before commit")


async def long_conversation(m: Maker) -> None:
    """A conversation that has been summed up; the turns before that are not told any more."""
    job_id = await m.submit("reads")
    await m.up_to("loop", after=6)
    usage = (await m.request("GET", f"/api/agent-jobs/{job_id}"))["usage"]
    assert usage["modelCalls"] > 6, usage


async def answer_in_the_cache(m: Maker) -> None:
    """The second job asks what was answered before."""
    await m.submit("caches", sessionId="one")
    await m.run(within_seconds=30)
    await m.submit("caches", sessionId="two")


WORK = (
    submitted,
    turn_claimed,
    turn_not_handed_on,
    calls_open,
    call_claimed,
    call_not_handed_on,
    marks_claimed,
    results_open,
    result_claimed,
    last_result_not_handed_on,
    second_turn,
    failures_open,
    failure_claimed,
    call_to_be_tried_again,
    model_to_be_asked_again,
    stopped_by_a_limit,
    plan_begun,
    plan_half_done,
    step_claimed,
    plan_made_by_a_model,
    text_open,
    second_text_open,
    long_conversation,
    answer_in_the_cache,
)
