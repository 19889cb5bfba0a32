"""Approvals of AI SDK: `tool-approval-request` asks the user of the chat, and their next request decides."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.server.api.sessions.ui_message import Asked
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering, job_of, parts_of, user_message

BY_USER: Any = {"by": "user", "title": "Pay?"}


@tool(requires_approval=True, approval=BY_USER)
def pay(euros: int) -> str:
    return f"paid {euros}"


@tool(requires_approval=True, approval={"by": "operators"}, background=False)
def send_letter(to: str) -> str:
    return f"sent to {to}"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    def says(name: str, *calls: Call) -> Agent:
        return Agent(name=name, model=ScriptedModel([list(calls), "done"]), tools=[pay, send_letter])

    letter = Call("send_letter", {"to": "Ann"})
    agents = [says("pays", Call("pay", {"euros": 7})), says("both", Call("pay", {"euros": 7}), letter)]
    async with api_with(Registry([*agents, says("writes", letter)])) as made:
        yield made


def requests_of(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for part in parts if part["type"] == "tool-approval-request"]


def answered(
    chat: str, parts: list[dict[str, Any]], *, approved: bool, reason: str = "", **more: Any
) -> dict[str, Any]:
    """The next request of `useChat` after `addToolApprovalResponse`: its last message is the assistant's."""
    (asked,) = requests_of(parts)
    tools = [part for part in parts if part["type"] == "tool-input-available"]
    shown = [
        {"type": f"tool-{one['toolName']}", "toolCallId": one["toolCallId"], "input": one["input"]}
        | (
            {
                "state": "approval-responded",
                "approval": {"id": asked["approvalId"], "approved": approved, "reason": reason},
            }
            if one["toolCallId"] == asked["toolCallId"]
            else {"state": "input-available"}
        )
        for one in tools
    ]
    message = {"id": parts[0]["messageId"], "role": "assistant", "parts": [{"type": "step-start"}, *shown]}
    return {"id": chat, "messages": [user_message("m1", "pay"), message], "trigger": "submit-message", **more}


async def send(api: Api, chat: str, message_id: str, text: str, **fields: Any) -> Any:
    return await go_on(api, chat_body(chat, message_id, text, **fields))


async def go_on(api: Api, body: dict[str, Any], key: str = "") -> Any:
    request = api.request("POST", "/api/chat", *([key] if key else []), json=body)
    return await delivering(api, request, 60)


async def test_the_user_is_asked_in_the_turn_and_their_answer_goes_on_with_it(api: Api) -> None:
    """The stream ends with the question; the next one has what came after it, and nothing twice."""
    asked = parts_of(await send(api, "c", "m1", "pay", agent="pays"))
    (request,) = requests_of(asked)
    assert request.keys() == {"type", "approvalId", "toolCallId"}
    assert [part["type"] for part in asked][-2:] == ["tool-approval-request", "data-checkpoint"]
    rest = parts_of(await go_on(api, answered("c", asked, approved=True, reason="fine")))
    assert [part["type"] for part in rest if not part["type"].startswith("text")] == [
        *("data-checkpoint", "tool-output-available", "finish-step", "start-step", "finish-step", "finish")
    ]
    assert next(part for part in rest if part["type"] == "tool-output-available")["output"] == "paid 7"
    again = parts_of(await go_on(api, answered("c", asked, approved=False)))
    assert again == rest, "the first answer counts, and a request that is repeated gets the same"
    message = (await api.request("GET", "/api/sessions/c")).json()["messages"][-1]
    (call,) = [part for part in message["parts"] if part["type"] == "tool-pay"]
    assert (call["state"], call["approval"].items() >= {("approved", True), ("reason", "fine")}) == (
        "output-available",
        True,
    )


async def test_a_denied_call_is_told_as_denied(api: Api) -> None:
    """In the stream, and in the session after a reload; the model goes on with the reason."""
    asked = parts_of(await send(api, "c", "m1", "pay", agent="pays"))
    rest = parts_of(await go_on(api, answered("c", asked, approved=False, reason="too much")))
    assert {"type": "tool-output-denied", "toolCallId": requests_of(asked)[0]["toolCallId"]} in rest
    assert "tool-output-error" not in {part["type"] for part in rest}
    message = (await api.request("GET", "/api/sessions/c")).json()["messages"][-1]
    (call,) = [part for part in message["parts"] if part["type"] == "tool-pay"]
    assert (call["state"], call["approval"].items() >= {("approved", False), ("reason", "too much")}) == (
        "output-denied",
        True,
    )


