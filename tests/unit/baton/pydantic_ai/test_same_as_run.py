"""A durable agent gives the same output, messages and usage as `agent.run`, feature by feature."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import to_jsonable_python

from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from tests.fakes import FakeStore
from tests.unit.baton.pydantic_ai.documented_agents import Case
from tests.unit.baton.pydantic_ai.documented_features import DOCUMENTED
from tests.unit.baton.pydantic_ai.played import comparable, counted, played, state_of


@pytest.mark.parametrize("inline", [False, True], ids=["by messages", "in place"])
@pytest.mark.parametrize("make", DOCUMENTED, ids=lambda make: make.__name__)
async def test_a_job_is_as_a_run(make: Callable[[], Case], *, inline: bool) -> None:
    """But for ids and times."""
    case = make()
    expected = await case.agent.run(case.prompt, deps=case.deps, usage_limits=case.limits)
    case, store = make(), FakeStore()
    given: Any = {"deps": lambda _: case.deps, "prompt": lambda _: case.prompt, "usage_limits": case.limits}
    agent = durable(case.agent, name="agent", **given)
    snapshot = await played(agent, store, inline=inline)
    assert (snapshot.job.status, snapshot.job.error) == (JobStatus.COMPLETED, None)
    state = await state_of(store, snapshot)
    assert comparable(state.messages) == comparable(expected.all_messages())
    assert snapshot.job.result is not None
    assert snapshot.job.result.get("output") == to_jsonable_python(expected.output)
    assert counted(state.usage) == counted(expected.usage)
