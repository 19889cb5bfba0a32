"""Sealed payloads on the real local stack: no marked text is in any byte that it keeps, by whatever way it came."""

import asyncio
import base64
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from baton_events import Emitter, EmitterSettings
from baton_events.app_event import app_event
from tests.contract.qstash.destination import Destination
from tests.e2e.dev_stack import DevStack, StackMaker, wait_for
from tests.e2e.sealed_agents import canary

pytestmark = [pytest.mark.e2e, pytest.mark.long]
AGENTS, OPERATIONS = "sealed_agents", "an operations key of tests"
OLD, NEW = (f"{name}:{base64.b64encode(bytes([at]) * 32).decode()}" for at, name in enumerate(("old", "new")))
_MARK = re.compile(rb"canary-([a-z-]+)-9b1f")
# What goes in by its own word, and what the agents of the stack say (sealed_agents.py).
SENT = [
    *("task", "input", "arguments", "result", "answer", "progress", "info", "file", "tool-error", "model-error"),
    *("child-task", "child-data", "child-answer", "chat", "chat-file", "event", "event-misfit", "handler-error"),
    *("started-task", "asked-for", "comment", "steered", "job-event", "outcome", "schedule", "coded-schedule"),
    *("score", "waiting", "outcome-of-stream", "bad-outcome"),
]
# What other programs write into the stream of outcomes stays in it as they wrote it, until it is trimmed.
OF_OTHERS = {"outcome-of-stream", "bad-outcome"}
STREAM, SECRET = "redis operations:completed", f"whsec_{32 * 'A'}"
# Base64 begins at any of three places in its groups.
_CODED = [
    (door, base64.b64encode(b"\0" * shift + canary(door).encode())[4 * (shift > 0) : -4])
    for door in SENT
    for shift in range(3)
]


def doors_in(data: bytes) -> set[str]:
    """The ways whose text is in some bytes, as it is or as Base64."""
    return {found.decode() for found in _MARK.findall(data)} | {door for door, text in _CODED if text in data}


def kept_in_redis(stack: DevStack) -> dict[str, set[str]]:
    cursor, found = "0", dict[str, set[str]]()
    read: dict[str, Callable[[str], list[str]]] = {
        "string": lambda key: ["GET", key],
        "hash": lambda key: ["HGETALL", key],
        "list": lambda key: ["LRANGE", key, "0", "-1"],
        "set": lambda key: ["SMEMBERS", key],
        "zset": lambda key: ["ZRANGE", key, "0", "-1"],
        "stream": lambda key: ["XRANGE", key, "-", "+"],
    }

    def run(*command: str) -> Any:
        return stack.ask("redis", "", "POST", json=list(command))["result"]

    while True:
        cursor, keys = run("SCAN", cursor, "COUNT", "1000")
        for key in keys:
            if doors := doors_in(f"{key} {run(*read[run('TYPE', key)](key))}".encode()):
                found[key] = doors
        if cursor == "0":
            return found


def kept(stack: DevStack) -> dict[str, set[str]]:
    """The marked texts of each place of a stack: keys, the queue's answers, files, the screen."""
    found = {f"redis {key}": doors for key, doors in kept_in_redis(stack).items()}
    for path in ("/v2/events?count=1000", "/v2/dlq?count=100", "/v2/schedules"):
        found[f"queue {path}"] = doors_in(json.dumps(stack.ask("qstash", path)).encode())
    files = [path for path in stack.folder.rglob("*") if path.is_file() and not path.is_socket()]
    for file in [*files, stack.output_path]:
        found[f"file {file.name}"] = doors_in(file.read_bytes())
    for place in found:
        if place == STREAM or place.startswith("file appendonly.aof"):  # the stream, and the store's file of it
            found[place] -= OF_OTHERS
    return {place: doors for place, doors in found.items() if doors}


def admin(stack: DevStack, method: str, path: str, **options: Any) -> Any:
    return stack.request(method, path, "admin_key", **options)


async def emit_from_outside(stack: DevStack) -> None:
    """Send an event that fits no handler, as a program does that has the emitter alone."""
    settings = EmitterSettings(
        qstash_url=stack.described["qstash_url"],
        qstash_token=stack.described["qstash_token"],
        worker_base_url=stack.described["app_url"],
        payload_keys=stack.environment.get("PAYLOAD_KEYS", ""),
    )
    data, about = {"of": canary("event-misfit")}, {"event_id": "evt_misfit", "tenant": "dev"}
    emitter = Emitter.from_settings(settings)
    await emitter.send(app_event("order.counted", data, now_ms=1_800_000_000_000, **about))
    await emitter.close()
    dead = "/v2/dlq?count=100"
    wait_for(lambda: "order.counted" in str(stack.ask("qstash", dead)), "the dead letter")


