"""A function in whose process a tool call hangs: it answers, ends, and the next invocation gets a fresh process."""

import sysconfig
import time
from pathlib import Path

import pytest

from baton_local.fixtures.lambda_events import HttpRequest, function_url_event
from tests.deploy.bundles import ROOT
from tests.deploy.lambda_function import LambdaFunction

_FUNCTION = """
import threading
from contextlib import suppress
from starlette.responses import Response
from baton.worker.entry import LazyApp, LambdaHandler
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.running_calls import OverLimitError
from baton.sdk.tools.tool import tool

@tool(timeout_seconds=0.01)
def hang() -> None:
    threading.Event().wait()

def build(container):
    async def app(scope, receive, send):
        if scope["path"] == "/hang":
            for number in range(container.settings.hung_tools_limit + 1):
                with suppress(OverLimitError):
                    await container.running_calls.result(hang, {}, ToolContext.for_test(idempotency_key=str(number)))
        await Response("answered")(scope, receive, send)
    return app

handler = LambdaHandler(LazyApp(build))
"""


@pytest.mark.long
def test_a_process_with_a_call_that_hangs_ends_after_its_answer(tmp_path: Path, runtime: Path) -> None:
    (tmp_path / "hanging.py").write_text(_FUNCTION)
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}/functions:{ROOT}/events:{sysconfig.get_path('purelib')}",
        "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
        "UPSTASH_REDIS_REST_TOKEN": "t",
        "QSTASH_TOKEN": "t",
        "WORKER_BASE_URL": "https://fn.example.com",
    }
    function = LambdaFunction("hanging.handler", tmp_path, runtime, environment)
    try:
        for path, starts in (("/", 1), ("/", 1), ("/hang", 1), ("/", 2)):
            answer = function.invoke(function_url_event(HttpRequest("GET", path)))
            assert (answer["statusCode"], answer["body"], function.cold_starts) == (200, "answered", starts)
            deadline = time.monotonic() + 30
            while path == "/hang" and function.pid is not None and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        function.close()
