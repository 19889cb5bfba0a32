"""Memory on the real local stack: what one job answered the next one knows, until it is forgotten."""

from typing import Any

import pytest

from tests.e2e.dev_stack import DevStack, wait_for
from tests.e2e.memory_agents import REMEMBERED

pytestmark = pytest.mark.e2e

AGENTS = "memory_agents"
SESSION, OTHER_SESSION = "session of the e2e/test", "another session"
QUESTION = "Where is the cellar key?"


def answered(stack: DevStack, session: str, task: str = QUESTION) -> dict[str, Any]:
    return stack.completed(stack.submit("keeper", task, sessionId=session))


def remembers(stack: DevStack, session: str, task: str = QUESTION) -> bool:
    """Whether a job of the session is told what the first one answered."""
    entries = answered(stack, session, task)["memory"]["entries"]
    return any(REMEMBERED in entry["text"] for entry in entries)


@pytest.mark.long
def test_a_later_job_answers_from_the_memory_of_an_earlier_one(stack: DevStack) -> None:
    """Of its session by recency, of another one by meaning; until both are forgotten."""
    first = answered(stack, SESSION)
    assert (first["result"]["answer"], first["memory"]) == (REMEMBERED, {"entries": [], "warnings": []})

    wait_for(lambda: remembers(stack, SESSION, "And now?"), "the second job's memory of the first")
    second = answered(stack, SESSION, "What was that?")
    assert REMEMBERED in second["result"]["answer"]
    assert second["memory"]["warnings"] == []

    wait_for(lambda: remembers(stack, OTHER_SESSION), "another session's memory of it, by meaning")

    forgotten = {
        session: stack.request("DELETE", f"/api/sessions/{session.replace(' ', '%20')}/memory")["forgotten"]
        for session in (SESSION, OTHER_SESSION)
    }
    # The other session's job has just ended: what it remembers may come after this, and is refused then.
    assert forgotten[SESSION]["session"] >= 1
    assert forgotten[SESSION]["longTerm"] >= 1
    assert not remembers(stack, SESSION)
