"""Situations of a job's life around its work: facts, slots, sessions, schedules, ends, sweeps, lost messages."""

from baton_events.schema import SWEEP_ENDPOINT
from tests.upgrade.maker import Maker, kind_of, simply

_SUBMISSION = {"jobType": "adds", "taskDescription": "do it"}
LIFE = {
    "to_start_later": simply("A job that is to start in an hour.", "answers", delaySeconds=3_600, priority=9),
    "wish_open": simply(
        "A job has ended, and slot requests to be gone: the admission has not heard it.",
        "answers",
        up_to="loop",
        dies="after commit",
    ),
    "to_be_remembered": simply(
        "A job has ended; its question and answer are to be remembered.",
        "remembers",
        sessionId="same",
        dies="after commit",
    ),
}


async def submission_only_witnessed(m: Maker) -> None:
    """The call that submitted the job died before it was created: its backup message is all there is."""
    await m.request_and_die("before create", "POST", "/api/agent-jobs", _SUBMISSION)


async def creation_not_handed_on(m: Maker) -> None:
    """The job is created, and the call died before it dispatched."""
    await m.request_and_die("after create", "POST", "/api/agent-jobs", _SUBMISSION)


async def in_line(m: Maker) -> None:
    """Both slots are taken; two jobs of different priority wait for one, their slot requests unheeded."""
    for number in range(4):
        await m.submit("adds", sessionId=f"s{number}", priority=number)
    await m.up_to("call")


async def wish_claimed(m: Maker) -> None:
    """The admission has heard the slot request, and the process died before that was recorded."""
    await m.submit("answers")
    await m.die("after commit")
    await m.up_to("wish")
    await m.die("before commit")


async def slot_given(m: Maker) -> None:
    """A job in line was given the slot of one that ended; the word is on its way."""
    for number in range(3):
        await m.submit("answers", sessionId=f"s{number}")
    while not any(kind_of(message) == "wish" for message in m.queue.messages.values()):
        await m.next()


async def woken_up(m: Maker) -> None:
    """A job that only waited held no slot; its outcome has come, and it requests one again."""
    job_id = await m.submit("waits")
    await m.run()
    await m.request("POST", await m.completion(job_id), {"success": True, "result": "tea"}, key="operations")
    await m.next()


async def stopped(m: Maker) -> None:
    """An operator has stopped the admission; a job waits for the start."""
    await m.submit("adds", sessionId="before")
    await m.request("DELETE", "/api/admin/agent-worker", key="admin")
    await m.submit("adds", sessionId="after")
    m.later("POST", "/api/admin/agent-worker", key="admin")


async def session_line(m: Maker) -> None:
    """Three jobs of one session: one works, two wait in order."""
    for agent in ("adds", "chain", "answers"):
        await m.submit(agent, sessionId="same")
    await m.up_to("call")


async def session_interrupted(m: Maker) -> None:
    """A job of a session was interrupted by the next one."""
    await m.submit("adds", sessionId="same")
    await m.up_to("call")
    await m.submit("answers", sessionId="same", whenBusy="interrupt")


async def session_steered(m: Maker) -> None:
    """A job was rolled back; the running one has a message that its model has not got yet."""
    await m.submit("answers", sessionId="same")
    await m.submit("adds", sessionId="same", whenBusy="rollback")
    await m.up_to("call")
    await m.submit("answers", sessionId="same", whenBusy="steer")


async def chat_goes_on(m: Maker) -> None:
    """The second question of a chat: its first turn was told what was said before, which is recorded."""
    await m.chat("chats", "first", "What did you say?")
    await m.run(within_seconds=30)
    await m.chat("chats", "second", "And then?")
    await m.up_to("call")


async def remembering_claimed(m: Maker) -> None:
    """The process that remembers the second job of a session died; the first is in the session's memory."""
    await m.submit("remembers", sessionId="same")
    await m.run(within_seconds=30)
    await m.submit("remembers", sessionId="same")
    await m.die("before commit", spares=2)  # its turn's, and its slot request's


