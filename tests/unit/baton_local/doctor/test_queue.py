"""What the doctor says of the queue's account, its topics, schedules and signing keys, and how those are rolled."""

from dataclasses import dataclass, field, replace

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from baton.queue.account import SigningKeys, Topic, TopicEndpoint
from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton.worker.runtime.webhook import probe_answer
from baton_events.errors import (
    MessageNotFoundError,
    PublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    SignatureError,
)
from baton_events.messages import Outgoing
from baton_events.schema import ENDPOINTS, WEBHOOK_ENDPOINTS, EventType
from baton_events.sealing import Sealing
from baton_local.doctor.finding import Finding, Level
from baton_local.doctor.queue import check_account, check_queue, judge_keys, refusals, signed
from tests.fakes.queue_setup import FakeQueueSetup
from tests.unit.baton.kit.signing import verify
from tests.unit.baton_local.setup.accounts import SETTINGS, FakeAccount

PLAIN = Settings(qstash_token="token", current_signing_key="sig_1", next_signing_key="sig_2")
ACCOUNT = SigningKeys("sig_1", "sig_2")


@dataclass
class Broken(FakeQueueSetup):
    error: PublishError | None = None

    async def signing_keys(self) -> SigningKeys:
        assert self.error is not None
        raise self.error


@pytest.mark.parametrize(
    ("error", "text", "way_out"),
    [
        (QueueUnauthorizedError("https://q"), "refused the token: check QSTASH_TOKEN", "copy the token again"),
        (QueueUnreachableError("https://q", "ConnectError"), "no answer from the queue", "check QSTASH_URL"),
        (MessageNotFoundError("no such path"), "is not the queue", "without any path"),
        (PublishError("no usable answer"), "no usable answer", "does not answer as QStash does"),
    ],
)
async def test_each_way_not_to_get_in_has_its_message(error: PublishError, text: str, way_out: str) -> None:
    """And its way out; seed 000's "Authentication Errors" is the first; an account with our keys is well."""
    assert [each.level for each in await check_queue(FakeQueueSetup(), PLAIN)] == [Level.OK, Level.OK]
    (found,) = await check_queue(Broken(error=error), PLAIN)
    assert (found.level, text in found.text, way_out in found.way_out) == (Level.FAILED, True, True), found


@pytest.mark.parametrize(
    ("ours", "level", "text"),
    [
        (("sig_1", "sig_2"), Level.OK, "are the account's"),
        (("sig_2", "sig_1"), Level.WARNING, "swapped"),
        (("sig_0", "sig_1"), Level.WARNING, "were rolled; messages are accepted by the next key only"),
        (("sig_1", "sig_9"), Level.WARNING, "will be refused once the keys are rolled"),
        (("sig_1", ""), Level.WARNING, "will be refused once the keys are rolled"),
        (("sig_8", "sig_9"), Level.FAILED, "every message is a 401"),
        (("sig_2", ""), Level.FAILED, "every message is a 401"),
    ],
)
def test_each_difference_of_keys_has_its_message(ours: tuple[str, str], level: Level, text: str) -> None:
    settings = replace(PLAIN, current_signing_key=ours[0], next_signing_key=ours[1])
    found = judge_keys(settings, ACCOUNT)
    assert (found.level, text in found.text) == (level, True), found
    assert "sig_" not in found.text + found.way_out
    assert (found.way_out == "") is (level is Level.OK)


BY_TOPIC = replace(SETTINGS, publish_by="topic")
LOOP = SETTINGS.topic(EventType.LOOP_INIT)


async def not_well(account: FakeAccount) -> list[Finding]:
    return [each for each in await check_account(account.account, BY_TOPIC) if each.level is not Level.OK]


async def test_an_account_that_is_set_up_is_well(account: FakeAccount) -> None:
    assert await not_well(account) == []
    assert len(await check_account(account.account, BY_TOPIC)) == 2


async def test_a_topic_that_is_missing_fails_only_where_events_go_by_topic(account: FakeAccount) -> None:
    await account.setup.delete_topic(LOOP)
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.FAILED, "run `baton setup`, or set PUBLISH_BY=url")
    assert f"topic {LOOP} does not deliver to {SETTINGS.endpoint_url(ENDPOINTS[EventType.LOOP_INIT])}" in found.text
    (by_url, _) = await check_account(account.account, SETTINGS)
    assert (by_url.level, by_url.way_out) == (Level.WARNING, "run `baton setup`")


async def test_a_topic_that_leads_elsewhere_is_reported_with_both_addresses() -> None:
    account = FakeAccount()
    await account.set_up(replace(SETTINGS, worker_base_url="https://old.example.com"))
    found = (await not_well(account))[0]
    assert f"delivers to https://old.example.com/workers/agent-loop, not to {SETTINGS.worker_base_url}" in found.text


