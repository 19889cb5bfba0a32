"""A job's stream behind Mangum, which hands an answer over whole: what is there, and no waiting for the end."""

import json
from typing import Any

from baton.app import build_app
from baton.entry import LambdaHandler
from tests.unit.baton.api.client import ACME, with_keys
from tests.unit.baton.kit.lambda_url import Invoker, url_event
from tests.unit.baton.kit.stage import Stage


def requested(method: str, path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    """A request as a function URL hands it over."""
    event = url_event(path, body, {"authorization": f"Bearer {ACME}", **headers})
    event["requestContext"]["http"]["method"] = method
    return event


def test_a_stream_on_lambda_ends_with_what_is_there() -> None:
    """The client is told to come back soon; a job that has ended says so."""
    handler = LambdaHandler(build_app(Stage(settings=with_keys()).container))
    with Invoker() as lambda_function:
        submitted = lambda_function.invoke(handler, requested("POST", "/api/agent-jobs", b'{"jobType": "answers"}'))
        path = f"/api/agent-jobs/{json.loads(submitted['body'])['id']}"
        running = lambda_function.invoke(handler, requested("GET", f"{path}/stream"))
        lambda_function.invoke(handler, requested("PATCH", path, b'{"action": "cancel"}'))
        ended = lambda_function.invoke(handler, requested("GET", f"{path}/stream"))
    assert running["headers"]["content-type"].startswith("text/event-stream")
    assert running["body"].startswith("retry: 500\n\nid: ")
    assert "[DONE]" not in running["body"]
    assert ended["body"].endswith("data: [DONE]\n\n")
