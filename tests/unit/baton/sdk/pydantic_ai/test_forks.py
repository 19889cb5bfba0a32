"""Each fork of a job leads to what `agent.run` leads to: output, messages and usage, feature by feature."""

import pytest

from baton import Registry
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.sdk.pydantic_ai.documented_features import DOCUMENTED
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, check_same

_QUICK = {"text", "retry_beside_others", "file_returned", "sequential_tool"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in _QUICK else pytest.mark.long) for name in DOCUMENTED]
)
async def test_a_fork_is_as_its_job(name: str) -> None:
    """Output, messages and usage; what is taken over asks nobody."""
    expected, case = await DOCUMENTED[name]().run(), DOCUMENTED[name]()
    stage = PlayedStage(registry=Registry([case.durable()]))
    await stage.submit("agent")
    await stage.run()
    turns = (await stage.snapshot()).job.used.turns
    for turn in range(1, turns + 1):
        if case.fresh is not None:
            case.fresh()
        forked = await fork(stage, turn)
        check_same(forked, await stage.reader.transcript(forked.job.id), expected)
        assert forked.job.used.cached_calls == turn - 1
