"""What the Python SDKs' clients have beside commands."""

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer, VectorServer
from tests.contract.coverage.client_cases import CASES, Servers

# Several methods may share a case: one run of it shows them all.
CASES_ONCE = {case.__name__: case for case in CASES.values()}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name", CASES_ONCE)
async def test_it_works_and_reports_errors(
    qstash_server: QStashServer, redis_server: RedisServer, vector_server: VectorServer, name: str, kind: str
) -> None:
    """Sync and async."""
    await CASES_ONCE[name](Servers(qstash_server, redis_server, vector_server, kind))
