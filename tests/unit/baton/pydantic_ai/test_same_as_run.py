"""A durable agent gives the same output, messages and usage as `agent.run`, feature by feature."""

import json
from collections.abc import Callable

import pytest

from tests.fakes import FakeStore
from tests.unit.baton.pydantic_ai.documented_agents import Case
from tests.unit.baton.pydantic_ai.documented_features import DOCUMENTED
from tests.unit.baton.pydantic_ai.played import check_same, played


@pytest.mark.parametrize("inline", [False, True], ids=["by messages", "in place"])
@pytest.mark.parametrize("make", DOCUMENTED, ids=lambda make: make.__name__)
async def test_a_job_is_as_a_run(make: Callable[[], Case], *, inline: bool) -> None:
    """But for ids and times."""
    expected, store = await make().run(), FakeStore()
    snapshot = await played(make().durable(), store, inline=inline)
    transcript = [json.loads(text) for text in store.tree(snapshot.job.id).transcript[snapshot.job.id]]
    check_same(snapshot, transcript, expected)
