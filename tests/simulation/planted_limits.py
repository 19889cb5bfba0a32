"""Defects that only the limits of the hosted parts show: sizes, and the time that a host gives a function."""

import json
from collections.abc import Callable
from typing import Any

from baton import container
from baton.api.jobs import job as jobs_api
from baton.executors import bounded
from baton_events import emitter
from tests.simulation.planting import Defect, Patch, constant

_COPIES = 7


def _twice(encode: Callable[..., str]) -> Callable[..., str]:
    def padded(event: Any) -> str:
        body = encode(event)
        return body + " " * len(body)

    return padded


def _with_copies(view: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def longer(*arguments: Any, **named: Any) -> dict[str, Any]:
        found = view(*arguments, **named)
        return {**found, "copies": [json.dumps(found)] * _COPIES}

    return longer


def _as_too_much(judge: Callable[[int, int], Any]) -> Callable[[int, int], Any]:
    return lambda size_bytes, most: judge(size_bytes, most // 4)


DEFECTS = (
    Defect(
        "a turn is told whatever there is",
        "no_turn_is_given_too_much",
        (constant(bounded, "prompt_too_large", None),),
        limits=True,
    ),
    Defect(
        "little is too much to tell",
        "only_a_long_job_is_too_long_to_send",
        (Patch(bounded, "prompt_too_large", _as_too_much),),
        limits=True,
    ),
    Defect(
        "an event has its job's input twice", "a_message_fits", (Patch(emitter, "encode_event", _twice),), limits=True
    ),
    Defect(
        "an answer has its job's input many times",
        "an_answer_fits",
        (Patch(jobs_api, "job_view", _with_copies),),
        limits=True,
    ),
    Defect(
        "a function goes on for longer than its host lets it",
        "a_function_ends_in_time",
        (constant(container, "guard_ms", 10**9),),
        limits=True,
    ),
)
