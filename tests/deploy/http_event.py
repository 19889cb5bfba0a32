"""HTTP requests as Lambda gets them: from a function URL, and from an HTTP API (both payload format 2.0).

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    return _event(request, API_DOMAIN, stage, {"accountId": "000000000000", "apiId": "abc123"})


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