async def test_a_second_endpoint_is_reported(account: FakeAccount) -> None:
    await account.setup.put_endpoint(LOOP, TopicEndpoint("https://old.example.com"))
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.WARNING, "run `baton setup --prune`")
    assert f"topic {LOOP} also delivers to https://old.example.com" in found.text


async def test_a_sweep_that_is_missing_or_paused_fails(account: FakeAccount) -> None:
    await account.schedules.pause("agent.sweep", paused=True)
    assert [each.text.partition(";")[0] for each in await not_well(account)] == ["schedule agent.sweep: it is paused"]
    await account.schedules.put("agent.sweep", "0 * * * *", Outgoing(body="", url="https://old.example.com"))
    assert "it sends to https://old.example.com" in (await not_well(account))[0].text
    await account.schedules.delete("agent.sweep")
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.FAILED, "run `baton setup`")
    assert "agent.sweep: it is not there" in found.text


async def test_defaults_that_the_queue_hides_are_a_note() -> None:
    account = FakeAccount()
    account.setup.takes_defaults = False
    await account.set_up()
    (found,) = await not_well(account)
    assert (found.level, "default options" in found.text) == (Level.NOTE, True)


async def test_an_account_that_may_not_be_read_fails() -> None:
    class Closed(FakeQueueSetup):
        async def topics(self) -> tuple[Topic, ...]:
            raise PublishError("403")

    (found,) = await not_well(FakeAccount(setup=Closed()))
    assert (found.level, "may do more than publish" in found.way_out) == (Level.FAILED, True)


def key(number: int) -> str:
    return f"sig_{number:028}"


URL, BODY = "https://fn.example.com/workers/sweep", b"{}"
KEYED = replace(SETTINGS, current_signing_key=key(1), next_signing_key=key(2))


def now_seconds() -> int:
    return SystemClock().now_ms() // 1000


@dataclass
class World:
    """An account, and instances of the functions, each with the keys that it was deployed with."""

    keys: tuple[int, int] = (1, 2)
    instances: list[tuple[int, int]] = field(default_factory=lambda: [(1, 2), (1, 2), (1, 2)])

    def roll(self, *, whenever: bool = False) -> None:
        """The rule: only while every instance has both keys of the account."""
        if whenever or all(each == self.keys for each in self.instances):
            self.keys = (self.keys[1], self.keys[1] + 1)

    def deliver(self, instance: int) -> None:
        current, following = self.instances[instance]
        settings = replace(SETTINGS, current_signing_key=key(current), next_signing_key=key(following))
        verify(QueueVerifier(settings), signed(URL, BODY, key(self.keys[0]), now_seconds()), BODY, URL)


@given(st.lists(st.one_of(st.just("roll"), st.integers(0, 2)), max_size=30))
def test_no_instance_ever_refuses_a_message(steps: list[str | int]) -> None:
    """Whichever instances were deployed anew when; each takes a message after every step."""
    world = World()
    for step in steps:
        if isinstance(step, int):
            world.instances[step] = world.keys
        else:
            world.roll()
        for instance in range(3):
            world.deliver(instance)


def test_rolled_twice_before_a_deploy_messages_are_refused() -> None:
    world = World()
    world.roll(whenever=True)
    world.deliver(0)
    world.roll(whenever=True)
    with pytest.raises(SignatureError):
        world.deliver(0)


async def test_functions_that_take_the_next_key_are_ready() -> None:
    """Each endpoint is asked once, with a signature of the next key for its own address."""
    with respx.mock:
        routes = [
            respx.post(KEYED.endpoint_url(endpoint)).respond(json=probe_answer(Sealing({})))
            for endpoint in WEBHOOK_ENDPOINTS
        ]
        assert await refusals(KEYED, now_seconds()) == []
    for endpoint, route in zip(WEBHOOK_ENDPOINTS, routes, strict=True):
        request = route.calls.last.request
        only_next = replace(KEYED, current_signing_key=key(2))
        url = KEYED.endpoint_url(endpoint)
        verify(QueueVerifier(only_next), request.headers["Upstash-Signature"], request.content, url)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(401, json={"detail": "not valid"}), "answers 401: {'detail': 'not valid'}"),
        (httpx.Response(200, text="<html>"), "answers 200, and not as a function of Baton"),
        (httpx.Response(200, json=["x"]), r"answers 200: ['x']"),
        (httpx.ConnectError("refused"), "does not answer (ConnectError)"),
    ],
)
async def test_one_that_does_not_is_named(answer: httpx.Response | Exception, text: str) -> None:
    with respx.mock:
        for endpoint in WEBHOOK_ENDPOINTS:
            respx.post(KEYED.endpoint_url(endpoint)).respond(json=probe_answer(Sealing({})))
        route = respx.post(KEYED.endpoint_url("/workers/sweep"))
        if isinstance(answer, httpx.Response):
            route.mock(return_value=answer)
        else:
            route.mock(side_effect=answer)
        (refusal,) = await refusals(KEYED, now_seconds())
    assert refusal == f"{KEYED.endpoint_url('/workers/sweep')} {text}"
