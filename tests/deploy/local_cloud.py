"""A cloud on loopback: the packaged functions behind URLs, as serverless.yml puts them, each in a process of its own.

Event functions and the sweep have URLs of their own (`/fn/NAME`); behind the HTTP API, which has a stage and a base
path, are API and console, the sweep and the failure callback.
"""

import contextlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from baton.app import SPECS
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT
from tests.deploy.bundles import Bundle
from tests.deploy.http_event import HttpRequest, body_of, function_url_event, http_api_event
from tests.deploy.lambda_function import LambdaFunction
from tests.deploy.runtime_api import FunctionError

STAGE, BASE = "prod", "/prod/api/v2"
_BY_FUNCTION_URL = "/fn/"


def functions_of(
    bundles: Mapping[str, Bundle], runtime: Path, environment: Mapping[str, str]
) -> dict[str, LambdaFunction]:
    """Every function that is deployed, by name; none runs yet."""

    def function(name: str) -> LambdaFunction:
        bundle = bundles["baton-models" if name == "agent-loop" else "baton"]
        return LambdaFunction(handler_of(name), bundle.folder, runtime, environment)

    return {name: function(name) for name in (*(spec.name for spec in SPECS), "site")}


def handler_of(name: str) -> str:
    """What serverless.yml calls the handler of a function."""
    return f"functions/handlers/{name.replace('-', '_')}.handler"


class LocalCloud:
    """Serves on loopback until it is closed."""

    def __init__(self, bundles: Mapping[str, Bundle], runtime: Path, settings: Mapping[str, str]) -> None:
        cloud = self

        class Front(_Front):
            local_cloud = cloud

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.functions = functions_of(bundles, runtime, {**self.found, **settings})
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def found(self) -> dict[str, str]:
        """Where the functions are: what a stack's outputs say."""
        urls = {
            spec.path: f"{self.address}{_BY_FUNCTION_URL}{spec.name}"
            for spec in SPECS
            if spec.path not in (DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT)
        }
        return {"WORKER_BASE_URL": self.address + BASE, "WORKER_URLS": json.dumps(urls)}

    def invoke(self, request: HttpRequest) -> dict[str, Any]:
        """What becomes of a request.

        Raises:
            FunctionError: its function ended instead of answering.
        """
        if request.path.startswith(_BY_FUNCTION_URL):
            name, _, path = request.path.removeprefix(_BY_FUNCTION_URL).partition("/")
            event = function_url_event(HttpRequest(request.method, f"/{path}", request.headers, request.body))
        else:
            name = {SWEEP_ENDPOINT: "sweep", DELIVERY_FAILED_ENDPOINT: "delivery-failed"}.get(
                request.path.removeprefix(BASE), "site"
            )
            event = http_api_event(request, STAGE)
        answer: dict[str, Any] = self.functions[name].invoke(event)
        return answer

    def warm_up(self) -> None:
        """Start a process of every function."""
        for function in self.functions.values():
            function.invoke(function_url_event(HttpRequest("POST", "/")))

    def close(self) -> None:
        """Stop; no process is left."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for function in self.functions.values():
            function.close()


class _Front(BaseHTTPRequestHandler):
    """From HTTP to an event, and back."""

    protocol_version = "HTTP/1.1"
    local_cloud: LocalCloud

    def do_GET(self) -> None:
        """Any request."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = self.local_cloud.invoke(HttpRequest(self.command, url.path, headers, body, url.query))
        except FunctionError as error:
            answer = {"statusCode": 502, "body": str(error)}
        self._send(answer)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

    def _send(self, answer: dict[str, Any]) -> None:
        content = body_of(answer)
        self.send_response(answer["statusCode"])
        for name, value in {**answer.get("headers", {}), "content-length": str(len(content))}.items():
            self.send_header(name, value)
        with contextlib.suppress(ConnectionError):  # who asked has gone
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Quietly."""
