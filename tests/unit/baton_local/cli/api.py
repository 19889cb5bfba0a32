"""The API as the commands meet it: what is asked of it, and answers made for a test."""

import json
from typing import Any

import httpx
import respx
from click.testing import CliRunner, Result

from baton_local.cli.main import main

URL = "https://fn.example.com"
JOB: dict[str, Any] = {
    "id": "job_1",
    "jobType": "research",
    "summary": "look it up",
    "taskDescription": "look it up",
    "sessionId": "session_1",
    "status": "completed",
    "waitingFor": None,
    "result": {"answer": "42"},
    "error": None,
    "createdAt": "2026-05-01T08:00:00.000Z",
    "finishedAt": "2026-05-01T08:00:01.000Z",
    "turns": 2,
    "toolCalls": [
        {"tool": "search", "arguments": {"q": "x"}, "status": "completed", "attempts": 1, "result": {"hits": 3}}
    ],
    "usage": {
        "inputTokens": 10,
        "outputTokens": 5,
        "messages": 8,
        "deliveries": 7,
        "redisRequests": 20,
        "redisCommands": 60,
        "redisBytes": 7000,
        "functionMs": 40,
        "gbSeconds": 0.02,
        "costUsd": 0.0,
    },
    "cost": {"queueUsd": 0.00008, "redisUsd": 0.00012, "functionsUsd": 0.0, "modelUsd": 0.0, "totalUsd": 0.0002},
}


def baton(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--url", URL, "--key", "bk_secret"])


def sent(call: respx.models.Call) -> Any:
    return json.loads(call.request.content)


def problem(status: int, detail: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"title": "refused", "status": status, "detail": detail, **more})
