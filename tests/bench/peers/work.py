"""The agent job that every row runs: some tool calls, one after another (`seq`) or ten at once (`fan`), then an answer.

A step is a model turn or a tool call; each leaves a time, so that the pauses between steps are those of the row. The
model is scripted and takes the same time whatever was said before. `BENCH_CALLS`: how many calls a `seq` job makes.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.bench.peers.environment import setting

FAN = 10
PROMPT: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a careful assistant. " * 20},
    {"role": "user", "content": "Look these things up one after the other. " * 10},
]
TOOL_TEXT = "row of a looked-up answer; " * 15
ANSWER = "The answer is here. " * 10
VARIANTS = ("seq", "fan")


def calls_wanted(variant: str) -> int:
    return FAN if variant == "fan" else _sequential()


@cache
def _sequential() -> int:
    return int(setting("BENCH_CALLS", "5"))


def steps_of(variant: str) -> int:
    """Each call is a step, and each model turn."""
    return FAN + 2 if variant == "fan" else 2 * calls_wanted(variant) + 1


def start() -> list[dict[str, Any]]:
    return [dict(message) for message in PROMPT]


def arguments(number: int) -> dict[str, Any]:
    return {"q": "x" * 80, "n": number}


def model_step(job: str, variant: str, messages: Sequence[Any], done: int | None = None) -> dict[str, Any]:
    """The next calls, or the answer. `done`: how many calls have returned, where `messages` does not tell."""
    if done is None:
        shown = len(messages) - len(PROMPT)
        done = shown // 2 if variant == "seq" else max(0, shown - 1)
    left = done < calls_wanted(variant)
    numbers = range(done, done + left) if variant == "seq" else range(FAN * left)
    calls = [{"id": f"c{number}", "name": "lookup", "args": arguments(number)} for number in numbers]
    note(job, f"model{done}", "end")
    return {"role": "assistant", "tool_calls": calls, "content": "" if calls else ANSWER, "ts": time.monotonic_ns()}


def tool_step(job: str, call: dict[str, Any]) -> dict[str, Any]:
    note(job, f"tool-{call['id']}", "end")
    return {"role": "tool", "id": call["id"], "content": TOOL_TEXT, "ts": time.monotonic_ns()}


def stamps(messages: Sequence[dict[str, Any]]) -> list[int]:
    return [message["ts"] for message in messages if "ts" in message]


def note(job: str, name: str, what: str) -> None:
    """In runs with a crash only: write down that a step's body began or ended. Survives the process."""
    if path := _notes():
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{what} {job} {name}\n".encode())
        os.close(file)


@cache
def _notes() -> str:
    return setting("BENCH_NOTES")


@cache
def slow_seconds() -> float:
    """In runs with a crash only: how long a step takes."""
    return float(setting("BENCH_STEP_SECONDS", "0"))


async def pause(job: str) -> None:
    if seconds := slow_seconds():
        note(job, "-", "begin")
        await asyncio.sleep(seconds)


def pause_in_thread(job: str) -> None:
    if seconds := slow_seconds():
        note(job, "-", "begin")
        time.sleep(seconds)