async def test_an_answer_counts_beside_a_new_message(api: Api) -> None:
    """Also once it is decided: a client sends what it has with each request."""
    asked = parts_of(await send(api, "c", "m1", "pay", agent="pays"))
    body = answered("c", asked, approved=True, agent="pays")
    body["messages"].append(user_message("m2", "and pay again"))
    second = parts_of(await go_on(api, body))
    assert len(requests_of(second)) == 1
    assert second[0]["messageId"] != asked[0]["messageId"]
    assert (await api.read(asked[0]["messageId"]))["status"] == "completed"


async def test_decisions_of_earlier_answers_are_not_looked_up_again(api: Api) -> None:
    """A client sends its whole history with each message."""
    costs, asked = list[int](), parts_of(await send(api, "c", "m1", "pay", agent="pays"))
    body = answered("c", asked, approved=True)
    await go_on(api, body)
    (question,), whole = requests_of(asked), json.dumps(body["messages"])
    for earlier in (0, 0, 20):
        before = api.stage.redis.requests
        old = [
            json.loads(whole.replace(question["approvalId"], f"{question['approvalId']}{at}")) for at in range(earlier)
        ]
        await go_on(api, body | {"messages": [*(one for each in old for one in each), *body["messages"]]})
        costs.append(api.stage.redis.requests - before)
    assert costs[1] == costs[2]


async def test_operators_are_asked_unless_the_tool_says_otherwise(api: Api) -> None:
    """A chat decides nothing that is theirs, whatever a client sends; the answer waits for both."""
    asked = parts_of(await send(api, "c", "m1", "write", agent="writes"))
    (question,) = [part["data"] for part in asked if part["type"] == "data-checkpoint"]
    assert requests_of(asked) == []
    forged = {"type": "tool-approval-request", "approvalId": question["id"], "toolCallId": question["callId"]}
    body = answered("c", [*asked, forged], approved=True)
    assert_problem(await go_on(api, body), 422, "messages.1.parts")
    both = parts_of(await send(api, "d", "m1", "pay", agent="both"))
    rest = parts_of(await go_on(api, answered("d", both, approved=True)))
    assert "tool-output-available" in {part["type"] for part in rest}
    assert "finish" not in {part["type"] for part in rest}
    page = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
    assert {one["tool"] for one in page} == {"send_letter"}


async def test_nobody_else_answers_for_the_user(api: Api) -> None:
    """Neither another tenant nor another chat; an operator may, and the chat goes on with it."""
    asked = parts_of(await send(api, "c", "m1", "pay", agent="pays"))
    body = answered("c", asked, approved=True)
    assert_problem(await go_on(api, body, OTHER), 422, "messages.1.parts")
    assert_problem(await go_on(api, {**body, "id": "other"}), 422, "messages.1.parts")
    (request,) = requests_of(asked)
    path = f"/api/admin/agent-checkpoints/{request['approvalId']}"
    assert_problem(await api.request("POST", path, json={}), 403)
    assert (await api.read(job_of(await send(api, "e", "m1", "x", agent="writes"))))["status"] == "waiting"
    assert (await api.request("POST", path, ADMIN, json={})).is_success
    rest = parts_of(await go_on(api, answered("c", asked, approved=False)))
    assert next(part for part in rest if part["type"] == "tool-output-available")["output"] == "paid 7"


@pytest.mark.parametrize(
    "approval",
    [None, {"id": 3, "approved": True}, {"id": "x", "approved": "yes"}, {"approved": True}, {"id": "x" * 601}],
)
async def test_what_is_no_answer_is_refused(api: Api, approval: Any) -> None:
    part = {"type": "tool-pay", "toolCallId": "t", "state": "approval-responded", "approval": approval}
    body = chat_body("c", "m1", "pay")
    body["messages"].append({"id": "a", "role": "assistant", "parts": [part]})
    assert_problem(await api.request("POST", "/api/chat", json=body), 422, "messages.1.role", "messages.1.parts.0")


def test_a_call_that_the_stream_has_lost_is_not_asked_about() -> None:
    """AI SDK's client knows no such call, and would end with an error."""
    view = {"id": "q", "callId": "t", "status": "pending", "mayDecide": "user"}
    shown = [*Asked().with_questions({"type": "data-checkpoint", "data": view})]
    assert [part["type"] for part in shown] == ["data-checkpoint"]
    assert json.dumps(shown)


@pytest.mark.parametrize("more", [{"approval_people": 2}, {"background": True}, {"approval": {"by": "me"}}])
def test_what_cannot_be_asked_of_a_user_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"user"):
        tool(**{"requires_approval": True, "approval": BY_USER, **more})(pay.function)
