"""Rolling the signing keys without a refused message: the rule, over every order of events; and who is not ready."""

from dataclasses import dataclass, field, replace

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import SystemClock
from baton.worker.runtime.webhook import probe_answer
from baton_events.errors import SignatureError
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_events.sealing import Sealing
from baton_local.doctor.queue import refusals, signed
from tests.unit.baton.kit.signing import verify
from tests.unit.baton_local.setup.accounts import SETTINGS


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
