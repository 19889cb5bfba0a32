"""A project's agents as a process of its own, which a test may kill."""

from collections.abc import Callable

import pytest

from baton_local.fixtures.agent_app import AgentApp, AgentAppError
from baton_local.fixtures.network import LocalProxy
from baton_local.fixtures.servers import QStashFaults, RedisServer, RequestFaults

pytestmark = pytest.mark.e2e
AGENTS = "tests.unit.baton_local.pytest_plugin.agents_of_a_project:registry"
Start = Callable[..., AgentApp]


def test_a_killed_app_goes_on_where_it_was_when_it_is_started_again(agent_app: Start) -> None:
    app = agent_app(AGENTS)
    job_id = app.submit("asker")
    operation = app.wait(job_id, until="waiting")["toolCalls"][0]["operationId"]
    app.kill()
    with pytest.raises(OSError, match="refused"):
        app.job(job_id)
    app.start()
    answer = app.call("GET", f"/api/agent-jobs/{job_id}")["toolCalls"][0]
    assert (answer["status"], answer["operationId"]) == ("waiting", operation)


def test_a_delivery_whose_answer_is_lost_leaves_one_effect(agent_app: Start, qstash_faults: QStashFaults) -> None:
    app = agent_app(AGENTS, OPERATIONS_API_KEY="mine", MAX_CONCURRENT_JOBS="7")
    assert app.call("GET", "/api/admin/agent-worker")["maxConcurrentJobs"] == 7  # settings of the call win
    qstash_faults.drop_answer(1, url=f"{app.url}/workers/tool-executor")
    job = app.wait(app.submit("greeter"))
    assert [call["attempts"] for call in job["toolCalls"]] == [1]
    assert (job["status"], job["result"]["answer"]) == ("completed", "hello")


@pytest.mark.long
def test_a_wait_that_is_in_vain_says_why(agent_app: Start) -> None:
    app = agent_app(AGENTS)
    with pytest.raises(AgentAppError, match=r"waiting .*ask"):
        app.wait(app.submit("asker"), limit_seconds=2)
    done = app.submit("greeter")
    app.wait(done)
    with pytest.raises(AgentAppError, match="completed"):
        app.wait(done, until="waiting")


def test_agents_that_cannot_be_loaded_are_reported(agent_app: Start) -> None:
    with pytest.raises(AgentAppError, match="nowhere"):
        agent_app("nowhere:registry")


def test_a_store_that_is_away_is_waited_out(agent_app: Start, redis_faults: RequestFaults) -> None:
    """The API answers 503 meanwhile, which is no end of a job; a job that nobody knows is told at once."""
    app = agent_app(AGENTS)
    job_id = app.submit("greeter")
    redis_faults.refuse(2)
    assert app.wait(job_id)["status"] == "completed"
    with pytest.raises(RuntimeError, match="404"):
        app.wait("job_nowhere")


@pytest.mark.long
def test_an_app_reaches_store_and_queue_past_a_dead_address(
    agent_app: Start, redis_faults: RequestFaults, qstash_faults: QStashFaults
) -> None:
    app = agent_app(AGENTS, **{**redis_faults.first_address_dead(), **qstash_faults.first_address_dead()})
    assert app.wait(app.submit("greeter"))["status"] == "completed"


@pytest.mark.long
def test_a_proxy_that_goes_takes_the_store_behind_it_away(
    agent_app: Start, redis_server: RedisServer, local_proxy: LocalProxy
) -> None:
    app = agent_app(AGENTS, **local_proxy.env, UPSTASH_REDIS_REST_URL=local_proxy.behind(redis_server.url))
    job_id = app.submit("asker")
    app.wait(job_id, until="waiting")
    assert any(redis_server.url.rpartition(":")[2] not in each for each in local_proxy.requests)
    for away in (local_proxy.off, local_proxy.hang):
        away()
        with pytest.raises(RuntimeError, match="503"):
            app.job(job_id)
        local_proxy.on()
        assert app.job(job_id)["status"] == "waiting"
