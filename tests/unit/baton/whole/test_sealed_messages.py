"""Messages while payloads are sealed: the queue sees no text, whoever has the key reads all, and others wait."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from baton import Agent, Call, Event, HandlerContext, Pending, Registry, ScriptedModel, on, tool
from baton.queue.ports import QueuedMessage
from baton.server.api.admin.control import replaying_of
from baton_events.app_event import parse_app_event
from baton_events.schema import parse_event
from baton_events.sealed_messages import is_sealed_now
from baton_events.sealing import PayloadContext, Sealing, sealed_by, sealing_of
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, with_keys

CANARY = "the canary sings"
OLD, NEW = (f"{name}:{b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate(("old", "new")))
BOTH = sealed_by([("new", b"n" * 32), ("old", b"o" * 32)])
SCHEDULE = {"jobType": "answers", "cron": "0 9 * * *", "taskDescription": CANARY}


class Kms:
    """A codec over a service that may be away."""

    def __init__(self) -> None:
        self.away = True

    async def ready(self) -> None:
        if self.away:
            raise ConnectionError("no answer from the KMS")

    def seal(self, data: bytes, context: PayloadContext) -> bytes:
        return data[::-1]

    def open(self, data: bytes, context: PayloadContext) -> bytes:
        return data[::-1]


KMS = Kms()


def registry() -> Registry:
    @tool
    def ask() -> Pending:
        return Pending(timeout_seconds=60)

    @on("order.created", retries=0)
    def take(event: Event, ctx: HandlerContext) -> None:
        raise RuntimeError(f"no order: {event.data}")

    @on("order.counted", schema=int)
    def count(event: Event[int], ctx: HandlerContext) -> None:
        pass

    waits = Agent("waits", model=ScriptedModel([[Call("ask")], "done"]), tools=[ask])
    return Registry([waits, Agent("answers", model=ScriptedModel(["done"]), tools=[])], handlers=[take, count])


def stage_of(keys: str = OLD) -> Stage:
    return Stage(settings=with_keys(payload_keys=keys), registry=registry())


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(stage_of()) as made:
        yield made


def bodies(api: Api) -> list[str]:
    return [message.body for message in api.stage.outgoing()]


async def everything(api: Api) -> None:
    """Send a text by each message that has one."""
    job = await api.submitted(jobType="waits", taskDescription=CANARY, inputData={"of": CANARY}, sessionId="s")
    await api.stage.run(within_seconds=1)
    body = {"jobType": "waits", "sessionId": "s", "taskDescription": CANARY, "whenBusy": "steer"}
    assert (await api.request("POST", "/api/agent-jobs", json=body)).json() == {"jobId": job["id"]}
    await api.request("POST", f"/api/agent-jobs/{job['id']}/events", json={"name": "said", "data": CANARY})
    [call] = (await api.read(job["id"]))["toolCalls"]
    await api.request("POST", "/api/events", json={"name": "order.created", "data": CANARY})
    await api.request("POST", "/api/agent-schedules", json=SCHEDULE)
    await api.stage.run(within_seconds=1)
    assert call["status"] == "waiting"


async def test_no_message_and_no_schedule_has_a_text(api: Api) -> None:
    await everything(api)
    sent = bodies(api) + [schedule.body for schedule in api.stage.schedules.known.values()]
    assert [body for body in sent if CANARY in body] == []
    opened = [api.stage.container.sealing.opened_message(body.encode()) for body in sent]
    opened = [body for body in opened if CANARY.encode() in body]
    assert len(opened) >= 6  # a submission, a message, an event, an app event, its dead letter, a schedule
    for body in opened:
        assert parse_event(body).id if b'"payload"' in body else parse_app_event(body).name


async def test_without_keys_they_have_it() -> None:
    async with api_of(Stage(settings=with_keys(), registry=registry())) as api:
        await everything(api)
        assert len([body for body in bodies(api) if CANARY in body]) >= 6


async def test_the_answer_that_the_queue_keeps_has_no_text(api: Api) -> None:
    """A dead letter says why, to whoever has the key."""
    await everything(api)
    published = api.stage.queue.published
    letter = next((name, message) for name, message in published if "no order" in opened_body(api, message.body))
    answer = await api.stage.deliver_app_event(*letter)
    assert (answer.status, answer.headers["content-length"]) == (489, str(len(answer.body)))
    listed = answer.body.decode()
    assert CANARY not in listed
    assert CANARY in opened_body(api, listed)
    assert BOTH.shown_message(listed) == listed


def opened_body(api: Api, body: str) -> str:
    return api.stage.container.sealing.shown_message(body)


async def test_a_message_whose_key_is_not_there_comes_again(api: Api) -> None:
    await api.request("POST", "/api/events", json={"name": "order.created", "data": CANARY})
    message_id, message = api.stage.queue.published[-1]
    other = stage_of(NEW)
    answer = await other.deliver_app_event(message_id, message)
    assert answer.status == 503
    assert "upstash-nonretryable-error" not in answer.headers
    assert other.redis.version().values == {}
    assert (await api.stage.deliver_app_event(message_id, message)).status == 200


async def test_a_codec_that_is_not_ready_refuses_messages_until_it_is() -> None:
    settings = with_keys(payload_codec=f"{__name__}:KMS")
    KMS.away = False
    async with api_of(Stage(settings=settings, registry=registry())) as api:
        await api.request("POST", "/api/events", json={"name": "order.created", "data": CANARY})
        message_id, message = api.stage.queue.published[-1]
        assert CANARY not in message.body
        sealing_of.cache_clear()  # as in a new process
        other, KMS.away = Stage(settings=settings, registry=registry()), True
        assert (await other.deliver_app_event(message_id, message)).status == 503
        KMS.away = False
        assert (await other.deliver_app_event(message_id, message)).status == 200


async def test_a_person_sees_a_message_in_clear_and_sends_it_again_as_it_is(api: Api) -> None:
    await api.request("POST", "/api/events", json={"name": "order.created", "data": CANARY})
    _, message = api.stage.queue.published[-1]
    queued = QueuedMessage("msg_1", message.url, message.body)
    assert CANARY in replaying_of(api.stage.container).shown(queued).body
    without = replaying_of(stage_of(NEW).container)
    assert without.shown(queued) == queued
    await without.replay(queued)


async def test_schedules_are_shown_in_clear_and_without_texts_where_the_key_is_lost(api: Api) -> None:
    made = (await api.request("POST", "/api/agent-schedules", json=SCHEDULE)).json()
    assert made["taskDescription"] == CANARY
    other = stage_of(NEW)
    other.schedules.known.update(api.stage.schedules.known)
    await other.ports.kept_schedules.seen("acme", made["id"], len(CANARY))  # the store has its id, and no text
    async with api_of(other) as elsewhere:
        [listed] = (await elsewhere.request("GET", "/api/agent-schedules", ACME)).json()["schedules"]
        assert (listed["id"], listed["cron"], listed["taskDescription"]) == (made["id"], "0 9 * * *", "")
        assert (await elsewhere.request("DELETE", f"/api/agent-schedules/{made['id']}", ADMIN)).status_code == 204


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", '{"sealed":1}', '{"sealed":null}', '{"payload":{"sealed":"sealed:x:y"}}', '"sealed":', "null"],
)
def test_a_body_of_somebody_else_is_read_as_it_is(body: str) -> None:
    assert BOTH.opened_message(body.encode()) == body.encode()


def test_a_body_says_by_which_key_it_is_sealed() -> None:
    plain = '{"id":"evt_1","data":1}'
    old, new = sealed_by([("old", b"o" * 32)]), BOTH
    assert [
        is_sealed_now(new.first, body) for body in (plain, old.sealed_message(plain), new.sealed_message(plain))
    ] == [False, False, True]
    assert is_sealed_now(Sealing({}).first, plain)
    assert not is_sealed_now(Sealing({}).first, old.sealed_message(plain))


@pytest.mark.parametrize("text", ["word", "größer", "日本語", "🐋", "\ud800"])
def test_a_text_of_any_language_grows_by_a_third(text: str) -> None:
    """A lone half of a pair, which no UTF-8 has, comes through as well."""
    plain = json.dumps({"id": "evt_1", "data": text * 1_000}, ensure_ascii=text == "\ud800")
    sealed = BOTH.sealed_message(plain)
    assert len(sealed.encode()) < len(plain.encode()) * 4 / 3 + 150
    assert json.loads(BOTH.opened_message(sealed.encode())) == json.loads(plain)
