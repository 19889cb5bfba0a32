"""Defects of the doors for values: what cannot be written, waits without sense, arguments that are converted."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from msgspec.structs import replace

from baton.engine import attempts, turn
from baton.engine.effects import RunTool
from baton.engine.step_results import StepResult, ToolRunsAgain
from baton.sdk.tools import argument_schema
from baton.server.api.jobs.job import JobsApi
from baton.server.api.problem import ApiError
from baton.worker.executors import executor
from baton_events.errors import StoreError
from baton_events.values import json_value, text, waits
from tests.simulation import plan
from tests.simulation.planting import around, defects, replaced


def _again(failed: Callable[..., StepResult], effect: Any, *about: Any) -> StepResult:
    return ToolRunsAgain(0, {"ran": 0}) if isinstance(effect, RunTool) else failed(effect, *about)


async def _as_an_outage(take: Callable[..., Any], door: Any, *work: Any) -> Any:
    try:
        return executor.canonical(await door._executor(*work), door._secrets)
    except json_value.Unrecordable as error:
        raise StoreError(f"not written: {error}") from error


def _more_often(failed: Callable[..., Any], state: Any, *about: Any) -> Any:
    more = replace(state.job.model, retries=state.job.model.retries + 5)
    return failed(replace(state, job=replace(state.job, model=more)), *about)


def _or_nothing(number: Callable[..., Any], walk: Any, value: float, place: str) -> Any:
    return number(walk, value, place) if isinstance(value, int) or isfinite(value) else None


def _with_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: float(item) if type(item) is int else item for name, item in value.items()}
    return float(value) if type(value) is int else value


async def _but_for_failed_ones(remove: Callable[..., Any], api: JobsApi, principal: Any, job_id: str) -> None:
    if (await api.snapshot(principal, job_id)).job.error is not None:
        raise ApiError(422, f"job {job_id!r} is kept: it has failed")
    await remove(api, principal, job_id)


DEFECTS = defects(
    plan.ODD_SEEDS,
    what_is_refused_met_a_fault={
        "what cannot be recorded counts as an outage": around(executor.OutcomeDoor, "__call__", _as_an_outage)
    },
    no_internal_error={"text that UTF-8 cannot hold is kept": replaced(text, "storable", lambda kept: kept)},
    a_call_starts_seldom={"a call whose value cannot be recorded runs again": around(executor, "_failed", _again)},
    a_turn_is_paid_seldom={
        "a turn is tried more often than its agent says": around(turn, "_model_failed", _more_often)
    },
    a_retry_comes_within_an_hour={
        "the wait that a service names is taken as it is": (
            replaced(attempts, "MAX_DELAY_MS", 365 * 86_400_000),
            replaced(waits, "LONGEST_WAIT_SECONDS", 365 * 86_400.0),
        )
    },
    every_job_can_be_read_and_deleted={
        "a failed job cannot be deleted": around(JobsApi, "remove", _but_for_failed_ones)
    },
    a_tool_gets_what_its_model_sent={
        "whole numbers are read as floats": around(
            argument_schema, "copied_json", lambda copied, value: _with_floats(copied(value))
        )
    },
    what_is_kept_of_an_error_is_short={
        "a long error is kept whole": replaced(executor, "cut", lambda whole, _most: whole)
    },
    what_cannot_be_taken_is_refused={
        "a number that JSON has not is nothing": around(json_value._Walk, "_number", _or_nothing)
    },
)
