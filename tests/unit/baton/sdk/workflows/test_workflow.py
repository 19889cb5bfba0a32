"""Workflows: what runs of them come to, plainly and with a crash at each point."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Registry
from baton.sdk.workflows.workflow import workflow
from baton.testing import Approve, Reject, Simulation
from baton.testing.records import Decide
from tests.unit.baton.sdk.workflows import flows

ORDER: dict[str, Any] = {"id": "o1", "cents": 5, "lines": [{"sku": "a", "count": 2}, {"sku": "b"}]}
RECEIPT = {"id": "o1", "cents": 7, "note": "thanks 2 True"}


def simulation() -> Simulation:
    return Simulation(Registry([flows.writer], workflows=flows.ALL))


def _express(_: Any) -> Approve:
    return Approve({"express": True})


def _no(_: Any) -> Reject:
    return Reject("not now")


def _small(checkpoint: Any) -> Approve | Reject:
    cents = checkpoint.arguments["cents"]
    return Reject("too much") if cents > 100 else Approve({"cents": cents - 1} if cents == 9 else None)


# (workflow, input, who decides, output)
CASES: list[tuple[str, dict[str, Any], Decide | None, Any]] = [
    ("fulfil", ORDER, _express, RECEIPT),
    ("fulfil", ORDER, _no, {"id": "o1", "cents": 0, "note": "not now"}),
    ("fulfil", ORDER, None, {"id": "o1", "cents": 0, "note": "late"}),
    ("fulfil", {**ORDER, "cents": 2000}, None, {"id": "o1", "cents": 0, "note": "declined: too much"}),
    ("parent", {"n": 3}, None, [1, 11, "ValueError", ""]),
    (
        "typed",
        {"days": 1, "amount": "1.5"},
        None,
        {"until": "2026-02-02T00:00:00Z", "total": "3.69", "rate": 6, "set": [1, 3]},
    ),
    ("decides", {"amounts": [5, 500, 9]}, _small, [5, "rejected: too much", 8]),
    ("loop", {"n": 5}, None, 10),
    ("fan", {"n": 3}, None, 3),
    ("nothing", {}, None, None),
]
NAMES = [f"{name}-{at}" for at, (name, *_) in enumerate(CASES)]


@pytest.mark.parametrize(("name", "given", "decide", "output"), CASES, ids=NAMES)
async def test_a_program_gives_what_it_gives_as_ordinary_python(
    name: str, given: dict[str, Any], decide: Decide | None, output: Any
) -> None:
    run = await simulation().run(name, "", input_data=given, decide=decide)
    assert (run.status, run.error) == ("completed", None)
    assert run.result is not None
    assert run.result.get("output") == output
    assert run.usage["modelCalls"] == (1 if name == "fulfil" and decide is _express else 0) or name == "fulfil"


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name == "fulfil-3" else pytest.mark.long)  # the shortest one
        for case, name in zip(CASES, NAMES, strict=True)
    ],
)
async def test_a_crash_at_any_point_changes_nothing(case: tuple[str, dict[str, Any], Decide | None, Any]) -> None:
    name, given, decide, output = case
    report = await simulation().crash_everywhere(name, "", input_data=given, decide=decide)
    report.check()
    assert len(report.points) > 3
    assert all(run.result is not None and run.result.get("output") == output for run in report.runs)


SOURCE = Path(flows.__file__).read_text(encoding="utf-8").splitlines()


def _frames(*found: tuple[str, str]) -> list[str]:
    """Return the frames of these lines of code, each with its function."""
    numbered = [(SOURCE.index(f"    {code}") + 1, function) for code, function in found]
    return [
        f'File "tests/unit/baton/sdk/workflows/flows.py", line {line}, in {function}' for line, function in numbered
    ]


LARGE = "the result has {} bytes, over the limit of 1000000: keep large data in files, in a store, or behind an id"


@pytest.mark.parametrize(
    ("name", "given", "kind", "lines"),
    [
        (
            *("breaks", {"depth": 0}, "ValueError"),
            ["boom", *_frames(("return _broken(depth)", "breaks"), ('raise ValueError("boom")', "_broken"))],
        ),
        ("uncaught", {"kind": "ToolError"}, "ToolError", ["it failed", *_frames(("await fails(kind)", "uncaught"))]),
        ("large", {"size_bytes": 1_000_001}, "result_too_large", [LARGE.format(1_000_001)]),
        ("large", {"size_bytes": 2_000_000, "inside": True}, "result_too_large", [LARGE.format(2_000_004)]),
    ],
    ids=["helper", "step", "large", "large inside"],
)
async def test_an_uncaught_exception_fails_the_job_with_the_users_lines(
    name: str, given: dict[str, Any], kind: str, lines: list[str]
) -> None:
    run = await simulation().run(name, "", input_data=given)
    assert (run.status, run.result) == ("failed", None)
    assert run.error is not None
    assert (run.error["type"], run.error["message"].splitlines()) == (kind, lines)


@pytest.mark.parametrize(
    ("name", "given", "fault"),
    [
        ("loop", {}, "n: is required"),
        ("loop", {"n": "many"}, "n: input should be a valid integer"),
        ("loop", {"n": 1, "m": 2}, "m: is not known here (it has: n)"),
        ("fulfil", {"id": "o1"}, "cents: is required"),
        ("fulfil", {**ORDER, "lines": [{"count": 1}]}, "lines[0].sku: is required"),
    ],
)
async def test_input_that_does_not_fit_is_refused_before_there_is_a_job(
    name: str, given: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=f"invalid input for workflow '{name}'") as refused:
        await simulation().run(name, "", input_data=given)
    assert fault in str(refused.value)


async def test_steps_are_checked_and_branches_run_at_once() -> None:
    run = await simulation().run("fan", "", input_data={"n": 100})
    assert run.result == {"answer": "4950", "output": 4950}
    assert len(run.tool_starts) == 100
    assert run.virtual_seconds < 25, "each takes 20 s: one after the other would take half an hour"


async def _costs(n: int) -> list[int]:
    run = await simulation().run("loop", "", input_data={"n": n})
    assert run.status == "completed"
    return [int(run.usage[name]) for name in ("redisRequests", "redisCommands", "redisBytes")]


@pytest.mark.parametrize(
    ("first", "last", "steps"), [(20, 80, 10), pytest.param(100, 1_000, 50, marks=pytest.mark.long)]
)
async def test_a_late_step_costs_what_an_early_one_costs(first: int, last: int, steps: int) -> None:
    ends = [await _costs(n) for n in (first - steps, first, last - steps, last)]
    early = [after - before for before, after in zip(ends[0], ends[1], strict=True)]
    late = [after - before for before, after in zip(ends[2], ends[3], strict=True)]
    assert all(b <= 1.1 * a for a, b in zip(early, late, strict=True)), (early, late)


def test_a_workflow_called_directly_is_its_function() -> None:
    assert flows.fulfil.name == "fulfil"
    assert flows.fulfil.__doc__ == "Fulfil an order."
    waiting = flows.nothing()
    waiting.close()
    with pytest.raises(TypeError, match="needs an async def"):
        workflow(lambda: 1)


@workflow
async def unnamed(a: int, /, *more: int, **others: int) -> None:
    """Take what has no name."""


def test_parameters_that_take_no_input_by_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'a' is positional-only.*\n.*'more' collects any.*\n.*'others' collects"):
        Registry(workflows=[unnamed])


def test_a_workflow_among_the_tools_of_an_agent_is_refused_with_the_way_out() -> None:
    for make in (lambda: Agent("a", tools=[flows.child]), lambda: Registry(tools=[flows.child])):  # type: ignore[list-item]
        with pytest.raises(
            TypeError, match=r"workflow 'child' is not a tool; .* return ctx.start\('child', '', data\)"
        ):
            make()


STAGES = """
import sys
from baton import Agent, Registry, ScriptedModel, tool

def loaded():
    print(*(name for name in sys.modules if name.startswith(("pydantic_monty", "baton.sdk.workflows"))), sep=",")

@tool
def look_up() -> int:
    return 7

Registry([Agent("a", model=ScriptedModel(["done"]))])
Registry([Agent("clerk", model=ScriptedModel(["done"]), tools=[look_up], code_mode=True)]).specs_of("clerk")
loaded()

from baton import approval, workflow

@workflow
async def flow(data: int) -> int:
    return data + await look_up()

Registry(workflows=[flow])
loaded()
"""


def test_a_registry_loads_what_it_needs_and_never_the_interpreter(tmp_path: Path) -> None:
    """With agents alone, in code mode too, nothing of workflows; with workflows what reads them."""
    program = tmp_path / "stages.py"
    program.write_text(STAGES)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=60)
    agents, workflows = done.stdout.splitlines()
    assert [name for name in agents.split(",") if name.startswith(("pydantic_monty", "baton.sdk.workflows."))] == []
    assert "baton.sdk.workflows.workflow" in workflows
    assert "pydantic_monty" not in workflows
