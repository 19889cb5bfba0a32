"""kill -9 of the worker in the middle of slow jobs, and what becomes of them once it is started again."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench.peers.environment import set_for_children
from tests.bench.peers.peer import Peer

STEP_SECONDS = 0.2
JOBS = 10
STEPS_BEFORE = 3  # of each job, about


async def crash(make: type[Peer], variant: str, notes: Path) -> dict[str, Any]:
    set_for_children({"BENCH_STEP_SECONDS": str(STEP_SECONDS), "BENCH_NOTES": str(notes)})
    peer = make()
    try:
        await peer.setup()
        await peer.start_worker()
        names = [f"crash-{number}" for number in range(JOBS)]
        for name in names:
            await peer.submit(variant, name)
        await _until_under_way(notes)
        before = _ended(notes)
        await peer.kill_worker()
        recorded = await peer.recorded()
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await peer.start_worker()
        nudging = asyncio.create_task(peer.nudge())
        took = await asyncio.gather(*(_seconds_to_end(peer, name, began) for name in names))
        nudging.cancel()
    finally:
        await peer.close()
    finished = [seconds for seconds in took if seconds is not None]
    return {
        "peer": peer.name,
        "test": "crash",
        "variant": variant,
        "jobs": JOBS,
        "finished": len(finished),
        "steps_before_kill": before,
        "seconds_to_last_end": round(max(finished), 1) if finished else None,
        **_repeats(notes, recorded),
        "note": peer.crash_note,
    }


async def _until_under_way(notes: Path) -> None:
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        if _ended(notes) >= JOBS * STEPS_BEFORE:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(STEP_SECONDS / 2)


def _lines(notes: Path) -> list[list[str]]:
    return [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []


def _ended(notes: Path) -> int:
    return sum(what == "end" for what, _job, _step in _lines(notes))


def _repeats(notes: Path, recorded: set[tuple[str, str]] | None) -> dict[str, int | None]:
    """What was done more than once; a model's turns and tool calls apart, for only calls have effects outside.

    `recorded`: calls whose results the engine had when the worker was killed; None: the row cannot tell.
    """
    lines = _lines(notes)
    ends = Counter((job, step) for what, job, step in lines if what == "end")
    claim_result = sum(what == "begin" for what, _job, _step in lines)
    repeated = {key: times - 1 for key, times in ends.items()}
    recorded_again = [times for key, times in repeated.items() if key in recorded] if recorded is not None else None
    return {
        "calls_repeated": sum(times for (_job, step), times in repeated.items() if step.startswith("tool-")),
        "recorded_calls": len(recorded) if recorded is not None else None,
        "recorded_calls_repeated": sum(recorded_again) if recorded_again is not None else None,
        "turns_repeated": sum(times for (_job, step), times in repeated.items() if not step.startswith("tool-")),
        "steps_cut_off": claim_result - sum(ends.values()),
    }


async def _seconds_to_end(peer: Peer, name: str, began: float) -> float | None:
    left = peer.crash_seconds - (time.monotonic() - began)
    try:
        await asyncio.wait_for(peer.result(name), max(0.1, left))
    except TimeoutError:
        return None
    return time.monotonic() - began
