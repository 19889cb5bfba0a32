"""Defects that only the limits of the hosted parts show: sizes, and the time that a host gives a function."""

import json
from collections.abc import Callable
from typing import Any

from events import emitter
from functions import container
from functions.api import jobs as jobs_api
from tests.simulation.planting import Defect, Patch, constant

_COPIES = 7


def _twice(encode: Callable[..., str]) -> Callable[..., str]:
    def padded(event: Any) -> str:
        body = encode(event)
        return body + " " * len(body)

    return padded


def _with_copies(view: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def longer(*arguments: Any, **named: Any) -> dict[str, Any]:
        told = view(*arguments, **named)
        return {**told, "copies": [json.dumps(told)] * _COPIES}

    return longer


DEFECTS = (
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
