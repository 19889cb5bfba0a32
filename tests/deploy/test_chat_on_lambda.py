"""Chats at the site's function URL: they stream, under the runtime that the packaged site has."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from baton_local.fixtures.lambda_events import HttpRequest
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.deploy.bundles import ROOT, made_bundle
from tests.deploy.deployment import KEY, LIMIT_SECONDS, Deployment
from tests.deploy.local_cloud import BASE
from tests.e2e import chat_agents, test_chat
from tests.e2e.chat_client import chat
from tests.e2e.test_chat import Place

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.long]


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, runtime: Path, qstash_process: QStashServer, redis_process: RedisServer
) -> Iterator[Deployment]:
    """The packaged functions, with the agents of the chats on `baton dev`."""
    work, app = tmp_path_factory.mktemp("bundle"), tmp_path_factory.mktemp("app")
    (app / "chat_agents.py").write_text(Path(chat_agents.__file__).read_text())
    bundle = made_bundle(work, "baton", ROOT, app)
    qstash_process.reset()
    redis_process.reset()
    settings = {**qstash_process.env, **redis_process.env, "BATON_APP": "chat_agents:registry"}
    made = Deployment({"baton": bundle, "baton-models": bundle}, runtime, settings, app)
    yield made
    made.close()
    qstash_process.reset()


@pytest.fixture(scope="module")
def place(stack: Deployment) -> Place:
    return Place(f"{stack.cloud.address}/fn/site", KEY)


def test_no_invocation_is_held_while_a_job_only_waits(stack: Deployment, place: Place) -> None:
    job_id = stack.submit("waits")
    until = time.monotonic() + LIMIT_SECONDS
    while stack.job(job_id)["status"] != "waiting":
        assert time.monotonic() < until
        time.sleep(0.05)
    last_id = stack.stream(job_id).rpartition("id: ")[2].partition("\n")[0]
    headers = {"authorization": f"Bearer {place.key}", "last-event-id": last_id}
    answer = httpx.get(f"{place.url}/api/agent-jobs/{job_id}/stream", headers=headers, timeout=LIMIT_SECONDS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.removeprefix("retry: ").strip().isdecimal(), answer.text


def test_use_chat_shows_a_word_before_the_model_says_the_next(place: Place, tmp_path: Path) -> None:
    """The model waits until the page has its first word; an answer that is handed over whole would never come."""
    found = chat(*place, "gated", str(tmp_path), agent="gated")
    assert test_chat.texts_of(found["messages"][-1]) == ["first second"]
    said_ms = float((tmp_path / "said").read_text())
    print(f"the first word was read {found['readMs'] - said_ms:.0f} ms after the model said it")  # noqa: T201 - with -s


@pytest.fixture(scope="module")
def warm_place(stack: Deployment, place: Place) -> Place:
    """The same, with a second process for what is asked while a stream is held: its start may take an answer's time."""
    with stack.cloud.site():
        assert stack.cloud.invoke(HttpRequest("GET", f"{BASE}/healthz"))["statusCode"] == 200
    return place


CHATS = [
    test_chat.test_three_turns_with_tools,
    test_chat.test_another_answer_and_a_changed_question,
    test_chat.test_stop,
    test_chat.test_a_page_that_is_loaded_again_in_the_middle_of_an_answer,
]


@pytest.mark.parametrize("holds", CHATS, ids=lambda each: each.__name__)
def test_chats_go_as_on_the_local_stack(warm_place: Place, holds: Callable[[Place], None]) -> None:
    holds(warm_place)
