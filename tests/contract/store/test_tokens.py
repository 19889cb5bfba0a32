"""What is known of the queue's tokens: each speaks for one message, for far longer than it is valid."""

from baton.engine.all_jobs.slots import FIRST_VALUE_KEPT_MS
from baton.storage.redis import keys
from baton.storage.redis.admission import RedisAdmission
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import SLOTS, Side, connection_to


async def test_a_token_speaks_for_the_message_that_it_came_with_first(side: Side) -> None:
    """However often it comes, and with whatever message; another token speaks for itself."""
    assert await side.admission.first_value("header.claims", "msg_1") == "msg_1"
    assert await side.admission.first_value("header.claims", "msg_2") == "msg_1"
    assert await side.admission.first_value("header.claims", "msg_1") == "msg_1"
    assert await side.admission.first_value("header.others", "msg_1") == "msg_1"


async def test_what_is_known_of_a_token_expires(redis_process: RedisProcess) -> None:
    """An hour after it came first, whoever asked since."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        for message_id in ("msg_1", "msg_2"):
            await RedisAdmission(connection, SLOTS, 60_000).first_value("header.claims", message_id)
        assert 300_000 < redis_process.request("PTTL", keys.first_value_key("header.claims")) <= FIRST_VALUE_KEPT_MS
    finally:
        await connection.close()
