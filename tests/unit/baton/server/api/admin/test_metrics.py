"""`GET /api/metrics`."""

import re
from collections.abc import AsyncIterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from baton import Agent, Call, Limits, Registry, ScriptedModel, wait_for_event
from baton.engine.effects import CHECKPOINTS, COMPLETIONS, HUNG_TOOLS, MODEL_FAILURES, UNDELIVERED
from baton_events.errors import PublishError
from tests.architecture.source_files import ROOT
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.server.api.client import ADMIN, Api, api_with, assert_problem

TOKEN = "token-of-prometheus"
HOUR_SECONDS = 3_600


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with(metrics_token=TOKEN) as made:
        yield made


async def scraped(api: Api, key: str = TOKEN) -> dict[str, Metric]:
    response = await api.request("GET", "/api/metrics", key)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """Values of label values; those of the labels in the order of their names."""
    return {tuple(v for _, v in sorted(sample.labels.items())): sample.value for sample in family.samples}


async def test_holders_of_slots_and_waiting_jobs_are_shown(api: Api) -> None:
    for number in range(4):
        await api.stage.submit("answers", f"job_{number}")
    found = await scraped(api)
    answers = {name: values(family)[()] for name, family in found.items() if name.startswith("agent_worker")}
    assert answers == {
        "agent_worker_active_jobs": 3,
        "agent_worker_pending_jobs": 1,
        "agent_worker_waiting_jobs": 0,
        "agent_worker_max_concurrent_jobs": 3,
        "agent_worker_running": 1,
        "agent_worker_last_sweep_timestamp_seconds": 0,
    }


async def test_only_what_a_person_decides_is_a_pending_approval() -> None:
    """A call and a limit, but no event that a job waits for."""
    kit, event = Kit(), [Call("wait_for_event", {"name": "paid", "timeout_seconds": HOUR_SECONDS})]
    pays = [Call("pay", {"to": "Ann", "amount": 5})]
    agents = [
        Agent("waits", model=ScriptedModel([event, "done"]), tools=[wait_for_event]),
        Agent("pays", model=ScriptedModel([pays, "done"]), tools=[kit.pay]),
        Agent(
            "asks",
            model=ScriptedModel([[Call("price", {"of": "tea"})], "done"]),
            tools=[kit.price],
            limits=Limits(turns=1, on_limit="ask"),
        ),
    ]
    found = list[float]()
    async with api_with(Registry(agents), metrics_token=TOKEN) as api:
        for agent in agents:
            await api.submitted(jobType=agent.name)
            await api.stage.run(within_seconds=60)
            found.append(values((await scraped(api))["agent_checkpoints_pending"])[()])
    assert found == [0, 1, 2]


async def test_ended_jobs_are_reported_by_agent_and_status(api: Api) -> None:
    for number in range(2):
        await api.stage.submit("answers", f"job_{number}")
    await api.stage.run()
    found = await scraped(api)
    assert values(found["agent_jobs"]) == {
        ("answers", "completed"): 2,
        ("answers", "failed"): 0,
        ("answers", "cancelled"): 0,
    }
    took = {sample.name: sample for sample in found["agent_jobs_duration_seconds"].samples}
    assert took["agent_jobs_duration_seconds_count"].value == 2
    buckets = [s for s in found["agent_jobs_duration_seconds"].samples if s.name.endswith("_bucket")]
    assert (buckets[0].labels["le"], buckets[0].value, buckets[-1].labels["le"]) == ("1.0", 2, "+Inf")
    assert set(values(found["agent_tokens"])) == {("input", "answers"), ("output", "answers")}
    assert values(found["agent_cost_usd"]) == {("answers",): 0}


async def test_a_queue_that_does_not_answer_leaves_out_its_own_counter(api: Api) -> None:
    assert values((await scraped(api))["agent_queue_dead_messages"]) == {(): 0}
    api.stage.records.failing.append(PublishError("it does not answer"))
    found = await scraped(api)
    assert ("agent_queue_dead_messages" in found, "agent_worker_active_jobs" in found) == (False, True)


