"""A result of 50 MB over the whole local stack: its cost, its place, and that nothing of it is lost or left."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.contract.objects.s3 import s3
from tests.e2e.dev_stack import HTTP, DevStack, stacks, wait_for
from tests.e2e.meters import BridgeMeters

pytestmark = pytest.mark.e2e

LARGE, SMALL = 50_000_000, 1_000
DIGEST = hashlib.sha256(b'"' + b"x" * (LARGE - 2) + b'"').hexdigest()
SETTINGS = {"WORK_TIMEOUT_SECONDS": "30", "MESSAGE_TIMEOUT_SECONDS": "60", "MESSAGE_RETRY_DELAY_MS": "300"}
STILL = {"SWEEP_INTERVAL_SECONDS": "3600", "CONTINUATION": "inline"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[DevStack]:
    with stacks(tmp_path) as make:
        yield make("large_agents", **SETTINGS, **STILL)


def objects_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").rglob("*") if path.is_file()]


def bytes_in_redis(stack: DevStack, job_id: str) -> int:
    def asked(*command: str) -> Any:
        return stack.ask("redis", "", "POST", json=list(command))["result"]

    return sum(int(asked("MEMORY", "USAGE", key)) for key in asked("KEYS", f"*{job_id}*"))


def has_begun(stack: DevStack, times: int) -> bool:
    return len(stack.noted()) >= times


def of_result(stack: DevStack, job: dict[str, Any], **headers: str) -> Any:
    url = f"{stack.described['app_url']}{job['toolCalls'][0]['resultRef']['url']}"
    key = {"Authorization": f"Bearer {stack.described['client_key']}"}
    return HTTP.get(url, headers={**key, **headers}).raise_for_status()


@pytest.mark.long
def test_a_result_of_50_mb_costs_a_step_little_and_goes_with_its_job(stack: DevStack) -> None:
    stack.start()

    def run(size: int) -> tuple[str, dict[str, int]]:
        job_id = stack.submit("large", str(size))
        stack.completed(job_id)
        BridgeMeters(stack).when_quiet()  # the last COMMIT counts itself after the job has ended
        return job_id, stack.job(job_id)["usage"]

    run(SMALL)
    (_, small), (job_id, large) = run(SMALL), run(LARGE)
    most = {"redisCommands": 2, "redisRequests": 2, "redisBytes": 20_000, "messages": 0}
    assert {name: max(much, large[name] - small[name]) for name, much in most.items()} == most
    [path] = objects_in(stack.folder)
    assert (path.name, path.stat().st_size) == (DIGEST, LARGE)
    assert bytes_in_redis(stack, job_id) < 100_000
    job = stack.job(job_id)
    ref = job["toolCalls"][0]["resultRef"]
    assert (ref["sizeBytes"], ref["digest"]) == (LARGE, DIGEST)
    assert job["result"]["answer"] == f"{LARGE} in 0/{path.relative_to(stack.folder / 'objects')}"
    part = of_result(stack, job, range=f"bytes={LARGE - 3}-")
    assert (part.status_code, part.content) == (206, b'xx"')
    whole = of_result(stack, job, accept="application/octet-stream")
    assert hashlib.sha256(whole.content).hexdigest() == DIGEST
    assert len(of_result(stack, job).json()["result"]) == LARGE - 2
    stack.request("DELETE", f"/api/agent-jobs/{job_id}")
    assert objects_in(stack.folder) == []


@pytest.mark.long
def test_it_is_whole_although_its_process_is_killed(stack: DevStack) -> None:
    stack.start()
    job_id = stack.submit("large", str(LARGE))
    for number in range(1, 3):
        wait_for(partial(has_begun, stack, number), "the start of the tool")
        stack.wait_until_back("app", stack.kill("app"))
    job = stack.completed(job_id)
    assert (len(objects_in(stack.folder)), len(stack.noted()) >= 3) == (1, True)
    assert hashlib.sha256(of_result(stack, job, accept="application/octet-stream").content).hexdigest() == DIGEST


@pytest.mark.long
def test_it_waits_while_an_s3_is_away_and_other_jobs_go_on(tmp_path: Path) -> None:
    with s3() as (url, bucket), stacks(tmp_path) as make:
        options = {"endpoint": url, "region": "eu-central-1", "access_key_id": "k", "secret_access_key": "s"}
        place = {
            "OBJECT_STORE_URL": "s3://bucket/baton",
            "OBJECT_STORE_OPTIONS": json.dumps(options | {"allow_http": True}),
        }
        stack = make("large_agents", **SETTINGS, **STILL, **place).start()
        bucket.away = True
        waits, other = stack.submit("large", str(LARGE)), stack.submit("large", str(SMALL))
        stack.completed(other)
        assert stack.request("GET", "/readyz")["objectStore"] == "does not answer"
        wait_for(lambda: len(stack.noted()) >= 3, "another attempt")
        assert stack.job(waits)["status"] not in ("completed", "failed")
        bucket.away = False
        job = stack.completed(waits)
        [(path, (data, _))] = bucket.objects.items()
        assert (path.endswith(DIGEST), len(data), job["toolCalls"][0]["attempts"]) == (True, LARGE, 1)
        stack.request("DELETE", f"/api/agent-jobs/{waits}")
        assert bucket.objects == {}
