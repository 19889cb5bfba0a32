from pathlib import Path

import pytest
from qstash.errors import DailyMessageLimitExceededError, RateLimitExceededError

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.either_client import EitherClient
from tests.unit.baton_local.qstash.server_process import ServerProcess


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_limits_raise_the_sdks_own_errors(tmp_path: Path, kind: str) -> None:
    """Which headers come decides which error it is."""
    with ServerProcess(tmp_path, "--max-calls-per-second", "1", "--max-messages-per-day", "1") as server:
        client = EitherClient(kind, DEVELOPMENT_USERS[0].token, server.url)
        await client.message.publish(url="https://example.invalid/", delay="1h")
        with pytest.raises(DailyMessageLimitExceededError) as daily:
            await client.message.publish(url="https://example.invalid/", delay="1h")
        assert (daily.value.limit, daily.value.remaining) == ("1", "0")

        async def call_often() -> None:
            for _ in range(20):
                await client.queue.list()

        with pytest.raises(RateLimitExceededError) as burst:
            await call_often()
        assert burst.value.limit == "1"
        await client.close()
