"""Defects of what runs code for a job: the stretches of a workflow, and of a model's script."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from baton.engine import script
from baton.engine.commit import operations
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes, Decision
from baton.sdk.workflows import runner
from baton.worker.executors.scripting import script_run
from tests.simulation import plan
from tests.simulation.planting import Patch, around, constant, defects


def _in_turn(news: Callable[..., list[tuple[int, Any]]], *about: Any) -> list[tuple[int, Any]]:
    found = news(*about)
    return [(number, other) for (number, _), (_, other) in zip(found, found[::-1], strict=True)]


def _in_time(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    waited = "ok" in outcome and "number" not in (outcome["ok"] or ())
    return {"ok": {"timedOut": True}} if waited else outcome


def _approved(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    refused = outcome.get("error", {}).get("type") in ("rejected", "expired")
    return {"ok": {"number": 0}} if refused else outcome


def _of_workflow(told: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Patch:
    def news(original: Callable[..., list[tuple[int, Any]]], *about: Any) -> list[tuple[int, Any]]:
        return [(number, told(outcome)) for number, outcome in original(*about)]

    return around(runner, "news_of", news)


def _of_script(told: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Patch:
    def run(original: Callable[..., Any], running: Any, tools: Any, results: Mapping[str, Any], now_ms: int) -> Any:
        return original(running, tools, {call: told(outcome) for call, outcome in results.items()}, now_ms)

    return around(script_run, "_run", run)


def _swapped(waits: Callable[..., Decision], *about: Any) -> Decision:
    def other(changes: Changes) -> Changes:
        if changes.job is None or not changes.job.scripts:
            return changes
        running, *later = changes.job.scripts
        swapped = replace(running.script, calls=running.script.calls[::-1])
        return replace(changes, job=replace(changes.job, scripts=(replace(running, script=swapped), *later)))

    return _changed(waits(*about), other)


def _unwritten(ended: Callable[..., Decision], *about: Any) -> Decision:
    return _changed(ended(*about), lambda changes: replace(changes, calls=()))


def _counted(after: Callable[..., Any], *about: Any) -> Any:
    job = after(*about)
    return replace(job, used=replace(job.used, turns=job.used.turns + 1))


def _changed(decision: Decision, other: Callable[[Changes], Changes]) -> Decision:
    return replace(decision, changes=other(decision.changes)) if decision.changes else decision


def _without_a_turn(_take: Any, draft: Any, _job_id: str, _message: str, changes: Changes, now_ms: int) -> None:
    for call_id in changes.ended:
        draft.note_end(call_id, now_ms)
    draft.forget_ends(changes.took)


def _all_forgotten(forget: Callable[..., None], draft: Any, names: Any) -> None:
    forget(draft, [*names, *draft.ended] if names else ())


DEFECTS = (
    *defects(
        plan.WORKFLOW_SEEDS,
        code_goes_on_with_each_end={
            "an end begins no stretch": around(operations, "_take_news", _without_a_turn),
            "a stretch begins twice": constant(Tree, "has_turn", answer=False),
        },
        code_takes_each_end_once={
            "a timer outlives its future, and what is given up runs": constant(operations, "give_up", None),
            "an outcome is taken twice": constant(Draft, "forget_ends", None),
        },
        a_live_job_has_an_item={
            "an outcome is lost between a stretch and its commit": around(Draft, "forget_ends", _all_forgotten)
        },
    ),
    *defects(
        plan.WORKFLOW_SEEDS + plan.WAITING_SEEDS,
        a_job_ends_as_its_script_says={"each wait of a workflow has timed out": _of_workflow(_in_time)},
    ),
    *defects(
        plan.WORKFLOW_SEEDS + plan.APPROVING_SEEDS,
        a_job_ends_as_its_script_says={"a workflow goes on with what nobody approved": _of_workflow(_approved)},
    ),
    *defects(
        plan.SCRIPT_SEEDS + plan.WAITING_SEEDS,
        a_job_ends_as_its_script_says={"each wait of a script has timed out": _of_script(_in_time)},
    ),
    *defects(
        plan.SCRIPT_SEEDS + plan.APPROVING_SEEDS,
        a_job_ends_as_its_script_says={"a script goes on with what nobody approved": _of_script(_approved)},
    ),
    *defects(
        plan.WORKFLOW_SEEDS,
        a_job_ends_as_its_script_says={
            "steps of one gather get each other's results": around(runner, "news_of", _in_turn)
        },
    ),
    *defects(
        plan.SCRIPT_SEEDS,
        a_job_ends_as_its_script_says={
            "calls of a script get each other's results": around(script, "waits", _swapped),
            "a stretch counts as a turn": around(script, "_after_stretch", _counted),
        },
        calls_end_as_the_script_says={"a script that has ended goes on waiting": around(script, "ended", _unwritten)},
    ),
)
