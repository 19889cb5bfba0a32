"""What is refused, and what logs and alerts say, while payloads are sealed."""

import json
import logging
from base64 import b64encode
from typing import Any

import pytest

from baton import Agent, Call, Memory, Registry, ScriptedModel, tool
from baton.observability.logs import guard_logs
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.redaction import KnownSecrets
from baton_events.errors import MalformedEventError, SettingsError, StoreError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, api_of, assert_problem, with_keys

CANARY = "the canary sings"
KEYS = f"k1:{b64encode(bytes(32)).decode()}"
SEALED = with_keys(payload_keys=KEYS)


def failing() -> Registry:
    @tool(retries=0)
    def fail(what: str) -> None:
        raise RuntimeError(what)

    return Registry(
        [
            Agent("tries", model=ScriptedModel([[Call("fail", {"what": CANARY})], "done"]), tools=[fail]),
            Agent("breaks", model=ScriptedModel([RuntimeError(CANARY)] * 9), tools=[]),
        ]
    )


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    yield caplog
    guard_logs(KnownSecrets())


async def played(payload_keys: str) -> Stage:
    stage = Stage(settings=with_keys(payload_keys=payload_keys), registry=failing())
    guard_logs(stage.container.secrets, sealed=bool(payload_keys))
    for agent in ("tries", "breaks"):
        await stage.played(agent, f"job_{agent}", task=CANARY)
    return stage


async def test_logs_and_alerts_have_types_ids_and_places_alone(lines: pytest.LogCaptureFixture) -> None:
    stage = await played(KEYS)
    text, alerts = lines.text, [notice.message for notice in stage.alerts.sent]
    assert CANARY not in text
    assert "tool 'fail': RuntimeError at" in text
    assert "test_sealed_edges.py:" in text
    assert alerts == ["job_failed job_breaks breaks:model_error"]


async def test_without_keys_they_have_the_text(lines: pytest.LogCaptureFixture) -> None:
    stage = await played("")
    assert lines.text.count(CANARY) >= 3
    assert CANARY in stage.alerts.sent[0].message


def test_a_line_has_our_own_errors_and_of_others_their_type(lines: pytest.LogCaptureFixture) -> None:
    guard_logs(KnownSecrets(), sealed=True)
    log = logging.getLogger("baton.store")
    errors = (StoreError("no answer"), MalformedEventError(CANARY), ValueError(CANARY), ForeignText(CANARY, "here"))
    log.warning("%s | %s | %s | %s", *errors)
    try:
        int(CANARY)
    except ValueError:
        log.exception("it failed")
    said, traced = lines.records
    assert said.getMessage() == "no answer | MalformedEventError | ValueError | here"
    assert str(traced.exc_text).startswith("ValueError at /")
    assert CANARY not in lines.text


async def test_texts_are_not_searched_and_filters_go_on() -> None:
    async with api_of(Stage(settings=SEALED)) as api:
        job = await api.submitted(taskDescription=CANARY, tags=["t"])
        response = await api.request("GET", "/api/agent-jobs?q=canary")
        assert_problem(response, 422, "q")
        wanted = "texts are encrypted (PAYLOAD_KEYS): search by tag, type, session or date"
        assert response.json()["errors"] == [{"field": "q", "message": wanted}]
        for query in ("tag=t", "jobType=answers", f"sessionId={job['sessionId']}", "createdAfter=2020-01-01T00:00:00Z"):
            listed = (await api.request("GET", f"/api/agent-jobs?{query}")).json()["jobs"]
            assert [each["id"] for each in listed] == [job["id"]]
        change = {"action": "cancel", "filter": {"q": "canary"}}
        assert_problem(await api.request("POST", "/api/admin/agent-jobs/bulk", ADMIN, json=change), 422, "q")


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (Agent("a", model=ScriptedModel(["done"]), tools=[], memory=Memory(similar=1)), "memory"),
        (Agent("a", model="openai:gpt-5-mini", tools=[], offload="queue"), "offload"),
    ],
)
def test_what_would_leave_in_clear_is_refused_at_start(agent: Agent, name: str) -> None:
    with pytest.raises(SettingsError, match=f"agent 'a': .* or set PAYLOAD_PLAIN={name}"):
        assert Stage(settings=SEALED, registry=Registry([agent])).container.registry
    allowed = with_keys(payload_keys=KEYS, payload_plain=name)
    assert Stage(settings=allowed, registry=Registry([agent])).container.registry.agents == (agent,)


@pytest.mark.parametrize(("plain", "found"), [("", 0), ("memory", 1)])
async def test_nothing_is_written_to_the_index_unless_it_may_be_plain(plain: str, found: int) -> None:
    agent = Agent("a", model=ScriptedModel(["done"]), tools=[], memory=Memory(recent=3, similar=0))
    index, settings = FakeLongTermMemory(), with_keys(payload_keys=KEYS, payload_plain=plain)
    stage = Stage(settings=settings, registry=Registry([agent]), long_term_memory=index)
    async with api_of(stage) as api:
        job = await api.submitted(jobType="a", taskDescription=CANARY)
        await stage.run()
    assert len(index.entries) == found
    assert len(await stage.session_memory.recent("acme", job["sessionId"])) == 1
    assert json.dumps(job)
