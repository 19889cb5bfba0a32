"""A job whose calls came to more than the store answers at once can be read."""

import json
from collections.abc import Sequence
from typing import Any

from baton.engine.effects import Changes
from baton.storage.redis.connection import RedisConnection
from baton.storage.redis.reader import RedisReader, pieces
from baton_events.errors import StoreAnswerError
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, SPENT, claim_of, fan_out
from tests.contract.store.side import side_over

ANSWER_LIMIT_BYTES = 10_000_000


class Narrow(RedisConnection):
    """A store as the hosted one: it answers no more than so much at once."""

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        answers = await super().pipeline(*commands)
        _within(answers)
        return answers

    async def execute(self, *command: str | int) -> Any:
        return _within(await super().execute(*command))


def _within(answer: Any) -> Any:
    size_bytes = len(json.dumps(answer))
    if size_bytes > ANSWER_LIMIT_BYTES:
        raise StoreAnswerError(f"an answer of {size_bytes} bytes")
    return answer


async def test_a_job_with_twelve_results_of_nearly_a_megabyte_is_read(redis_process: RedisProcess) -> None:
    redis_process.request("FLUSHALL")
    connection = Narrow(redis_process.settings())
    try:
        side = side_over(connection)
        items = await fan_out(side, 12)
        for item in items:
            text = json.dumps({"ok": f"{item.position}" * 900_000})
            assert (await side.store.commit(claim_of(item, "m"), Changes(results={item.call_id: text}), SPENT)).applied
        found = await RedisReader(connection).job(JOB_ID)
    finally:
        await connection.close()
    assert found is not None
    assert {call_id: len(result["ok"]) for call_id, result in found.results.items()} == {
        item.call_id: 900_000 * len(str(item.position)) for item in items
    }
    assert [call.id for call in found.calls] == [item.call_id for item in items]


def test_pieces_are_together_no_more_than_so_much() -> None:
    sized = [("a", 4), ("b", 6), ("c", 1), ("d", 20), ("e", 2), ("f", 8)]
    assert list(pieces(sized, 10)) == [["a", "b"], ["c"], ["d"], ["e", "f"]]
