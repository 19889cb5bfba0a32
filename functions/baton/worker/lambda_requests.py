"""The HTTP request that an event of Lambda brings: from a function URL, an HTTP API, a REST API or a load balancer.

Mangum reads and answers each of them. Invariant: a path is decoded once: an HTTP API has decoded it, in both of its
formats, and the others pass it on as the client wrote it, which is the `raw_path`. An event without a request is
refused by name, before the app sees it. A whole answer over Lambda's limit is a 500 that says so: Lambda's own runtime
would end with it. Must not: run the app.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import json
from typing import Any, cast
from urllib.parse import unquote

from mangum.handlers import ALB, APIGateway, HTTPGateway
from mangum.types import LambdaConfig, Response, Scope

from baton.worker.runtime.webhook import lambda_url

_PORT = "x-forwarded-port"
# Of a whole answer as JSON; smaller bodies fit however they are escaped.
_LARGEST_BYTES, _FITTING_CHARS = 6 * 1024 * 1024, 1_000_000
_SHOWN_NAMES, _SHOWN_CHARS = 8, 40


class NoRequestError(ValueError):
    """An event is no HTTP request that can be served."""


class HttpGateway(HTTPGateway):
    """An event of a function URL, or of an HTTP API."""

    @property
    def scope(self) -> Scope:
        """The request, whose path is decoded here unless an HTTP API has done it."""
        scope = super().scope
        path: str = self.event["rawPath" if self.event["version"] == "2.0" else "path"] or "/"
        is_raw = bool(lambda_url(scope))
        scope["path"], scope["raw_path"] = unquote(path) if is_raw else path, path.encode() if is_raw else None
        return scope


class BroughtRequest:
    """The request of one event, read once, and the form of its answer."""

    def __init__(self, gateway: ALB | APIGateway | HTTPGateway) -> None:
        self.scope = gateway.scope
        if not isinstance(gateway, HTTPGateway):
            self.scope["raw_path"] = (gateway.event["path"] or "/").encode()
        self.body = gateway.body
        self._gateway = gateway

    def __call__(self, response: Response) -> dict[str, Any]:
        """Return an answer in the form that the event's sender takes. Header values are Latin-1, as ASGI has them."""
        headers = [[name, value.decode("latin-1").encode()] for name, value in response["headers"]]
        answer = self._gateway({**response, "headers": headers})
        if len(answer["body"]) <= _FITTING_CHARS or len(json.dumps(answer)) <= _LARGEST_BYTES:
            return answer
        kind = [b"content-type", b"application/problem+json"]
        return self._gateway({"status": 500, "headers": [kind], "body": _too_large(len(response["body"]))})


def _too_large(size_bytes: int) -> bytes:
    detail = f"the answer has {size_bytes} bytes, and Lambda takes 6 MB: ask for less, or at the site's function URL"
    return json.dumps({"type": "about:blank", "title": "answer too large", "status": 500, "detail": detail}).encode()


def brought_request(event: Any, context: Any, config: LambdaConfig) -> BroughtRequest:
    """Read the request that an event brings. Raises NoRequestError: it brings none, or one that cannot be read."""
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        raise NoRequestError(_refusal(event, "it has no requestContext"))
    known = _without_ports(cast("dict[str, Any]", event))
    for kind in (ALB, HttpGateway, APIGateway):
        if kind.infer(known, context, config):
            try:
                return BroughtRequest(kind(known, context, config))
            except Exception as error:
                raise NoRequestError(_refusal(event, f"{type(error).__name__}: {error}")) from error
    raise NoRequestError(_refusal(event, "it has neither of version, resource and requestContext.elb"))


def _without_ports(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event without the port's header: several proxies write several ports, and nothing of ours asks."""
    found = dict(event)
    for name in ("headers", "multiValueHeaders"):
        if isinstance(headers := event.get(name), dict):
            found[name] = {key: value for key, value in headers.items() if key.lower() != _PORT}
    return found


def _refusal(event: Any, reason: str) -> str:
    """Say what the event is, in ASCII: a runtime may not be able to send anything else."""
    if isinstance(event, dict):
        names = [str(name)[:_SHOWN_CHARS] for name in list(event)[:_SHOWN_NAMES]]
        shown = f"with the fields {', '.join(names) or '(none)'}"
    else:
        shown = f"of type {type(event).__name__}"
    text = (
        f"this event {shown} is no HTTP request ({reason}): this function serves function URLs, HTTP APIs, REST APIs "
        "and load balancers; keep it warm by GET /healthz"
    )
    return text.encode("ascii", "backslashreplace").decode()