def send_everything(stack: DevStack) -> str:
    """Send a marked text by every way; return a job that waits."""
    done = [stack.submit("does", canary("task"), inputData={"of": canary("input")}), stack.submit("breaks", "x")]
    waiting = stack.submit("waits", canary("waiting"), sessionId="s")
    wait_for(lambda: stack.job(waiting)["status"] == "waiting", "the wait")
    steered = {"jobType": "waits", "taskDescription": canary("steered"), "sessionId": "s", "whenBusy": "steer"}
    stack.request("POST", "/api/agent-jobs", json=steered)
    said = {"name": "said", "data": canary("job-event")}
    stack.request("POST", f"/api/agent-jobs/{waiting}/events", json=said)
    parts: list[dict[str, Any]] = [{"type": "text", "text": canary("chat")}]
    url = f"data:text/plain;base64,{base64.b64encode(canary('chat-file').encode() * 3).decode()}"
    parts.append({"type": "file", "mediaType": "text/plain", "url": url})
    message = {"id": "m1", "role": "user", "parts": parts}
    url = f"{stack.described['app_url']}/api/chat"
    headers = {"Authorization": f"Bearer {stack.described['client_key']}"}
    body = {"id": "chat", "agent": "reads", "messages": [message]}
    httpx.post(url, json=body, headers=headers, timeout=60, trust_env=False).raise_for_status()
    stack.request("POST", "/api/events", json={"name": "order.created", "data": canary("event")})
    asyncio.run(emit_from_outside(stack))
    schedule = {"jobType": "helps", "cron": "0 3 1 1 *", "taskDescription": canary("schedule")}
    stack.request("POST", "/api/agent-schedules", json=schedule)
    for job_id in done:
        stack.ended(job_id)
    score = {"name": "good", "value": 1, "comment": canary("score")}
    stack.request("POST", f"/api/agent-jobs/{done[0]}/scores", json=score)
    asking = stack.submit("asks", "x")
    wait_for(lambda: stack.job(asking)["status"] == "waiting", "the question")
    [point] = stack.request("GET", f"/api/agent-jobs/{asking}/checkpoints")["checkpoints"]
    admin(stack, "POST", f"/api/admin/agent-checkpoints/{point['id']}", json={"comment": canary("comment")})
    stack.completed(asking)
    with Destination() as hook:
        stack.submit("does", "x", callbackUrl=hook.url("/done"))
        [sent] = hook.wait("/done", 1)
    assert canary("result") in str(sent.body), "whoever is called back reads it"
    write_outcomes(stack)
    return waiting


def write_outcomes(stack: DevStack) -> None:
    """Write an outcome into the stream, as another program does, and one that cannot be read."""
    waiting = stack.submit("waits", "x")
    wait_for(lambda: stack.job(waiting)["status"] == "waiting", "the wait")
    operation = stack.job(waiting)["toolCalls"][0]["operationId"]
    fields = ["operation_id", operation, "success", "true", "result", canary("outcome-of-stream")]
    for entry in (fields, ["data", canary("bad-outcome")]):
        stack.ask("redis", "", "POST", json=["XADD", "operations:completed", "*", *entry])
    assert canary("outcome-of-stream") in str(stack.completed(waiting)["toolCalls"][0]["result"])
    dead = ["XLEN", "operations:dead"]
    wait_for(lambda: stack.ask("redis", "", "POST", json=dead)["result"] > 0, "the entry that cannot be read")


def finish(stack: DevStack, waiting: str) -> None:
    """Give the job that waits its outcome, and see that it ends."""
    [call] = stack.job(waiting)["toolCalls"]
    key = {"x-api-key": stack.described["operations_key"]}
    path = f"/api/operations/{call['operationId']}/complete"
    answer = httpx.post(
        f"{stack.described['app_url']}{path}",
        json={"success": True, "result": canary("outcome")},
        headers=key,
        timeout=60,
        trust_env=False,
    )
    answer.raise_for_status()
    assert stack.completed(waiting)["toolCalls"][0]["result"] == canary("outcome")


def test_no_marked_text_is_kept_over_a_rotation(new_stack: StackMaker) -> None:
    """The job that waits is begun under the old key and ended under the new one, which seals then."""
    stack = new_stack(AGENTS, PAYLOAD_KEYS=OLD, CALLBACK_SECRET=SECRET).start()
    waiting = send_everything(stack)
    assert kept(stack) == {}
    stack.stop()
    stack.environment = {**stack.environment, "PAYLOAD_KEYS": f"{NEW},{OLD}"}
    stack.start()
    finish(stack, waiting)
    again = stack.completed(stack.submit("helps", canary("task")))
    assert (again["taskDescription"], again["result"]) == (canary("task"), {"answer": canary("child-answer")})
    assert kept(stack) == {}


def test_a_lost_key_holds_up_the_jobs_that_need_it_alone(new_stack: StackMaker) -> None:
    """Others go on, lists work, and the job goes on once the key is there again."""
    stack = new_stack(AGENTS, PAYLOAD_KEYS=OLD).start()
    waiting = stack.submit("waits", canary("waiting"))
    wait_for(lambda: stack.job(waiting)["status"] == "waiting", "the wait")
    operation = stack.job(waiting)["toolCalls"][0]["operationId"]
    stack.stop()
    stack.environment = {**stack.environment, "PAYLOAD_KEYS": NEW}
    stack.start()
    other = stack.completed(stack.submit("helps", canary("task")))
    listed = stack.request("GET", "/api/agent-jobs")["jobs"]
    assert [(job["id"], job["status"]) for job in listed] == [(other["id"], "completed"), (waiting, "waiting")]
    assert "canary-waiting" not in str(listed)
    assert stack.job(waiting)["status"] == "waiting"
    stack.stop()
    stack.environment = {**stack.environment, "PAYLOAD_KEYS": f"{NEW},{OLD}"}
    stack.start()
    assert stack.job(waiting)["toolCalls"][0]["operationId"] == operation
    finish(stack, waiting)


def test_without_keys_the_scan_finds_each(new_stack: StackMaker) -> None:
    stack = new_stack(AGENTS, CALLBACK_SECRET=SECRET).start()
    finish(stack, send_everything(stack))
    found = kept(stack)
    doors = set().union(*found.values())
    assert sorted(set(SENT) - doors) == []
    assert {place.partition(" ")[0] for place in found} == {"redis", "queue", "file"}
