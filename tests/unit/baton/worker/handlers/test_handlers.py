"""The webhook functions: what each one is, and how it answers behind a Lambda function URL."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from baton.engine.work_items import ItemKind
from baton.queue.verifier import QueueVerifier
from baton.server.app import EVENT_SPECS, SPECS
from baton.settings.settings import Settings
from baton.worker.entry import LambdaHandler
from baton.worker.handlers import agent_loop
from baton.worker.runtime.spec import TAKING_IN_SECONDS, Spec, guard_ms
from baton_events.messages import delivery_seconds
from baton_events.schema import (
    DELIVERY_FAILED_ENDPOINT,
    ENDPOINTS,
    EVENTS_ENDPOINT,
    SWEEP_ENDPOINT,
    EventType,
    encode_event,
)
from baton_local.fixtures.lambda_events import FUNCTION_DOMAIN, HttpRequest, function_url_event
from tests.unit.baton.kit.invoker import Invoker
from tests.unit.baton.kit.signing import CURRENT, delivery_headers, keyed
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

MODULES = [
    "agent_loop",
    "tool_executor",
    "tool_result_complete",
    "tool_result_failed",
    "app_events",
    "delivery_failed",
    "sweep",
]


@pytest.fixture
def invoker() -> Iterator[Invoker]:
    with Invoker() as made:
        yield made


def test_each_event_type_has_one_function_at_its_endpoint() -> None:
    served = {spec.event_type: spec.path for spec in SPECS if spec.event_type is not None}
    assert served == dict(ENDPOINTS)
    others = [spec.path for spec in SPECS if spec.event_type is None]
    assert others == [EVENTS_ENDPOINT, DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT]
    assert len({spec.name for spec in SPECS}) == len(SPECS) == len(MODULES)


def test_only_the_model_function_goes_into_a_model_turn() -> None:
    """The others stay free of model libraries; the two that take results in run no tools, either."""
    continues = {spec.event_type: spec.continues for spec in SPECS}
    assert continues[EventType.LOOP_INIT] == frozenset(ItemKind)
    assert ItemKind.LOOP not in continues[EventType.TOOL_CALL]
    for kind in (EventType.TOOL_COMPLETE, EventType.TOOL_FAILED):
        assert not continues[kind] & {ItemKind.LOOP, ItemKind.CALL}


@pytest.mark.parametrize("spec", EVENT_SPECS, ids=lambda spec: spec.name)
def test_time_limits_stand_in_their_order(spec: Spec) -> None:
    """Work, then function, then delivery; after the guard one more piece of what it does still fits."""
    settings = Settings()
    piece_seconds = settings.work_timeout_seconds if spec.works else TAKING_IN_SECONDS
    delivery_limit_seconds = delivery_seconds(spec.path, settings.message_timeout_seconds)
    assert piece_seconds < spec.timeout_seconds < delivery_limit_seconds
    assert 0 < guard_ms(spec, settings) < (spec.timeout_seconds - piece_seconds) * 1000


def test_functions_without_work_have_a_minute_whatever_work_may_take() -> None:
    """Where work may take as long as the function, nothing is continued: the guard is never negative."""
    assert [spec.works for spec in EVENT_SPECS] == [True, True, False, False]
    assert [spec.timeout_seconds for spec in EVENT_SPECS] == [240, 240, 60, 60]
    long = Settings(work_timeout_seconds=800, message_timeout_seconds=900)
    assert [guard_ms(spec, long) > 0 for spec in EVENT_SPECS] == [False, False, True, True]
    assert guard_ms(agent_loop.SPEC, long) == 0


@pytest.mark.parametrize("name", MODULES)
def test_a_deployed_function_refuses_what_is_not_signed(
    name: str, invoker: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """401, without having asked the store or the queue for anything: there are none."""
    for variable, value in {
        "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
        "UPSTASH_REDIS_REST_TOKEN": "t",
        "QSTASH_TOKEN": "t",
        "QSTASH_URL": "http://127.0.0.1:9",
        "QSTASH_CURRENT_SIGNING_KEY": CURRENT,
        "WORKER_BASE_URL": BASE,
    }.items():
        monkeypatch.setenv(variable, value)
    module = importlib.import_module(f"baton.worker.handlers.{name}")
    assert module.SPEC.name == name.replace("_", "-"), "so that people find it"
    handler = LambdaHandler(type(module.app)(module.app._build))
    headers = delivery_headers(f"{BASE}{module.SPEC.path}", b"{}", upstash_signature="")
    answer: Any = invoker.invoke(handler, function_url_event(HttpRequest("POST", module.SPEC.path, headers, b"{}")))
    assert answer["statusCode"] == 401
    assert answer["headers"]["content-type"] == "application/problem+json"


OWN, LOOP = f"https://{FUNCTION_DOMAIN}", "/workers/agent-loop"


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize(
    ("path", "signed", "status"),
    [
        pytest.param(LOOP, f"{BASE}{LOOP}", 200, id="its public URL"),
        pytest.param("/", f"{BASE}{LOOP}", 200, id="its public URL, whatever a proxy made of it"),
        pytest.param(LOOP, f"{OWN}{LOOP}", 200, id="its own function URL, where topics name those"),
        pytest.param(LOOP, f"{OWN}/workers/sweep", 401, id="another function's URL"),
        pytest.param(LOOP, OWN, 401, id="no function's URL"),
    ],
)
async def test_a_delivery_signed_for_a_url_of_the_function_is_handled(
    invoker: Invoker, path: str, signed: str, status: int, encoded: bool
) -> None:
    """Whether the body comes as text or encoded; its signature is over the bytes."""
    settings = keyed(SETTINGS)
    stage = Stage(settings=settings, verifier=QueueVerifier(settings))
    body = encode_event(await stage.submit("answers")).encode()
    handler, headers = LambdaHandler(stage.container.endpoint(agent_loop.SPEC)), delivery_headers(signed, body)
    genuine = HttpRequest("POST", path, headers, body, encoded=encoded)
    forged: Any = invoker.invoke(handler, function_url_event(replace(genuine, body=body + b" ")))
    assert forged["statusCode"] == 401
    answer: Any = invoker.invoke(handler, function_url_event(genuine))
    assert answer["statusCode"] == status
    if status == 200:
        assert json.loads(answer["body"])["outcome"] == "done"
