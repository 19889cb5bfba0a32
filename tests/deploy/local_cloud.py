"""A cloud on loopback: the packaged functions behind URLs, as serverless.yml puts them, each in a process of its own.

Event functions and the sweep have URLs of their own (`/fn/NAME`), and so has the site, which streams there; behind the
HTTP API, which has a stage and a base path, are API and console, the sweep and the failure callback. As in the cloud,
the site has a process for each request at a time, and what it streams to somebody who has gone goes on to its end.
"""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from baton.server.app import SPECS
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT
from baton_local.fixtures.lambda_events import HttpRequest, body_of, function_url_event, http_api_event
from tests.deploy.bundles import Bundle
from tests.deploy.lambda_function import TASK, WRAPPER, LambdaFunction
from tests.deploy.runtime_api import FunctionError
from tests.fakes.http_server import ThreadingServer

STAGE, BASE = "prod", "/prod/api/v2"
_BY_FUNCTION_URL = "/fn/"
_SITE = f"{_BY_FUNCTION_URL}site"
# What serverless.yml gives the site.
SITE_ENVIRONMENT = {WRAPPER: f"{TASK}/baton/server/lambda_runtime.sh", "STREAM_SILENCE_SECONDS": "120"}


def functions_of(
    bundles: Mapping[str, Bundle], runtime: Path, environment: Mapping[str, str]
) -> dict[str, LambdaFunction]:
    def function(name: str) -> LambdaFunction:
        bundle = bundles["baton-models" if name == "agent-loop" else "baton"]
        own = SITE_ENVIRONMENT if name == "site" else {}
        return LambdaFunction(handler_of(name), bundle.folder, runtime, {**environment, **own})

    return {name: function(name) for name in (*(spec.name for spec in SPECS), "site")}


def handler_of(name: str) -> str:
    return f"functions/handlers/{name.replace('-', '_')}.handler"


class LocalCloud:
    def __init__(self, bundles: Mapping[str, Bundle], runtime: Path, settings: Mapping[str, str]) -> None:
        cloud = self

        class Front(_Front):
            local_cloud = cloud

        self._server = ThreadingServer(("127.0.0.1", 0), Front)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._made = bundles, runtime, {**self.found, **settings}
        self.functions = functions_of(*self._made)
        self._closed = False
        self._free_sites, self._more_sites = [self.functions["site"]], list[LambdaFunction]()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def found(self) -> dict[str, str]:
        urls = {
            spec.path: f"{self.address}{_BY_FUNCTION_URL}{spec.name}"
            for spec in SPECS
            if spec.path not in (DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT)
        }
        return {"WORKER_BASE_URL": self.address + BASE, "WORKER_URLS": json.dumps(urls)}

    def invoke(self, request: HttpRequest) -> dict[str, Any]:
        """What becomes of a request that nothing streams.

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
        if name == "site":
            with self.site() as site:
                return dict(site.invoke(event))
        return dict(self.functions[name].invoke(event))

    def stream(self, request: HttpRequest) -> Iterator[Any]:
        """What the site streams at its function URL: `LambdaFunction.stream`."""
        path = request.path.removeprefix(_SITE)
        with self.site() as site:
            yield from site.stream(
                function_url_event(HttpRequest(request.method, path, request.headers, request.body, request.query))
            )

    @contextmanager
    def site(self) -> Iterator[LambdaFunction]:
        try:
            site = self._free_sites.pop()
        except IndexError:
            site = functions_of(*self._made)["site"]
            self._more_sites.append(site)
            if self._closed:
                site.close()
        try:
            yield site
        finally:
            self._free_sites.append(site)

    def warm_up(self) -> None:
        for name, function in self.functions.items():
            request = HttpRequest("POST", "/")
            function.invoke(http_api_event(request, STAGE) if name == "site" else function_url_event(request))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._closed = True
        for function in (*self.functions.values(), *self._more_sites):
            function.close()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    local_cloud: LocalCloud

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = HttpRequest(self.command, url.path, headers, body, url.query)
        if url.path.startswith(f"{_SITE}/"):
            self._stream(request)
            return
        try:
            answer = self.local_cloud.invoke(request)
        except FunctionError as error:
            answer = {"statusCode": 502, "body": str(error)}
        self._send(answer)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

    def _stream(self, request: HttpRequest) -> None:
        pieces = self.local_cloud.stream(request)
        prelude = next(pieces)
        self.send_response(prelude["statusCode"])
        for name, value in {**prelude["headers"], "transfer-encoding": "chunked"}.items():
            if name != "content-length":
                self.send_header(name, value)
        for cookie in prelude.get("cookies", ()):
            self.send_header("set-cookie", cookie)
        self.end_headers()
        try:
            for piece in pieces:
                self._write(piece if isinstance(piece, bytes) else None)
        except ConnectionError:
            for _ in pieces:  # nobody interrupts the function
                pass

    def _write(self, piece: bytes | None) -> None:
        if piece != b"":
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece or b""), piece or b""))

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
