"""A plan is drawn in layers: a step stands to the right of all that come before it."""

from baton.console.plan_graph import plan_graph
from baton.runtime.job_view import job_view
from baton.sdk.limits import Limits
from tests.unit.baton.api.client import with_keys
from tests.unit.baton.console.operator import operator_of
from tests.unit.baton.kit.plan_kit import Kit, diamond, stage_of
from tests.unit.baton.kit.stage import Stage


async def test_steps_stand_after_what_they_depend_on() -> None:
    """Those of one layer below each other, each with its state and a link; edges lead from side to side."""
    stage = await stage_of(diamond(Kit()), Limits())
    await stage.run()
    snapshot = await stage.snapshot()
    graph = plan_graph(job_view(snapshot, 0), snapshot.calls)
    assert graph is not None
    assert {node.name: (node.x, node.y) for node in graph.nodes} == {
        "top": (8, 8),
        "left": (228, 8),
        "right": (228, 68),
        "bottom": (448, 8),
    }
    assert min(graph.edges) == "M178 30C203 30 203 30 228 30"
    assert len(graph.edges) == 4
    assert [node.about for node in graph.nodes] == [
        "say, completed",
        "say, completed",
        "say, completed",
        "join, completed",
    ]
    assert graph.nodes[0].href == f"/console/jobs/job_1/calls/{snapshot.calls[0].id}"
    assert plan_graph(job_view(snapshot, 0), snapshot.calls, 2) is None


async def test_the_graph_changes_with_its_job() -> None:
    """The same piece stands in the page and among its changes, from the moment that there is a plan."""
    planned = await stage_of(diamond(Kit()))
    async with operator_of(Stage(settings=with_keys(), registry=planned.container.registry)) as operator:
        await operator.stage.submit("planned")
        assert "h-plan" not in await operator.see("/console/jobs/job_1")
        await operator.stage.run()
        assert '<svg class=\\"plan\\"' in await operator.see("/console/jobs/job_1/live")
        assert (await operator.see("/console/jobs/job_1")).count('class="s-completed"') == 4
