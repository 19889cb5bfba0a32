"""A schedule's message that somebody has captured: it starts no job that the queue has not asked for.

The queue signs URL and body, and each token has an id of its own (`jti`, qstash.md 9); Upstash-Message-Id is in no
signature, so whoever has a signed request can send it with another one, until the token expires.
"""

from collections.abc import AsyncIterator

import pytest

from baton.worker.commands.schedule import recurrence
from baton_events.errors import StoreError
from baton_events.schema import encode_event
from tests.unit.baton.kit.edge import LOOP, Edge
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.signing import signature


class Firings(Edge):
    """A schedule, and its messages as they reach the webhook."""

    def __init__(self) -> None:
        super().__init__()
        job = self.stage.job("answers", "sch_1", session="daily")
        found = recurrence("sch_1", job, {"text": "", "data": {}}, {"cron": "* * * * *", "timeZone": "UTC"})
        self.body = encode_event(found).encode()

    def token(self, jti: str) -> str:
        """What the queue signs for one attempt."""
        return signature(LOOP, self.body, jti=jti)

    async def comes(self, message_id: str, token: str, status: int = 200) -> None:
        response = await self.post(self.body, upstash_message_id=message_id, upstash_signature=token)
        assert response.status_code == status, response.text

    @property
    def jobs(self) -> int:
        return len(self.stage.store.trees)


@pytest.fixture
async def firings() -> AsyncIterator[Firings]:
    made = Firings()
    async with made.client:
        yield made


async def test_a_captured_message_starts_no_second_job_under_another_id(firings: Firings) -> None:
    """However often, and whatever it says of its id; also with padding, which says nothing: what is signed counts."""
    captured = firings.token("jwt_1")
    await firings.comes("msg_1", captured)
    for n, sent in enumerate([captured, captured, f"{captured}="]):
        await firings.comes(f"msg_of_somebody_{n}", sent)
    assert firings.jobs == 1


async def test_each_firing_starts_a_job(firings: Firings) -> None:
    """With a message and a token of its own, also in the same second."""
    for n in range(3):
        await firings.comes(f"msg_{n}", firings.token(f"jwt_{n}"))
    assert firings.jobs == 3


async def test_who_comes_before_the_queue_does_not_take_its_job(firings: Firings) -> None:
    """A captured message is sent first, and dies: the queue's own one starts the job, and only one."""
    captured = firings.token("jwt_1")
    fail(firings.stage.store, "create", StoreError("away"))
    await firings.comes("msg_of_somebody", captured, 503)
    await firings.comes("msg_1", captured)
    await firings.comes("msg_of_somebody", captured)
    assert firings.jobs == 1


async def test_what_cannot_be_looked_up_is_not_started(firings: Firings) -> None:
    """503: the queue brings it again."""
    fail(firings.stage.admission, "first_value", StoreError("away"))
    await firings.comes("msg_1", firings.token("jwt_1"), 503)
    assert firings.jobs == 0
    await firings.comes("msg_1", firings.token("jwt_2"))
    assert firings.jobs == 1
