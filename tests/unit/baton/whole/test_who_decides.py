"""Who may decide: each kind of question, by each door, with each key."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from baton import Agent, Budget, Limits, Registry, ScriptedModel, tool
from baton.engine.waits import Decider
from baton.sdk.models.model import Call
from baton.sdk.tools.pending import RunAgain
from baton.server.api.admin.health import pending_approvals
from baton.server.api.jobs.approvals import ApprovalBody, RejectionBody, approve_by, reject_by
from baton.server.api.problem import ApiError
from baton.worker.runtime.approval_notices import Link, SignedLinks
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.kit.stage import BASE, Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import delivering
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.server.protocols.ag_ui.test_runs import run_input
from tests.unit.baton.server.protocols.mcp.calling import TAKES_TASKS, Client
from tests.unit.baton.whole.test_budgets import Priced
from tests.unit.baton.whole.test_callbacks import PLAIN

PATH = "/api/admin/agent-checkpoints"
OWN, SHARED = ("tool", "answer", "turns", "user"), ("dollars", "ever", "tokens", "tenant")


@tool
def look() -> str:
    return "seen"


@tool(requires_approval=True, approval={"by": "user", "escalate_after_seconds": 72_000})
def leave() -> str:
    return "left"


@tool
def inquire() -> RunAgain:
    """Ask a person."""
    return RunAgain(title="how many?", form={"type": "object"}, memo={}, timeout_seconds=72_000)


def asks(name: str, *script: Any, **options: Any) -> Agent:
    model = ScriptedModel([*script, "done"]) if script else Priced()
    return Agent(name=name, model=model, expose={"a2a", "mcp"}, description="Asks.", **options)


def spends(name: str, key: Any = "company", **limit: Any) -> Agent:
    return asks(name, budgets=[Budget(key, on_limit="ask", **limit)])


def stage(**settings: Any) -> Stage:
    cents: dict[str, Any] = {"usd": 0.02, "reserve": 0.02}
    agents = [
        asks("tool", [Call("pay", {"to": "Ann", "amount": 5})], tools=[Kit().pay]),
        asks("answer", [Call("inquire", {})], tools=[inquire]),
        asks("user", [Call("leave", {})], tools=[leave]),
        asks("turns", [Call("look", {})], tools=[look], limits=Limits(turns=1, on_limit="ask")),
        spends("dollars", **cents),
        spends("ever", **cents, per="total"),
        spends("tokens", tokens=10, reserve=10, per="month"),
        spends("tenant", lambda call: call.tenant, **cents),
    ]
    return Stage(settings=with_keys(approval_webhook_url=PLAIN, **settings), registry=Registry(agents))


async def asked(api: Api, agent: str) -> dict[str, Any]:
    """The question of acme's job; whatever has a budget finds it used up."""
    job = dict[str, Any]()
    for number in range(1 + (agent in SHARED)):
        job = await api.submitted(ACME, jobType=agent, taskDescription=f"{number}", sessionId="th")
        await api.stage.run(within_seconds=60)
    return (await now(api, job["id"]))[0]


async def now(api: Api, job_id: str) -> list[dict[str, Any]]:
    found = await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints", ADMIN)
    checkpoints: list[dict[str, Any]] = found.json()["checkpoints"]
    return checkpoints


# One way to decide: with a key, about a question, yes or no.
Door = Callable[[Api, str, dict[str, Any], bool], Awaitable[object]]


