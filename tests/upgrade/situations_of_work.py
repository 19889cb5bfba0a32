"""Situations of work: turns, calls, results, failures, plans and texts, each where a new version may find it."""

from tests.upgrade.maker import Maker, simply

WORK = {
    "submitted": simply("A job was accepted; nothing of it has been delivered.", "adds"),
    "turn_claimed": simply(
        "The process died after its model answered: the turn is claimed, and its message comes again.",
        "adds",
        dies="before commit",
    ),
    "turn_not_handed_on": simply(
        "The process died between the turn's COMMIT and the publishing of its three calls.", "adds", dies="after commit"
    ),
    "calls_open": simply("Three calls are in flight.", "adds", up_to="call"),
    "call_claimed": simply(
        "The first of three calls has run, and died before its result was recorded.",
        "adds",
        up_to="call",
        dies="before commit",
    ),
    "call_not_handed_on": simply(
        "A call's result is recorded, and its process died before anybody was told.",
        "adds",
        up_to="call",
        dies="after commit",
    ),
    "marks_claimed": simply(
        "A call told its progress and set a mark, and died.", "adds", up_to="call", after=2, dies="before commit"
    ),
    "results_open": simply("All three calls have run; their results are to be taken in.", "adds", up_to="complete"),
    "result_claimed": simply(
        "One result is being taken in, by a process that died.", "adds", up_to="complete", after=1, dies="before commit"
    ),
    "last_result_not_handed_on": simply(
        "The last result is taken in, and nobody was told of the next turn.",
        "adds",
        up_to="complete",
        after=2,
        dies="after commit",
    ),
    "second_turn": simply("The next turn is in flight.", "chain", up_to="loop", after=1),
    "failures_open": simply(
        "Calls have failed, one for good; nobody has decided yet what follows.", "mends", up_to="failed"
    ),
    "failure_claimed": simply(
        "A failure is being taken in, by a process that died.", "mends", up_to="failed", dies="before commit"
    ),
    "call_to_be_tried_again": simply("A call that failed waits for its second attempt.", "mends", within_seconds=4),
    "stopped_by_a_limit": simply("The next turn will find its limit reached.", "tight", up_to="loop", after=2),
    "plan_begun": simply("A plan's first step is in flight, the others wait for it.", "plan", up_to="call"),
    "plan_half_done": simply(
        "Two steps of a plan are over, one of them has failed; what depends on it is to be skipped.",
        "plan",
        up_to="failed",
    ),
    "step_claimed": simply(
        "A step that is told another one's result has died.", "plan", up_to="call", after=1, dies="before commit"
    ),
    "plan_made_by_a_model": simply(
        "A model's plan is half done; the model will reflect on it.", "planner", up_to="call", after=1
    ),
    "text_open": simply(
        "A model was in mid-text when its process died: the text is open in the stream.", "talks", dies="before commit"
    ),
    "second_text_open": simply("The same in a later turn.", "talks", up_to="loop", after=1, dies="before commit"),
}
# In the mode in which an invocation continues in place: it dies in the middle of its chain. What it has claimed in its
# last COMMIT is under claims of a process that is gone; one message carries it all.
IN_PLACE = {
    "chain_died": simply(
        "In the third turn of a chain, which its COMMIT before had claimed.", "chain", dies="before commit", spares=4
    ),
    "chain_not_handed_on": simply(
        "After a COMMIT that has claimed the next turn.", "chain", dies="after commit", spares=2
    ),
    "calls_at_once_died": simply(
        "Three calls ran at once when the process died: none of them is recorded.",
        "adds",
        dies="before commit",
        spares=1,
    ),
    "calls_claimed_at_once": simply(
        "A turn's COMMIT has claimed its three calls, and nothing has run yet.", "adds", dies="after commit"
    ),
    "steps_in_place_died": simply(
        "In the middle of a plan, one of whose steps had failed.", "plan", dies="before commit", spares=3
    ),
    "child_in_place_died": simply(
        "A job below was started, and its caller's process died soon after.",
        "supervises",
        dies="before commit",
        spares=4,
    ),
    "text_in_place_open": simply(
        "In mid-text of a turn that was continued in place.", "talks", dies="before commit", spares=2
    ),
}


async def model_to_be_asked_again(m: Maker) -> None:
    """The model was overloaded, twice, and asked for half a minute."""
    m.kit.model_fails = 2
    await m.submit("flaky")
    await m.run(within_seconds=35)
    assert not m.kit.model_fails


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
