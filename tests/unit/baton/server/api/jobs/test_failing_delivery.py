"""What a job waits for while the queue cannot deliver its message."""

from baton_events.errors import QueueUnreachableError
from tests.unit.baton.server.api.client import Api


async def waiting(api: Api, job_id: str) -> str:
    return str((await api.read(job_id))["waitingFor"])


async def test_a_late_job_says_how_its_delivery_fails(api: Api) -> None:
    """Not before it is late, and no longer once its message has arrived; a queue that is away changes nothing."""
    job_id = (await api.submitted())["id"]
    message_id = next(name for name, sent in api.stage.queue.published if sent.label == job_id)
    api.stage.records.happen(message_id, "ERROR", status=503)
    assert await waiting(api, job_id) == "the model's turn 1"
    api.stage.clock.ms += 5_000
    assert await waiting(api, job_id) == f"its message {message_id} to be delivered: an attempt failed, with 503"
    api.stage.records.happen(message_id, "ERROR")
    api.stage.records.happen(message_id, "RETRY", next_ms=api.stage.clock.ms + 1_000)
    assert (await waiting(api, job_id)).endswith(
        "2 attempts failed, the last with 503; the next one is at 2027-01-15T08:00:06.000Z"
    )
    api.stage.records.happen(message_id, "FAILED", status=500)
    assert "which the queue has given up on: 3 attempts failed, the last with 500" in await waiting(api, job_id)
    api.stage.records.failing.append(QueueUnreachableError("http://queue.test", "down"))
    assert await waiting(api, job_id) == "the model's turn 1"
    api.stage.records.happen(message_id, "DELIVERED", status=200)
    assert await waiting(api, job_id) == "the model's turn 1"
