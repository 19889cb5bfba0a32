"""Events that are no HTTP request, as other services send them, or as nobody does."""

from typing import Any

from tests.deploy.http_event import HttpRequest, function_url_event, http_api_event, load_balancer_event, rest_api_event

_ASKED = function_url_event(HttpRequest("GET", "/healthz"))
_CONTEXT = _ASKED["requestContext"]
_WEB_SOCKET = {"routeKey": "$connect", "eventType": "CONNECT", "connectionId": "c=", "stage": "prod"}

ODD_EVENTS: dict[str, Any] = {
    "EventBridge": {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
    "keep-warm plugin": {"source": "serverless-plugin-warmup"},
    "SQS": {"Records": [{"messageId": "1", "body": "{}", "eventSource": "aws:sqs"}]},
    "S3": {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "k"}}}]},
    "no records": {"Records": []},
    "WebSocket": {"requestContext": _WEB_SOCKET, "headers": {"Host": "h"}, "isBase64Encoded": False},
    "WebSocket message": {"requestContext": {**_WEB_SOCKET, "eventType": "MESSAGE"}, "body": "hello"},
    "CloudFront": {"Records": [{"cf": {"request": {"uri": "/", "method": "GET", "headers": {}}}}]},
    "empty": {},
    "text": "ping",
    "number": 7,
    "list": [_ASKED],
    "null": None,
    "requestContext null": {"requestContext": None},
    "requestContext of text": {**_ASKED, "requestContext": "x"},
    "requestContext empty": {**_ASKED, "requestContext": {}},
    "requestContext without http": {**_ASKED, "requestContext": {**_CONTEXT, "http": None}},
    "domain of a number": {**_ASKED, "requestContext": {**_CONTEXT, "domainName": 7}},
    "headers null": {**_ASKED, "headers": None},
    "headers of a number": {**_ASKED, "headers": {"x": 7}},
    "headers with half a character": {**_ASKED, "headers": {"x": "\ud83d"}},
    "headers of a load balancer null": {**load_balancer_event(HttpRequest("GET", "/")), "headers": None},
    "host with several ports": function_url_event(HttpRequest("GET", "/", {"host": "a:1:2"})),
    "path null": {
        **http_api_event(HttpRequest("GET", "/")),
        "rawPath": None,
        "requestContext": {**_CONTEXT, "http": {}},
    },
    "no method": {name: part for name, part in rest_api_event(HttpRequest("GET", "/")).items() if name != "httpMethod"},
    "body that is no Base64": {**_ASKED, "body": "a", "isBase64Encoded": True},
    "body of a number": {**_ASKED, "body": 7},
    "a name with half a character": {"\ud83d": 1, "x" * 100_000: 2},
}
