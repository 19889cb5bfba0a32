"""Limits of calls on the real local stack: they hold over a kill, and each call is made."""

from collections import Counter
from typing import NamedTuple

import pytest

from tests.e2e.dev_stack import DevStack, wait_for
from tests.e2e.slow_agents import IN_FLIGHT, PAGES

pytestmark = [pytest.mark.e2e, pytest.mark.long]
AGENTS, ENVIRONMENT = "slow_agents", {"WORK_TIMEOUT_SECONDS": "5"}
JOBS = 3


class Note(NamedTuple):
    word: str
    call_id: str
    pid: int


def noted(stack: DevStack) -> list[Note]:
    return [Note(word, call_id, int(pid)) for word, call_id, pid in map(str.split, stack.noted())]


def in_flight(notes: list[Note], killed_pid: int) -> int:
    """How many calls ran at once at most; those of a killed process are over when another one begins something."""
    running: set[tuple[str, int]] = set()
    most = 0
    for note in notes:
        if note.pid != killed_pid:
            running = {each for each in running if each[1] != killed_pid}
        if note.word == "begin":
            running.add((note.call_id, note.pid))
        else:
            running.discard((note.call_id, note.pid))
        most = max(most, len(running))
    return most


def test_limits_hold_over_a_kill(stack: DevStack) -> None:
    """Kill -9 while both places are taken: never more run at once, each call is made, and none counts an attempt more.

    A call whose process died keeps its place, and starts again in it.
    """
    jobs = [stack.submit("clerk", "Sign.") for _ in range(JOBS)]

    def both_run() -> bool:
        words = Counter(note.word for note in noted(stack))
        return words["end"] > 0 and words["begin"] - words["end"] == IN_FLIGHT

    wait_for(both_run, "two calls at once")
    killed_pid = stack.kill("app")
    died = len(noted(stack))
    stack.wait_until_back("app", killed_pid)
    calls = [call for job in jobs for call in stack.completed(job)["toolCalls"]]
    found = noted(stack)
    assert in_flight(found, killed_pid) == IN_FLIGHT
    assert Counter(call["status"] for call in calls) == {"completed": JOBS * PAGES}
    begun = Counter(note.call_id for note in found if note.word == "begin")
    assert len(begun) == JOBS * PAGES
    before = {word: {note.call_id for note in found[:died] if note.word == word} for word in ("begin", "end")}
    assert {call_id for call_id, count in begun.items() if count > 1} == before["begin"] - before["end"]
