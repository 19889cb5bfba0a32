"""Whole jobs on packaged functions: queue and store of the local stack, everything else as it is in the cloud."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from baton_events.schema import EVENTS_ENDPOINT
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.deploy.bundles import Bundle
from tests.deploy.deployment import LIMIT_SECONDS, Deployment

pytestmark = pytest.mark.e2e

Start = Callable[..., Deployment]


@pytest.fixture
def deploy(
    bundles: Mapping[str, Bundle], runtime: Path, qstash_process: QStashServer, redis_process: RedisServer
) -> Iterator[Start]:
    made: list[Deployment] = []
    qstash_process.reset()
    redis_process.reset()

    def start(**changes: str) -> Deployment:
        app = {"BATON_APP": "acme_agents.agents:registry"}
        made.append(Deployment(bundles, runtime, {**qstash_process.env, **redis_process.env, **app, **changes}))
        return made[-1]

    yield start
    for deployment in made:
        deployment.close()
    qstash_process.reset()


@pytest.mark.parametrize(
    ("continuation", "by"),
    [
        ("literal", "topic"),
        *(pytest.param(*other, marks=pytest.mark.long) for other in (("inline", "topic"), ("queue", "url"))),
    ],
)
def test_a_job_goes_through_all_functions(deploy: Start, continuation: str, by: str) -> None:
    """Somebody's agents, parallel calls, a failure; by topic or URL, each signature checked at its own URL."""
    stack = deploy(CONTINUATION=continuation, PUBLISH_BY=by)
    job = stack.ended(stack.submit("greeter"))
    assert (job["status"], job["result"]["answer"]) == ("completed", "done")
    results = [call["result"] for call in job["toolCalls"] if call["status"] == "completed"]
    assert results == ["Good morning, Ada", "Good morning, Bob"]
    assert [call["error"]["message"] for call in job["toolCalls"] if call["status"] == "failed"] == ["this never works"]
    if continuation == "literal":
        used = ["agent-loop", "tool-executor", "tool-result-complete", "tool-result-failed", "site"]
        assert all(stack.invocations(name) for name in used), {name: stack.invocations(name) for name in used}
    assert "[DONE]" in stack.stream(job["id"])


@pytest.mark.long
def test_a_long_chain_is_dispatched_before_the_functions_time_is_over(deploy: Start) -> None:
    """The time guard: one more piece of work still fits into the limit, so the rest goes to another invocation."""
    free = deploy(CONTINUATION="inline")
    assert free.ended(free.submit("waiter"))["status"] == "completed"
    # 240 s of the function, less 229 s for one piece of work and 10 s of margin: a second for the chain.
    guarded = deploy(CONTINUATION="inline", WORK_TIMEOUT_SECONDS="229")
    job = guarded.ended(guarded.submit("waiter"))
    assert (job["status"], len(job["toolCalls"])) == ("completed", 6)
    work = ("agent-loop", "tool-executor", "tool-result-complete")
    assert sum(guarded.invocations(name) for name in work) > sum(free.invocations(name) for name in work)


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_function_that_is_ended_at_work_loses_nothing(deploy: Start, how: signal.Signals) -> None:
    """Lambda ends a process when it likes: the message was not acknowledged, and the next process goes on."""
    stack = deploy(CONTINUATION="queue", WORK_TIMEOUT_SECONDS="8")  # so that the claim ends soon
    executor = stack.cloud.functions["tool-executor"]
    job_id = stack.submit("sleeper")
    until = time.monotonic() + LIMIT_SECONDS
    while executor.pid is None or [call["status"] for call in stack.job(job_id)["toolCalls"]] != ["running"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    executor.end(how)
    job = stack.ended(job_id)
    assert (job["status"], job["toolCalls"][0]["result"]) == ("completed", "waited")
    assert executor.cold_starts > 1


@pytest.mark.long
def test_a_function_without_work_ends_at_once_on_a_signal(deploy: Start) -> None:
    """SIGTERM, as Lambda sends it where an extension is there; the next event starts a process anew."""
    stack = deploy()
    assert stack.ended(stack.submit("greeter"))["status"] == "completed"
    site = stack.cloud.functions["site"]
    assert site.end(signal.SIGTERM) is not None
    assert site.pid is None
    assert stack.ended(stack.submit("greeter"))["status"] == "completed"
    assert site.cold_starts == 2


@pytest.mark.long
def test_what_the_queue_gave_up_on_comes_back(deploy: Start) -> None:
    """The failure callback reaches its function through the HTTP API, and the job ends."""
    stack = deploy(CONTINUATION="queue")
    executor = stack.cloud.functions["tool-executor"]
    handler, executor.handler = executor.handler, "functions/handlers/no_such_file.handler"
    job_id = stack.submit("greeter")
    until = time.monotonic() + LIMIT_SECONDS
    while not stack.invocations("delivery-failed"):
        assert time.monotonic() < until
        time.sleep(0.1)
    executor.handler = handler
    assert stack.ended(job_id)["status"] == "completed"


def test_setup_binds_topics_to_function_urls(deploy: Start) -> None:
    """What a stack's outputs say is what the queue delivers to; app events have topics where there are handlers."""
    stack = deploy()
    for endpoint, url in json.loads(stack.cloud.found["WORKER_URLS"]).items():
        assert (f"→ {url}{endpoint}" in stack.shown) == (endpoint != EVENTS_ENDPOINT)
    assert f"→ {stack.cloud.address}/prod/api/v2/workers/sweep" in stack.shown


@pytest.mark.long
def test_the_doctor_finds_it_well(deploy: Start) -> None:
    """A signed message through the queue reaches each function, at its function URL or behind the HTTP API."""
    stack = deploy()
    stack.cloud.warm_up()  # a probe waits ten seconds, and a busy machine needs more for six cold starts at once
    shown = stack.baton("doctor", "--timeout", "90")
    assert re.search(r"^endpoints +ok", shown, re.MULTILINE), shown
    assert re.search(r"^topics +ok", shown, re.MULTILINE), shown
    assert all(stack.invocations(name) > 1 for name in stack.cloud.functions if name != "site")
