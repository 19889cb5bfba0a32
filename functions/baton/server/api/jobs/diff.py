"""`GET /api/agent-jobs/{id}/diff/{other}`: two jobs turn by turn; turns differ by their texts, calls and results."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.records.transcript import turns_of
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.settings.service_prices import Prices
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.job_view import INLINE_RESULTS_BYTES, job_view
from baton.worker.runtime.usage_view import step_usage, summed

_SHOWN_OF_JOB = ("id", "jobType", "taskDescription", "inputData", "status", "result", "error", "turns", "usage", "cost")
_SHOWN_OF_CALL = ("id", "tool", "arguments", "status", "result", "resultRef", "error")


def side(snapshot: Snapshot, transcript: Sequence[dict[str, Any]], parts: Sequence[str], prices: Prices) -> list[Any]:
    """Return a job's own fields, and then each of its turns, in order."""
    view = job_view(snapshot, 0, prices, INLINE_RESULTS_BYTES // 2)
    calls = {call["id"]: call for call in view["toolCalls"]}
    steps = step_usage(snapshot, parts, prices)["steps"]
    turns = turns_of(transcript, snapshot.job.first_turn)
    ends = [*(entry["turn"] for entry in turns[1:]), math.inf]
    shown = (_turn(entry, calls, steps, before) for entry, before in zip(turns, ends, strict=False))
    return [_picked(view, _SHOWN_OF_JOB), *shown]


def _turn(
    entry: Mapping[str, Any], calls: Mapping[str, dict[str, Any]], steps: Sequence[dict[str, Any]], before: float
) -> dict[str, Any]:
    ids = {call["id"] for call in entry["calls"]}
    inside = [call for call in calls.values() if call.get("scriptCallId") in ids]
    asked = [_picked(calls.get(call["id"], call), _SHOWN_OF_CALL) for call in (*entry["calls"], *inside)]
    mine = [step for step in steps if entry["turn"] <= step["turn"] < before]  # with those that went on with its script
    totals = {name: summed([step[name] for step in mine]) for name in ("usage", "cost")}
    return {"turn": entry["turn"], "text": entry["text"], "calls": asked, **totals}


def compared(left: Sequence[Any], right: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for turn, (mine, other) in enumerate(zip_longest(left, right), start=1):
        change = "added" if mine is None else "removed" if other is None else "changed"
        if mine is not None and other is not None and _content(mine) == _content(other):
            change = "same"
        yield {"turn": turn, "change": change, "left": mine, "right": other}


def _content(turn: Mapping[str, Any]) -> list[Any]:
    """Return the values by which two turns are compared: no cost and no ids of calls, since those differ by job."""
    calls = [{name: value for name, value in call.items() if name != "id"} for call in turn["calls"]]
    return [turn["text"], calls]


def _picked(view: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: view[name] for name in names if name in view}


async def show_diff(context: Context, request: Request) -> Response:
    """Answer 200 with `{"left", "right", "turns": [{"turn", "change", "left", "right"}]}`."""
    principal = await context.keys.authenticate(request)
    ids = request.path_params["job_id"], request.path_params["other_id"]
    return JSONResponse(await diff_of(context, principal, *ids))


async def diff_of(context: Context, principal: Principal, left_id: str, right_id: str) -> dict[str, Any]:
    """Return two jobs side by side. Raises ApiError: 404, 403, 410 of one of them."""
    left, *before = await _side(context, principal, left_id)
    right, *after = await _side(context, principal, right_id)
    document = {"left": left, "right": right, "turns": list(compared(before, after))}
    hidden: dict[str, Any] = context.container.secrets.hide_in(document)
    return hidden


async def _side(context: Context, principal: Principal, job_id: str) -> list[Any]:
    reader = context.container.ports.reader
    parts = (await reader.parts(job_id, 0)).parts  # before the job, so that its usage ledger covers all parts
    snapshot = await context.jobs.snapshot(principal, job_id)
    return side(snapshot, await reader.transcript(job_id), parts, context.container.settings.prices)
