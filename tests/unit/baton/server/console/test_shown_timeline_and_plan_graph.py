"""How values, the lines of a timeline, and the graph of a plan look."""

import json

import pytest
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.records.limits import Limits
from baton.sdk.records.transcript import Failure
from baton.server.console import shown
from baton.server.console.plan_graph import plan_graph
from baton.server.console.timeline import Timeline
from baton.store.records.jobs import Snapshot
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
        (-43_199, "in 12 h"),
        (-43_200, "today 18:00 UTC"),
        (-70_000, "tomorrow 01:26 UTC"),
        (-86_394, "tomorrow 05:59 UTC"),
        (-172_800, "Saturday 06:00 UTC"),
        (-604_800, "22 Jan 1970 06:00 UTC"),
    ],
)
def test_times_are_reported_from_now_and_those_to_come_by_their_day(seconds: int, text: str) -> None:
    now_ms = (14 * 86_400 + 6 * 3_600) * 1_000  # a Thursday
    assert shown.ago(now_ms - seconds * 1000, now_ms) == text


def test_a_text_is_split_at_its_times() -> None:
    at_ms = shown.ms("2026-11-20T09:03:25.120Z")
    assert shown.timed("a decision, until 2026-11-20T09:03:25.120Z: b") == [("a decision, until ", at_ms), (": b", 0)]
    assert shown.timed("nothing") == [("nothing", 0)]


TRACE = """Traceback (most recent call last):
  File "/srv/app/my_company/agents.py", line 12, in pay
  File "/srv/app/.venv/lib/python3.12/site-packages/httpx/_client.py", line 88, in send
httpx.ConnectError"""


def test_failed_jobs_are_grouped_by_what_has_failed() -> None:
    """Numbers, ids and addresses make no difference; agents and kinds do."""

    def failed(number: int, message: str, *, agent: str = "a", kind: str = "boom") -> Snapshot:
        error = Failure(kind, message, traceback=TRACE)
        job = Job(f"job_{number}", "s", "t", agent, 0, status=JobStatus.FAILED, error=error, finished_at_ms=number)
        return Snapshot(job, {})

    jobs = [failed(9 - n, f"could not connect to 10.0.0.{n}:6379 within 5 s") for n in range(5)]
    jobs += [failed(3, "could not read"), failed(2, "could not read", agent="b"), failed(1, "could not read", kind="c")]
    first, *others = shown.errors_of([*jobs, Snapshot(replace(jobs[0].job, error=None), {})])
    assert (first["count"], first["first_ms"], first["last_ms"]) == (5, 5, 9)
    assert first["jobs"] == ["job_9", "job_8", "job_7"]
    assert first["place"] == "my_company/agents.py, line 12"
    assert first["query"] == {"status": "failed", "jobType": "a", "q": '"could not connect to"'}
    assert [(each["agent"], each["type"], each["count"]) for each in others] == [
        ("a", "boom", 1),
        ("b", "boom", 1),
        ("a", "c", 1),
    ]


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
