"""The webhook functions: what each one is, and how it answers behind a Lambda function URL."""

import importlib
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from baton.app import EVENT_SPECS, SPECS
from baton.engine.work_items import ItemKind
from baton.entry import LambdaHandler
from baton.handlers import agent_loop
from baton.queue.qstash.verifier import QueueVerifier
from baton.runtime.spec import TAKING_IN_SECONDS, Spec, guard_ms
from baton.settings.settings import Settings
from baton_events.messages import delivery_seconds
from baton_events.schema import (
    DELIVERY_FAILED_ENDPOINT,
    ENDPOINTS,
    EVENTS_ENDPOINT,
    SWEEP_ENDPOINT,
    EventType,
    encode_event,
)
from tests.unit.baton.kit.lambda_url import Invoker, url_event
from tests.unit.baton.kit.signing import delivery_headers, keyed
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
KEYED = keyed(SETTINGS)
LOOP = f"{BASE}/workers/agent-loop"


def module_of(name: str) -> ModuleType:
    """A function's module."""
    return importlib.import_module(f"baton.handlers.{name}")


@pytest.fixture
def invoker() -> Iterator[Invoker]:
    """A thread that invokes handlers as the Lambda runtime does."""
    with Invoker() as made:
        yield made


def test_each_event_type_has_one_function_at_its_endpoint() -> None:
    """And three endpoints take none of the four."""
    served = {spec.event_type: spec.path for spec in SPECS if spec.event_type is not None}
    assert served == dict(ENDPOINTS)
    others = [spec.path for spec in SPECS if spec.event_type is None]
    assert others == [EVENTS_ENDPOINT, DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT]
    assert len({spec.name for spec in SPECS}) == len(SPECS) == len(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_functions_name_is_its_files(name: str) -> None:
    """So that people find it."""
    assert module_of(name).SPEC.name == name.replace("_", "-")


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


def test_functions_without_work_have_a_minute() -> None:
    """Whatever work may take: they only take in what it came to."""
    assert [spec.works for spec in EVENT_SPECS] == [True, True, False, False]
    assert [spec.timeout_seconds for spec in EVENT_SPECS] == [240, 240, 60, 60]
    long = Settings(work_timeout_seconds=800, message_timeout_seconds=900)
    assert [guard_ms(spec, long) > 0 for spec in EVENT_SPECS] == [False, False, True, True]


def test_where_work_may_take_as_long_as_the_function_nothing_is_continued() -> None:
    """The guard is never negative."""
    assert guard_ms(agent_loop.SPEC, Settings(work_timeout_seconds=800, message_timeout_seconds=900)) == 0


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
        "QSTASH_CURRENT_SIGNING_KEY": KEYED.current_signing_key,
        "WORKER_BASE_URL": BASE,
    }.items():
        monkeypatch.setenv(variable, value)
    module = module_of(name)
    handler = LambdaHandler(type(module.app)(module.app._build))
    headers = delivery_headers(f"{BASE}{module.SPEC.path}", b"{}", upstash_signature="")
    answer: Any = invoker.invoke(handler, url_event(module.SPEC.path, b"{}", headers))
    assert answer["statusCode"] == 401
    assert answer["headers"]["content-type"] == "application/problem+json"


async def submitted(stage: Stage) -> bytes:
    """The body of a submitted job's first event."""
    return encode_event(await stage.submit("answers")).encode()


@pytest.mark.parametrize("encoded", [True, False])
async def test_a_signed_delivery_is_handled_behind_a_function_url(invoker: Invoker, encoded: bool) -> None:
    """200, whether the body comes as text or encoded; its signature is over the bytes."""
    stage = Stage(settings=KEYED, verifier=QueueVerifier(KEYED))
    body = await submitted(stage)
    handler = LambdaHandler(stage.container.endpoint(agent_loop.SPEC))
    headers = delivery_headers(LOOP, body)
    answer: Any = invoker.invoke(handler, url_event("/workers/agent-loop", body, headers, encoded=encoded))
    assert (answer["statusCode"], json.loads(answer["body"])["outcome"]) == (200, "done")
    forged: Any = invoker.invoke(handler, url_event("/workers/agent-loop", body + b" ", headers, encoded=encoded))
    assert forged["statusCode"] == 401


async def test_a_function_url_of_any_host_and_path_serves_its_public_url(invoker: Invoker) -> None:
    """The signature is checked against the URL that was published to, not against what the proxy made of it."""
    stage = Stage(settings=KEYED, verifier=QueueVerifier(KEYED))
    body = await submitted(stage)
    handler = LambdaHandler(stage.container.endpoint(agent_loop.SPEC))
    answer: Any = invoker.invoke(handler, url_event("/", body, delivery_headers(LOOP, body)))
    assert answer["statusCode"] == 200


async def test_a_function_is_also_found_at_its_own_function_url(invoker: Invoker) -> None:
    """Where topics name the functions' URLs, no setting does."""
    stage = Stage(settings=KEYED, verifier=QueueVerifier(KEYED))
    body = await submitted(stage)
    own = "https://fn.lambda-url.eu-central-1.on.aws"
    handler = LambdaHandler(stage.container.endpoint(agent_loop.SPEC))
    for url, status in {f"{own}/workers/agent-loop": 200, f"{own}/workers/sweep": 401, own: 401}.items():
        answer: Any = invoker.invoke(handler, url_event("/workers/agent-loop", body, delivery_headers(url, body)))
        assert answer["statusCode"] == status, url