async def test_every_metric_is_in_the_page_and_no_other(api: Api) -> None:
    """docs/operations.md, by the names that Prometheus shows."""
    await api.stage.submit("adds", "job_1")
    await api.stage.run()
    for counted in (CHECKPOINTS, MODEL_FAILURES, COMPLETIONS, HUNG_TOOLS, UNDELIVERED):
        await api.stage.ports.counters.add({f"{counted}:a": 1, f"{counted}:a:b": 1})
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `((?:agent|baton)_[a-z_]+)`", page, re.MULTILINE))
    found = await scraped(api)
    names = {name: f"{name}_total" if family.type == "counter" else name for name, family in found.items()}
    assert set(names.values()) == documented
    labels = dict(re.findall(r"^\| `((?:agent|baton)_[a-z_]+)` \| ([^|]*)\|", page, re.MULTILINE))
    for name, family in found.items():
        shown = {label for sample in family.samples for label in sample.labels}
        assert not family.samples or shown == set(re.findall(r"\w+", labels[names[name]])), name


async def test_tools_are_distinguished_by_name_and_outcome(api: Api) -> None:
    await api.stage.submit("adds", "job_1")
    await api.stage.submit("breaks", "job_2")
    await api.stage.run()
    found = await scraped(api)
    assert values(found["agent_tool_calls"]) == {
        ("returned", "add"): 2,
        ("failed", "add"): 0,
        ("returned", "broken"): 0,
        ("failed", "broken"): 2,
    }
    assert {sample.name for sample in found["agent_tool_duration_seconds"].samples} == {
        "agent_tool_duration_seconds",
        "agent_tool_duration_seconds_count",
    }


async def test_what_was_never_counted_is_zero_and_what_a_newer_version_counts_is_left_out(api: Api) -> None:
    """So that a rate is right from the first event on. Quotes and lines of an agent's name do not break the format."""
    found = await scraped(api)
    assert values(found["agent_checkpoints"]) == {
        ("recorded", "info"): 0,
        ("pending", "approval"): 0,
        ("approved", "approval"): 0,
        ("rejected", "approval"): 0,
        ("expired", "approval"): 0,
    }
    assert values(found["agent_sweeps"]) == {(): 0}
    await api.stage.ports.counters.add({"checkpoints:info": 1, "no such thing": 1, "checkpoints:info:recorded": 2})
    await api.stage.ports.counters.add({'model_failures:a "b"\n:model_error': 1})
    found = await scraped(api)
    assert values(found["agent_checkpoints"])["recorded", "info"] == 2
    assert values(found["agent_model_failures"]) == {('a "b"\n', "model_error"): 1}


async def test_metrics_are_for_operators_and_who_has_the_token(api: Api) -> None:
    """An empty setting opens nothing, and the token opens nothing else; METRICS_PUBLIC opens them to all."""
    assert await scraped(api, ADMIN)
    for path, key in (("metrics", ""), ("metrics", TOKEN + "x"), ("admin/tools", TOKEN)):
        assert_problem(await api.request("GET", f"/api/{path}", key), 401)
    async with api_with() as closed:
        refused = await closed.request("GET", "/api/metrics", "", headers={"authorization": "Bearer "})
        assert_problem(refused, 401)
    async with api_with(metrics_public=True) as public:
        assert "agent_worker_active_jobs" in await scraped(public, "")


async def test_the_overhead_is_reported_in_its_units(api: Api) -> None:
    """Milliseconds as seconds, memory in gigabytes; what nobody has told yet is 0."""
    assert values((await scraped(api))["agent_overhead_redis_bytes"]) == {(): 0}
    sums = {"messages": 2, "requests": 30, "shared": 4, "commands": 50, "function_ms": 1_500, "mb_ms": 512_000}
    await api.stage.ports.counters.add({f"overhead:{name}": much for name, much in sums.items()})
    answers = {name: values(family)[()] for name, family in (await scraped(api)).items() if "overhead" in name}
    assert {name.removeprefix("agent_overhead_"): much for name, much in answers.items() if much} == {
        "messages": 2,
        "redis_requests": 30,
        "redis_shared_requests": 4,
        "redis_commands": 50,
        "function_seconds": 1.5,
        "function_gb_seconds": 0.5,
    }


async def test_keys_that_are_not_ascii_are_known_by_their_utf_8() -> None:
    """A header has bytes; those of another coding are another key."""
    key = "clé à part à"
    async with api_with(metrics_token=key, operations_api_key=key) as api:
        for coding, statuses in (("utf-8", (200, 404)), ("latin-1", (401, 401))):
            metrics = {"authorization": f"Bearer {key}".encode(coding)}
            asked = await api.request("GET", "/api/metrics", "", headers=metrics)
            operations = {"x-api-key": key.encode(coding)}
            known = await api.request("GET", "/api/operations/op_1", "", headers=operations)
            assert (asked.status_code, known.status_code) == statuses
