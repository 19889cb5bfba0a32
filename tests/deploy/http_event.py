"""HTTP requests as Lambda gets them: from a function URL, an HTTP API, a REST API, a load balancer.

An HTTP API decodes the path; the others pass it on as it was written.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote

FUNCTION_DOMAIN = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
API_DOMAIN = "abc123.execute-api.eu-central-1.amazonaws.com"


@dataclass(frozen=True)
class HttpRequest:
    """A request; `encoded`: its body comes in base64, as whatever is not text does."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""
    encoded: bool = True


def function_url_event(request: HttpRequest, domain: str = FUNCTION_DOMAIN) -> dict[str, Any]:
    return _event(request, domain, "$default", {"accountId": "anonymous", "apiId": domain.partition(".")[0]})


def http_api_event(request: HttpRequest, stage: str = "$default") -> dict[str, Any]:
    """What a function behind an HTTP API gets; a named stage is the first part of the path."""
    decoded = replace(request, path=unquote(request.path))
    return _event(decoded, API_DOMAIN, stage, {"accountId": "000000000000", "apiId": "abc123"})


def http_api_event_1(request: HttpRequest) -> dict[str, Any]:
    """The same, in payload format 1.0."""
    context = {"domainName": API_DOMAIN, "stage": "$default", "identity": {"sourceIp": "198.51.100.7"}}
    return {**_older_event(replace(request, path=unquote(request.path)), context), "version": "1.0", "resource": "/"}


def rest_api_event(request: HttpRequest) -> dict[str, Any]:
    context = {"domainName": API_DOMAIN, "stage": "prod", "identity": {"sourceIp": "198.51.100.7"}}
    return {**_older_event(request, context), "resource": "/{proxy+}"}


def load_balancer_event(request: HttpRequest) -> dict[str, Any]:
    return _older_event(
        request, {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:0:targetgroup/t"}}
    )


def _older_event(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    headers = {"host": API_DOMAIN, "x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https", **request.headers}
    return {
        "httpMethod": request.method,
        "path": request.path,
        "headers": headers,
        "queryStringParameters": {name: texts[-1] for name, texts in parse_qs(request.query).items()},
        "requestContext": context,
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


def _event(request: HttpRequest, domain: str, stage: str, context: dict[str, str]) -> dict[str, Any]:
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": {"host": domain, "x-forwarded-proto": "https", **request.headers},
        "requestContext": {
            **context,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": "Upstash-QStash",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": stage,
            "time": "20/Nov/2026:19:00:00 +0000",
            "timeEpoch": 1_795_200_000_000,
        },
        "isBase64Encoded": bool(request.body) and request.encoded,
    }
    cookies = [part.strip() for part in request.headers.get("cookie", "").split(";") if part.strip()]
    if cookies:
        event["cookies"] = cookies
        del event["headers"]["cookie"]
    if request.body:
        event["body"] = base64.b64encode(request.body).decode() if request.encoded else request.body.decode()
    return event


def body_of(answer: dict[str, Any]) -> bytes:
    body: str = answer.get("body") or ""
    return base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