async def by_api(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    await api.request("POST" if yes else "DELETE", f"{PATH}/{view['id']}", key, json={})


async def by_link(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    made = await api.request("POST", f"{PATH}/{view['id']}/links", key, json={"edit": True})
    if made.status_code == 201:
        assert view["mayDecide"] in ("tenant", "user")
        path = made.json()["url"].removeprefix(BASE)
        await api.http.post(f"{path}/{'approve' if yes else 'reject'}", data={})


async def by_a_link_that_is_there(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    """However it was made: whoever has it needs no key."""
    until_ms = api.stage.clock.ms + 60_000
    link = Link(view["id"], "x", ("approve", "reject"), edit=True, until_ms=until_ms, person=f"key:{key}")
    path = SignedLinks(api.stage.container.settings).url(link).removeprefix(BASE)
    await api.http.post(f"{path}/{'approve' if yes else 'reject'}", data={})


async def by_ag_ui(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    answer = {"interruptId": view["id"], "status": "resolved", "payload": {"approved": yes}}
    agent = (await api.read(view["jobId"], ADMIN))["jobType"]
    request = api.request("POST", f"/api/ag-ui/{agent}", key, json=run_input("r2", resume=[answer], thread="th"))
    await delivering(api, request, within_seconds=60)


async def by_a2a(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    agent = (await api.read(view["jobId"], ADMIN))["jobType"]
    parts = [{"data": {"approved": yes, "checkpointId": view["id"]}}]
    message = {"messageId": "m", "role": "ROLE_USER", "parts": parts, "taskId": view["jobId"]}
    body = {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": {"message": message}}
    request = api.request("POST", f"/a2a/{agent}", key, json=body, headers={"a2a-version": "1.0"})
    await delivering(api, request, within_seconds=60)


async def by_mcp(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    answers: dict[str, Any] = {view["id"]: {"action": "accept" if yes else "decline", "content": {}}}
    await Client(api, key=key, **TAKES_TASKS).posted("tasks/update", taskId=view["jobId"], inputResponses=answers)


async def by_console(api: Api, key: str, view: dict[str, Any], yes: bool) -> None:
    operator = Operator(api.stage, api.http)
    if (await operator.log_in(key)).status_code == 303:
        fields = {} if yes else {"reason": "no"}
        await operator.do(f"/console/approvals/{view['id']}/{'approve' if yes else 'reject'}", **fields)


async def as_an_outcome(api: Api, _key: str, view: dict[str, Any], yes: bool) -> None:
    await api.complete(view["id"], **({"result": "yes"} if yes else {"error": "no"}))


PROTOCOLS: tuple[Door, ...] = (by_link, by_ag_ui, by_a2a, by_mcp)
FOR_OPERATORS: tuple[Door, ...] = (by_api, by_console)
DOORS = (*PROTOCOLS, *FOR_OPERATORS, by_a_link_that_is_there, as_an_outcome)


def may(door: Door, key: str, kind: str, *, links: bool) -> bool:
    """Operators decide; its tenant what is its own, where it may, by links and protocols; its user by protocols."""
    if door is as_an_outcome:
        return False
    if door is by_a_link_that_is_there:
        return kind in OWN
    if key == ADMIN:
        return kind in OWN or door is not by_link
    by_user = kind == "user" and door is not by_link
    return (links or by_user) and key == ACME and kind in OWN and door in PROTOCOLS


@pytest.mark.parametrize("kind", [*OWN, *SHARED])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
async def test_each_kind_of_question_names_who_may_answer_it(door: Door, kind: str) -> None:
    """By no other door, with no other key; and a limit that others share stays what it was."""
    for yes, links in ((True, True), (False, True), (True, False)):
        async with api_of(stage(approval_links=links)) as api:
            view = await asked(api, kind)
            assert view["mayDecide"] == ("user" if kind == "user" else "tenant" if kind in OWN else "operator")
            for key in (OTHER, ACME, ADMIN):
                await door(api, key, view, yes)
                found = (await now(api, view["jobId"]))[0]["status"]
                expected = ("approved" if yes else "rejected") if may(door, key, kind, links=links) else "pending"
                assert found == expected, (key, yes, links)
                if expected != "pending":
                    break


@pytest.mark.parametrize("kind", [*OWN, *SHARED])
async def test_operators_are_told_of_what_is_theirs_with_a_link_where_others_may_decide(kind: str) -> None:
    """What the user of a chat decides is no notice, and in no count of what waits for operators."""
    async with api_of(stage(approval_links=True)) as api:
        view = await asked(api, kind)
        links = [bool(json.loads(body)["link"]) for _, _, body in api.stage.callbacks.sent]
        assert links == ([] if kind == "user" else [kind in OWN])
        live = await api.stage.container.ports.admission_control.live()
        waits = [] if kind == "user" else [view["jobId"]]
        assert await pending_approvals(api.stage.container, live, 100) == waits
        assert ("of the chat's user" in (await api.read(view["jobId"], ADMIN))["waitingFor"]) is (kind == "user")
        api.stage.callbacks.sent.clear()
        await api.stage.run(within_seconds=72_000)
        kinds = [json.loads(body)["type"] for _, _, body in api.stage.callbacks.sent]
        assert ("approval.escalated" in kinds) is (kind == "user")


async def test_the_console_offers_no_link_for_what_is_shared() -> None:
    for kind, offers in (("tool", True), ("dollars", False)):
        async with operator_of(stage()) as operator:
            view = await asked(operator.api, kind)
            assert ("Make a link" in await operator.see(f"/console/approvals/{view['id']}")) is offers


@pytest.mark.parametrize("decide", [approve_by, reject_by])
async def test_the_command_itself_refuses_whoever_is_no_operator(decide: Any) -> None:
    """Whatever door is built next."""
    async with api_of(stage(approval_links=True)) as api:
        view, body = await asked(api, "dollars"), ApprovalBody() if decide is approve_by else RejectionBody()
        with pytest.raises(ApiError, match="everybody shares") as raised:
            await decide(api.stage.container, Decider("somebody"), view["id"], body)
        assert raised.value.status == 403
        await decide(api.stage.container, Decider("somebody", is_operator=True), view["id"], body)
