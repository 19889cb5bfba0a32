"""`/api/chat` with the AI SDK's own chat client, on the real local stack."""

import base64
from typing import Any, NamedTuple

import pytest

from tests.e2e.chat_client import chat
from tests.e2e.dev_stack import DevStack

pytestmark = [pytest.mark.e2e, pytest.mark.node]

AGENTS = "chat_agents"  # each scenario has a chat of its own
TOOL = "tool-think"


class Place(NamedTuple):
    url: str
    key: str


@pytest.fixture(scope="module")
def place(stack: DevStack) -> Place:
    return Place(stack.described["app_url"], stack.described["client_key"])


def texts_of(message: dict[str, Any]) -> list[str]:
    return [part["text"] for part in message["parts"] if part["type"] == "text"]


def shown(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["role"], texts_of(message)[-1]) for message in messages]


def parts_of(messages: list[dict[str, Any]]) -> list[Any]:
    return [[message["id"], message["role"], message["parts"]] for message in messages]


def test_three_turns_with_tools(place: Place) -> None:
    """Each answer knows what was said before; the server has the same messages as the client."""
    found = chat(*place, "talk", "one", "two", "three")
    assert shown(found["messages"]) == [
        ("user", "one"),
        ("assistant", "You said: one."),
        ("user", "two"),
        ("assistant", "You said: one, two."),
        ("user", "three"),
        ("assistant", "You said: one, two, three."),
    ]
    tools = [part for part in found["messages"][-1]["parts"] if part["type"] == TOOL]
    assert [(part["state"], part["output"]) for part in tools] == [("output-available", "thought about three")] * 3
    assert parts_of(found["session"]["messages"]) == parts_of(found["messages"])
    assert found["status"] == "ready"


def test_another_answer_and_a_changed_question(place: Place) -> None:
    found = chat(*place, "again", "one", "two")
    assert len({found["first"], found["second"], found["messages"][-1]["id"]}) == 3
    assert shown(found["messages"]) == [("user", "two"), ("assistant", "You said: two.")]
    assert parts_of(found["session"]["messages"]) == parts_of(found["messages"])


def test_a_picture_is_shown_and_asked_about_again_after_a_reload(place: Place) -> None:
    """The client sends back the address that the session has for it."""
    found = chat(*place, "picture", "one")
    sent, loaded = ([one["type"] for one in found[name][0]["parts"]] for name in ("messages", "again"))
    assert (sent, loaded) == (["file", "text"], ["file", "text"])
    for name in ("messages", "again"):
        assert texts_of(found[name][-1]) == [f"You showed: dot.png {base64.b64encode(b'a dot').decode()}."]
    assert (found["shown"], found["messages"][-1]["id"] == found["again"][-1]["id"]) == ("a dot", False)


def test_a_page_that_is_loaded_again_in_the_middle_of_an_answer(place: Place) -> None:
    """It has the question, follows the whole answer, and has nothing twice; where nothing runs nothing is resumed."""
    found = chat(*place, "reload", "one")
    assert shown(found["loaded"]["messages"]) == [("user", "one")]
    assert found["loaded"]["activeStream"]["lastMessageId"] == "0-0"
    assert found["messages"][-1]["id"] == found["loaded"]["activeStream"]["jobId"]
    assert texts_of(found["messages"][-1]) == ["Thought 1.", "Thought 2.", "Thought 3.", "You said: one."]
    assert parts_of(found["session"]["messages"]) == parts_of(found["messages"])
    assert parts_of(found["idle"]) == parts_of(found["messages"])


def test_stop(place: Place) -> None:
    found = chat(*place, "stop", "one")
    assert found["cancel"]["cancelled"] is True
    assert found["messages"][-1]["metadata"]["status"] == "cancelled"
    assert "You said: one." not in texts_of(found["messages"][-1])
    assert found["session"]["activeStream"] is None


def test_the_updates_of_a_workflow(place: Place) -> None:
    found = chat(*place, "socket", "one")
    assert found["code"] == 1000
    assert (found["parts"][0], found["parts"][-1]["type"]) == (
        {"type": "start", "messageId": found["workflowId"]},
        "finish",
    )
