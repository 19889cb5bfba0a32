"""Histories of a given length, whose turns have one call each with a result of a given size."""

from typing import Any

from baton.engine.commit.answers import History

TASK: dict[str, Any] = {"role": "user", "text": "do it", "data": {}, "v": 1}


def streamed_text(turn: int, **more: Any) -> dict[str, Any]:
    call = {"id": f"c{turn}", "tool": "read", "arguments": {"n": turn}}
    return {"role": "model", "v": 1, "turn": turn, "text": f"turn {turn}", "calls": [call], **more}


def summary(up_to: int, text: str = "so far") -> dict[str, Any]:
    return {"role": "summary", "upTo": up_to, "text": text, "v": 1}


def history_of(turns: int, result_bytes: int = 100, *more: dict[str, Any]) -> History:
    """The task and so many turns, then more entries."""
    numbers = range(1, turns + 1)
    results = {f"c{number}": {"ok": f"{number}".ljust(result_bytes, "x")} for number in numbers}
    return History((TASK, *map(streamed_text, numbers), *more), results)
