"""Situations of waits: operations, events, timers, people, and jobs below."""

from tests.upgrade.maker import HOUR_SECONDS, Maker, simply

_TEA = {"success": True, "result": "tea"}
WAITS = {
    "operation_runs_out": simply(
        "Nobody will say anything: the wait's time is up one day.", "waits", within_seconds=HOUR_SECONDS
    ),
    "timer_waits": simply(
        "A job sleeps for ten days: longer than the queue's longest delay.", "sleeps", within_seconds=HOUR_SECONDS
    ),
    "child_started": simply(
        "A job below was started in its caller's COMMIT, and nobody was told.",
        "supervises",
        up_to="call",
        dies="after commit",
    ),
    "child_works": simply(
        "A job below has calls of its own in flight; its caller waits.", "supervises", up_to="call", after=3
    ),
}


async def operation_waits(m: Maker) -> None:
    """A call waits for somebody outside; the call beside it is over."""
    m.later("POST", await _ordered(m), _TEA, key="operations")


async def operation_refused(m: Maker) -> None:
    """Somebody will say that it did not work."""
    m.later("POST", await _ordered(m), {"success": False, "error": "sold out"}, key="operations")


async def outcome_not_taken_in(m: Maker) -> None:
    """The outcome is recorded, its wait is over, and nothing has followed yet."""
    await m.request("POST", await _ordered(m), _TEA, key="operations")


async def outcome_claimed(m: Maker) -> None:
    """The outcome is being taken in, by a process that died."""
    await m.request("POST", await _ordered(m), _TEA, key="operations")
    await m.die("before commit")


async def outcome_only_witnessed(m: Maker) -> None:
    """The call that completes the operation died before it was recorded: its backup message is all there is."""
    await m.request_and_die("before tell", "POST", await _ordered(m), _TEA, key="operations")


async def outcome_before_its_wait(m: Maker) -> None:
    """The outcome came while the call was still running: it is kept for it."""
    job_id = await m.submit("waits")
    await m.up_to("call")
    path = await m.completion(job_id)
    await m.request("POST", path, {"success": True, "result": "early tea"}, key="operations")


async def outcome_in_the_stream(m: Maker) -> None:
    """Somebody has added the outcome to `operations:completed`; nobody has read it."""
    job_id = await m.submit("waits")
    await m.run(within_seconds=30)
    operation = (await m.completion(job_id)).split("/")[-2]
    fields = ("operation_id", operation, "success", "true", "result", '"tea"')
    m.redis.run([["XADD", "operations:completed", "1800000000000-1", *fields]])


async def event_waits(m: Maker) -> None:
    """A job waits for an event."""
    job_id = await m.submit("hears")
    await m.run()
    m.later("POST", f"/api/agent-jobs/{job_id}/events", {"name": "rain", "data": {"mm": 3}})


async def event_before_its_wait(m: Maker) -> None:
    """The event has happened, and another of no use, before anybody waited."""
    job_id = await m.submit("hears")
    await m.request("POST", f"/api/agent-jobs/{job_id}/events", {"name": "snow", "data": None})
    await m.request("POST", f"/api/agent-jobs/{job_id}/events", {"name": "rain", "data": {"mm": 1}})
    await m.up_to("call")


async def event_only_witnessed(m: Maker) -> None:
    """The call that tells the event died before it was recorded."""
    job_id = await m.submit("hears")
    await m.run()
    await m.request_and_die("before tell", "POST", f"/api/agent-jobs/{job_id}/events", {"name": "rain", "data": 4})


async def approvals_wait(m: Maker) -> None:
    """Two calls wait for a person: one will be approved with other arguments, one rejected."""
    first, second = await m.asked("pays")
    m.later("POST", first, {"arguments": {"to": "Ann", "amount": 4}, "comment": "less"}, key="admin")
    m.later("DELETE", second, {"reason": "too much"}, key="admin")


async def approval_not_taken_in(m: Maker) -> None:
    """A person has decided, and nothing has followed yet; the other question is open, and runs out."""
    first, _ = await m.asked("pays")
    await m.request("POST", first, {}, key="admin")


async def approved_call_claimed(m: Maker) -> None:
    """An approved call has run, and died before its result was recorded."""
    for path in await m.asked("pays"):
        await m.request("POST", path, {}, key="admin")
    await m.up_to("call")
    await m.die("before commit")


async def one_of_two_approved(m: Maker) -> None:
    """Two people must approve; one has, and another will."""
    job_id = await m.submit("lends")
    await m.run()
    (first,) = await m.checkpoints(job_id)
    await m.request("POST", first, {}, key="admin")
    await m.run()
    (second,) = await m.checkpoints(job_id)
    m.later("POST", second, {}, key="second")


async def limit_asked_about(m: Maker) -> None:
    """A limit is reached, and a person will raise it."""
    (path,) = await m.asked("asks")
    m.later("POST", path, {}, key="admin")


async def answer_withheld(m: Maker) -> None:
    """A model asked for more than a limit allows: its answer is withheld, and a person will not raise the limit."""
    (path,) = await m.asked("greedy")
    m.later("DELETE", path, {"reason": "enough"}, key="admin")


async def child_ended(m: Maker) -> None:
    """A job below has ended, and told its caller in the same script; nothing has followed yet."""
    job_id = await m.submit("supervises")
    while not any(call["tool"] == "delegate" and call.get("result") for call in await m.calls(job_id)):
        await m.next()


async def family_cancelled(m: Maker) -> None:
    """A job was cancelled with the one below it at work; their last words are on their way."""
    job_id = await m.submit("supervises")
    await m.up_to("call", after=3)
    await m.request("PATCH", f"/api/agent-jobs/{job_id}", {"action": "cancel"})


async def _ordered(m: Maker) -> str:
    """A call waits for its operation: where that is completed."""
    job_id = await m.submit("waits")
    await m.run()
    return await m.completion(job_id)