async def cancelled(m: Maker) -> None:
    """A job was cancelled at work; its last word is on its way, and the backup message."""
    job_id = await m.submit("adds")
    await m.up_to("call")
    await m.request("PATCH", f"/api/agent-jobs/{job_id}", {"action": "cancel"})


async def cancellation_only_witnessed(m: Maker) -> None:
    """The call that cancels died before it was recorded; the job waits for somebody."""
    job_id = await m.submit("waits")
    await m.run()
    await m.request_and_die("before record", "PATCH", f"/api/agent-jobs/{job_id}", {"action": "cancel"})


async def retried_from_failure(m: Maker) -> None:
    """A plan that failed at its second step was retried: the first one does not run again."""
    job_id = await _failed(m)
    await m.request("PATCH", f"/api/agent-jobs/{job_id}", {"action": "retry", "from": "failure"})
    await m.next()


async def retried_from_start(m: Maker) -> None:
    """The same, from its start: the first step runs again."""
    job_id = await _failed(m)
    await m.request("PATCH", f"/api/agent-jobs/{job_id}", {"action": "retry", "from": "start"})
    await m.up_to("complete", after=1)


async def retry_only_witnessed(m: Maker) -> None:
    """The call that retries died before it was recorded."""
    job_id = await _failed(m)
    await m.request_and_die(
        "before record", "PATCH", f"/api/agent-jobs/{job_id}", {"action": "retry", "from": "failure"}
    )


async def removed(m: Maker) -> None:
    """An ended job was deleted: a tombstone stands, and a backup message that would create it is on its way."""
    job_id = await m.submit("answers")
    await m.run(within_seconds=30)
    await m.request("DELETE", f"/api/agent-jobs/{job_id}")


async def ended(m: Maker) -> None:
    """Jobs have ended in each way; everything was said."""
    await m.submit("adds", sessionId="one")
    await _failed(m)
    await m.run(within_seconds=86_400)


async def schedule_ticks(m: Maker) -> None:
    """A schedule's message is on its way; its job is not there yet."""
    body = {"jobType": "adds", "taskDescription": "again", "cron": "0 8 * * *", "timeZone": "Europe/Berlin"}
    made = await m.request("POST", "/api/agent-schedules", body)
    m.queue.put("/workers/agent-loop", m.schedule_body(made["id"]))


async def schedule_ticked(m: Maker) -> None:
    """The job of a schedule's message is at work; the same message comes a second time."""
    await schedule_ticks(m)
    (message,) = m.queue.messages.values()
    await m.up_to("call")
    m.queue.messages[message.id] = message


async def sweep_armed(m: Maker) -> None:
    """The queue has lost the calls' messages: only the sweep that is armed knows what is missing."""
    await m.submit("adds")
    await m.up_to("call")
    m.drop("call", "submit")


async def sweep_of_everything(m: Maker) -> None:
    """No sweep is armed any more; the hourly one is on its way."""
    await m.submit("adds")
    await m.up_to("complete")
    m.drop("complete", "submit", "sweep")
    m.clock.ms += 3_600_000
    m.queue.put(SWEEP_ENDPOINT, "")


async def sweep_given_up(m: Maker) -> None:
    """The queue gave up delivering a sweep, and says so."""
    await m.submit("adds")
    await m.up_to("call")
    m.drop("call", "submit")
    m.give_up("sweep", 503, b'{"detail":"the store was down"}')


async def call_given_up(m: Maker) -> None:
    """The queue gave up delivering a call, for the second time, and says so; the first time is counted."""
    await m.submit("adds")
    await m.up_to("call")
    m.give_up("call", 503, b'{"detail":"the store was down"}')
    await m.up_to("delivery-failed")
    await m.next()
    m.give_up("call", 503, b'{"detail":"the store was down"}')


async def witness_given_up(m: Maker) -> None:
    """The queue gave up delivering the backup message of a submission that a failover forgot, and says so."""
    await submission_only_witnessed(m)
    m.drop("sweep")
    m.give_up("submit", 0, b"")


async def _failed(m: Maker) -> str:
    """A plan whose second step has failed it."""
    m.kit.tool_breaks = True
    job_id = await m.submit("breaks", sessionId="breaking")
    await m.run(within_seconds=30)
    m.kit.tool_breaks = False
    return job_id
