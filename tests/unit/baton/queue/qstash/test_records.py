"""The queue's records: what is no id is asked of nobody."""

import pytest

from baton.queue.qstash.records import QStashRecords
from baton_events.errors import QueueUnreachableError
from tests.unit.baton.kit.stage import SETTINGS


@pytest.mark.parametrize("message_id", ["", "a\0b", "..", "../dlq", "a/b", "a?b", "a\r\nb", "\ud800", "m" * 10_000])
async def test_what_is_no_id_of_a_message_leads_to_no_other_address(message_id: str) -> None:
    assert await QStashRecords(SETTINGS).message(message_id) is None


async def test_an_id_is_asked_of_the_queue() -> None:
    with pytest.raises(QueueUnreachableError):
        await QStashRecords(SETTINGS).message("msg_7YoJxFpwkEy5zBp378JgvD6YBDPB")
