"""Odd values over the real local stack: each job ends, is read, listed and deleted, and nobody else notices."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.e2e.dev_stack import HTTP, DevStack
from tests.e2e.odd_agents import CALLS, RETRIES
from tests.values.clients import BODIES
from tests.values.odd import Drawn

pytestmark = [pytest.mark.e2e, pytest.mark.long]
ROOT = Path(__file__).parents[2]
AGENTS, ENVIRONMENT = "odd_agents", {"PYTHONPATH": str(ROOT)}
MODELS, SENT = 40, 300


def test_jobs_of_odd_values_end_and_can_be_deleted(stack: DevStack) -> None:
    """Each call starts at most `retries + 2` times, and each turn is paid at most `model_retries + 2` times."""
    jobs = [stack.submit(f"tools-{number}", "go") for number in range(CALLS)]
    jobs += [stack.submit("models", f"go {seed}") for seed in range(MODELS)]
    beside = stack.submit("plain", "go")
    for job_id in jobs:
        ended = stack.ended(job_id)
        assert ended["status"] == "completed" or ended["error"]["message"], ended
    assert stack.completed(beside)["result"] == {"answer": "done"}
    assert max(Counter(stack.noted()).values()) <= RETRIES + 2
    assert stack.request("GET", "/api/agent-jobs?limit=100")["jobs"]
    for job_id in jobs:
        stack.request("DELETE", f"/api/agent-jobs/{job_id}")


def test_odd_bodies_are_taken_or_refused(stack: DevStack) -> None:
    job_id = stack.submit("plain", "go")
    for seed in range(SENT):
        drawn = Drawn(seed)
        route, schema = drawn.random.choice(BODIES)
        path = route.path.replace("{agent}", "plain").replace("{session_id:any}", "s")
        path = path.replace("{job_id}", job_id).replace("{checkpoint_id}", "op_x").replace("{operation_id}", "op_x")
        key = stack.described["admin_key" if route.access == "admin" else "client_key"]
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        body = schema.text(drawn).encode(errors="surrogatepass")
        url = f"{stack.described['app_url']}{path}"
        try:
            status = HTTP.request(route.method, url, headers=headers, content=body, timeout=5).status_code
        except httpx.ReadTimeout:  # a stream that waits
            continue
        assert status < 500, (route.method, path, body[:300])
    assert stack.completed(stack.submit("plain", "go"))
    assert stack.request("GET", "/api/agent-jobs")["jobs"]
