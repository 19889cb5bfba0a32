"""How values, the lines of a timeline, and the graph of a plan look."""

import json

import pytest

from baton.engine import stream_parts
from baton.sdk.records.limits import Limits
from baton.server.console import shown
from baton.server.console.plan_graph import plan_graph
from baton.server.console.timeline import Timeline
from baton.worker.runtime.job_view import job_view
from tests.unit.baton.kit.plan_kit import Kit, diamond, stage_of
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import operator_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (59, "59 s ago"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
        (-90, "in 1 min"),
        (-86_394, "in 24 h"),
        (-604_500, "in 7 d"),
    ],
)
def test_times_are_reported_from_now(seconds: int, text: str) -> None:
    assert shown.ago(1_000_000_000, 1_000_000_000 + seconds * 1000) == text


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(7, "7 ms"), (3_249, "3.2 s"), (312_000, "5 min 12 s"), (7_500_000, "2 h 5 min")]
)
def test_durations_have_two_counters(duration_ms: int, text: str) -> None:
    assert shown.lasted(duration_ms) == text


@pytest.mark.parametrize(("value", "text"), [(0, "$0"), (0.00012, "$0.00012"), (1.256, "$1.26"), (1e-8, "<$0.000001")])
def test_money_keeps_what_is_small(value: float, text: str) -> None:
    assert shown.usd(value) == text


def test_a_time_on_the_wire_is_read_to_the_millisecond() -> None:
    assert shown.exact(shown.ms("2026-11-20T09:03:25.120Z")) == "2026-11-20T09:03:25.120Z"


def _part(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def test_text_that_streams_is_one_line_that_grows() -> None:
    timeline = Timeline()
    first = timeline.take(stream_parts.text("text-1", "Hel")[:2])
    second = timeline.take([_part("text-delta", id="text-1", delta="lo"), _part("text-end", id="text-1")])
    assert [(line.key, line.text, line.open) for line in (*first, *second)] == [
        ("says-text-1", "Hel", True),
        ("says-text-1", "Hello", False),
    ]
    (line,) = timeline.take([_part("data-retry", data={"textId": "text-1"})])
    assert (line.key, line.kind, line.text) == ("says-text-1", "left", "Hello"), "an abandoned attempt is no answer"


def test_what_comes_in_one_go_or_part_by_part_is_the_same() -> None:
    """So a browser that comes back sees what one that stayed sees."""
    found = [
        *stream_parts.text("text-1", "a"),
        _part("tool-input-available", toolCallId="c", toolName="add", input={"a": 1}),
    ]
    found += [_part("data-progress", data={"callId": "c", "fraction": 0.5, "text": "half"})] * 2
    found += [stream_parts.tool_output("c", "3"), *stream_parts.finish("completed")]
    at_once, one_by_one = Timeline(), Timeline()
    at_once.take(found)
    for part in found:
        one_by_one.take([part])
    assert at_once.lines == one_by_one.lines
    assert [line.what for line in at_once.lines.values()] == ["says", "asks add", "add at", "add answers", "ends"]


def test_parts_of_another_version_are_shown_by_their_names() -> None:
    """Unknown kinds are no error, nor known ones in another shape: nothing that a job says breaks its page."""
    parts = [_part("data-something-new", data={"a": 1}), _part("brand-new"), _part("data-odd", data=3)]
    parts += [_part("data-event", data={"type": 3}), _part("text-delta"), _part("tool-output-error")]
    names = ["something new", "brand-new", "data-odd", "data-event", "text-delta", "tool-output-error"]
    assert [line.what for line in Timeline().take(parts)] == names


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
    assert [node.about for node in graph.nodes] == [*["say, completed"] * 3, "join, completed"]
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
