"""Situations of waits: operations, events, timers, people, and jobs below."""

from typing import Any

from tests.upgrade.maker import Maker


async def operation_waits(m: Maker) -> None:
    """A call waits for somebody outside; the call beside it is over."""
    job_id = await m.submit("waits")
    await m.run()
    m.later("POST", await _completion(m, job_id), {"success": True, "result": "tea"}, key="operations")


async def operation_runs_out(m: Maker) -> None:
    """Nobody will say anything: the wait's time is up one day."""
    await m.submit("waits")
    await m.run()


async def operation_refused(m: Maker) -> None:
    """Somebody will say that it did not work."""
    job_id = await m.submit("waits")
    await m.run()
    m.later("POST", await _completion(m, job_id), {"success": False, "error": "sold out"}, key="operations")


async def outcome_not_taken_in(m: Maker) -> None:
    """The outcome is recorded, its wait is over, and nothing has followed yet."""
    job_id = await m.submit("waits")
    await m.run()
    await m.request("POST", await _completion(m, job_id), {"success": True, "result": "tea"}, key="operations")


async def outcome_claimed(m: Maker) -> None:
    """The outcome is being taken in, by a process that died."""
    job_id = await m.submit("waits")
    await m.run()
    await m.request("POST", await _completion(m, job_id), {"success": True, "result": "tea"}, key="operations")
    await m.die("before commit")


async def outcome_only_witnessed(m: Maker) -> None:
    """The call that completes the operation died before it was recorded: its backup message is all there is."""
    job_id = await m.submit("waits")
    await m.run()
    path = await _completion(m, job_id)
    body: dict[str, Any] = {"success": True, "result": "tea"}
    await m.request_and_die("before tell", "POST", path, body, key="operations")


async def outcome_before_its_wait(m: Maker) -> None:
    """The outcome came while the call was still running: it is kept for it."""
    job_id = await m.submit("waits")
    await m.up_to("call")
    path = await _completion(m, job_id)
    await m.request("POST", path, {"success": True, "result": "early tea"}, key="operations")


async def outcome_in_the_stream(m: Maker) -> None:
    """Somebody has added the outcome to `operations:completed`; nobody has read it."""
    job_id = await m.submit("waits")
    await m.run(within_seconds=30)
    operation = (await _completion(m, job_id)).split("/")[-2]
    m.redis.run(
        [
            [
                "XADD",
                "operations:completed",
                "1800000000000-1",
                "operation_id",
                operation,
                "success",
                "true",
                "result",
                '"tea"',
            ]
        ]
    )


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


async def timer_waits(m: Maker) -> None:
    """A job sleeps for ten days: longer than the queue's longest delay."""
    await m.submit("sleeps")
    await m.run()


async def approvals_wait(m: Maker) -> None:
    """Two calls wait for a person: one will be approved with other arguments, one rejected."""
    job_id = await m.submit("pays")
    await m.run()
    first, second = (point["id"] for point in await m.checkpoints(job_id))
    edited = {"arguments": {"to": "Ann", "amount": 4}, "comment": "less"}
    m.later("POST", f"/api/admin/agent-checkpoints/{first}", edited, key="admin")
    m.later("DELETE", f"/api/admin/agent-checkpoints/{second}", {"reason": "too much"}, key="admin")


async def approval_not_taken_in(m: Maker) -> None:
    """A person has decided, and nothing has followed yet; the other question is open, and runs out."""
    job_id = await m.submit("pays")
    await m.run()
    first = (await m.checkpoints(job_id))[0]["id"]
    await m.request("POST", f"/api/admin/agent-checkpoints/{first}", {}, key="admin")


async def approved_call_claimed(m: Maker) -> None:
    """An approved call has run, and died before its result was recorded."""
    job_id = await m.submit("pays")
    await m.run()
    for point in await m.checkpoints(job_id):
        await m.request("POST", f"/api/admin/agent-checkpoints/{point['id']}", {}, key="admin")
    await m.up_to("call")
    await m.die("before commit")


async def one_of_two_approved(m: Maker) -> None:
    """Two people must approve; one has, and another will."""
    job_id = await m.submit("lends")
    await m.run()
    (first,) = await m.checkpoints(job_id)
    await m.request("POST", f"/api/admin/agent-checkpoints/{first['id']}", {}, key="admin")
    await m.run()
    (second,) = await m.checkpoints(job_id)
    m.later("POST", f"/api/admin/agent-checkpoints/{second['id']}", {}, key="second")


async def limit_asked_about(m: Maker) -> None:
    """A limit is reached, and a person will raise it."""
    job_id = await m.submit("asks")
    await m.run()
    (point,) = await m.checkpoints(job_id)
    m.later("POST", f"/api/admin/agent-checkpoints/{point['id']}", {}, key="admin")


async def answer_withheld(m: Maker) -> None:
    """A model asked for more than a limit allows: its answer is withheld, and a person will not raise the limit."""
    job_id = await m.submit("greedy")
    await m.run()
    (point,) = await m.checkpoints(job_id)
    m.later("DELETE", f"/api/admin/agent-checkpoints/{point['id']}", {"reason": "enough"}, key="admin")


async def child_started(m: Maker) -> None:
    """A job below was started in its caller's COMMIT, and nobody was told."""
    await m.submit("supervises")
    await m.up_to("call")
    await m.die("after commit")


async def child_works(m: Maker) -> None:
    """A job below has calls of its own in flight; its caller waits."""
    await m.submit("supervises")
    await m.up_to("call", after=3)


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


async def _completion(m: Maker, job_id: str) -> str:
    """Where the job's operation is completed."""
    (call,) = [call for call in await m.calls(job_id) if call["tool"] == "order"]
    return f"/api/operations/op_{call['id']}/complete"


WAITS = (
    operation_waits,
    operation_runs_out,
    operation_refused,
    outcome_not_taken_in,
    outcome_claimed,
    outcome_only_witnessed,
    outcome_before_its_wait,
    outcome_in_the_stream,
    event_waits,
    event_before_its_wait,
    event_only_witnessed,
    timer_waits,
    approvals_wait,
    approval_not_taken_in,
    approved_call_claimed,
    one_of_two_approved,
    limit_asked_about,
    answer_withheld,
    child_started,
    child_works,
    child_ended,
    family_cancelled,
)
