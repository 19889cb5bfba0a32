"""What the doctor says of the queue's account and of the signing keys."""

from dataclasses import dataclass, replace

import pytest

from baton.queue.account import SigningKeys
from baton.settings.settings import Settings
from baton_events.errors import MessageNotFoundError, PublishError, QueueUnauthorizedError, QueueUnreachableError
from baton_local.doctor.finding import Level
from baton_local.doctor.queue import check_queue, judge_keys
from tests.fakes.queue_setup import FakeQueueSetup

SETTINGS = Settings(qstash_token="token", current_signing_key="sig_1", next_signing_key="sig_2")
ACCOUNT = SigningKeys("sig_1", "sig_2")


@dataclass
class Broken(FakeQueueSetup):
    error: PublishError | None = None

    async def signing_keys(self) -> SigningKeys:
        assert self.error is not None
        raise self.error


@pytest.mark.parametrize(
    ("error", "text", "way_out"),
    [
        (QueueUnauthorizedError("https://q"), "refused the token: check QSTASH_TOKEN", "copy the token again"),
        (QueueUnreachableError("https://q", "ConnectError"), "no answer from the queue", "check QSTASH_URL"),
        (MessageNotFoundError("no such path"), "is not the queue", "without any path"),
        (PublishError("no usable answer"), "no usable answer", "does not answer as QStash does"),
    ],
)
async def test_each_way_not_to_get_in_has_its_message(error: PublishError, text: str, way_out: str) -> None:
    """And its way out; seed 000's "Authentication Errors" is the first; an account with our keys is well."""
    assert [each.level for each in await check_queue(FakeQueueSetup(), SETTINGS)] == [Level.OK, Level.OK]
    (found,) = await check_queue(Broken(error=error), SETTINGS)
    assert (found.level, text in found.text, way_out in found.way_out) == (Level.FAILED, True, True), found


@pytest.mark.parametrize(
    ("ours", "level", "text"),
    [
        (("sig_1", "sig_2"), Level.OK, "are the account's"),
        (("sig_2", "sig_1"), Level.WARNING, "swapped"),
        (("sig_0", "sig_1"), Level.WARNING, "were rolled; messages are accepted by the next key only"),
        (("sig_1", "sig_9"), Level.WARNING, "will be refused once the keys are rolled"),
        (("sig_1", ""), Level.WARNING, "will be refused once the keys are rolled"),
        (("sig_8", "sig_9"), Level.FAILED, "every message is a 401"),
        (("sig_2", ""), Level.FAILED, "every message is a 401"),
    ],
)
def test_each_difference_of_keys_has_its_message(ours: tuple[str, str], level: Level, text: str) -> None:
    settings = replace(SETTINGS, current_signing_key=ours[0], next_signing_key=ours[1])
    found = judge_keys(settings, ACCOUNT)
    assert (found.level, text in found.text) == (level, True), found
    assert "sig_" not in found.text + found.way_out
    assert (found.way_out == "") is (level is Level.OK)
