"""Whatever is sent, the answer is a refusal that says what is wrong: never 500, never a word of our inside."""

import json
from itertools import product

import httpx
import pytest
from starlette.requests import Request
from starlette.routing import compile_path

from baton.server.api.problem import on_error
from baton.server.api.route import ApiRoute
from baton.server.openapi import described
from baton_events.errors import HungUpError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of
from tests.unit.baton.server.test_routes import OPERATIONS_KEY, TABLE, WITH_OPERATIONS, path_of, route_name

DEEP = 100_000
HOSTILE_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1e999",
    "no number": b'{"x": NaN}',
    "infinity": b"-Infinity",
    "deep list": b"[" * DEEP,
    "deep object": b'{"a":' * DEEP,
    "closed deep list": b"[" * 20_000 + b"]" * 20_000,
    "invalid UTF-8": b'{"x": "\xff\xfe"}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "NUL": b"\x00" * 10,
    "cut": b'{"jobType": "ans',
    "many digits": b'{"priority": ' + b"9" * 5_000 + b"}",
    "half a surrogate as a name": b'{"\\ud800": 1}',
    "same name twice": b'{"jobType": "answers", "jobType": ["x"]}',
    "two byte order marks": b"\xef\xbb\xbf" * 2 + b"{}",
    "spaces": b" " * 10_000,
}
# For each field of a body, one at a time; texts of JSON, so that they can be what Python's values cannot.
HOSTILE_VALUES = {
    "null": "null",
    "true": "true",
    "empty": '""',
    "number": "-1",
    "huge": "1" + "0" * 400,
    "many digits": "9" * 5_000,
    "float": "1e308",
    "infinite": "1e999",
    "NaN": "NaN",
    "list": "[[[]]]",
    "object": '{"a": {"b": null}}',
    "half a surrogate": '"\\ud800"',
    "half a surrogate inside": '{"\\udfff": ["\\ud800"]}',
    "NUL": '"a\\u0000b"',
    "NUL inside": '{"a\\u0000": "\\u0000"}',
    "long": '"' + "x" * 30_000 + '"',
    "deep": "[" * 150 + "]" * 150,
    "deeper": '{"a":' * 900 + "1" + "}" * 900,
    "controls": '"\\u001b[31m\\r\\nSet-Cookie: a=b\\u202e"',
    "time": '"9999-12-31T23:59:59.999999999Z"',
    "time before all": '"0001-01-01T00:00:00+23:59"',
}
WITH_BODY = [route for route in TABLE if described(route).body is not None]
INSIDE = ("Traceback", "site-packages", 'File "', "pydantic.dev", "Error:", "baton:{", "0x")


def assert_refused(response: httpx.Response, *sent: str, may_succeed: bool = False) -> None:
    """A problem of the 4xx kind that tells nothing of our inside; or success, where what was sent may be meant so."""
    if may_succeed and response.status_code < 300:
        return
    assert 400 <= response.status_code < 500, (sent, response.status_code, response.text[:300])
    answers = ("application/problem+json", *(["application/json"] if response.text.startswith('{"jsonrpc"') else []))
    assert response.headers["content-type"] in answers, sent
    assert not [word for word in INSIDE if word in response.text], sent
    assert len(response.text) < 10_000, sent


class Asking:
    """Sends as an operator who has every key, about a job that is there where the path names one.

    What is refused leaves the job as it was, so only what succeeds takes another one.
    """

    def __init__(self, api: Api, route: ApiRoute) -> None:
        self._api, self._route, self._job_id = api, route, ""

    async def ask(self, body: bytes) -> httpx.Response:
        api, route = self._api, self._route
        if "{" in route.path and not self._job_id:
            self._job_id = (await api.submitted(ADMIN))["id"]
        headers = {"x-api-key": OPERATIONS_KEY, "content-type": "application/json"}
        answer = await api.request(route.method, path_of(route, self._job_id), ADMIN, headers=headers, content=body)
        if answer.is_success:
            self._job_id = ""
        return answer


@pytest.mark.parametrize("route", WITH_BODY, ids=route_name)
async def test_a_hostile_body_is_refused(route: ApiRoute) -> None:
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        asking = Asking(api, route)
        for kind, body in HOSTILE_BODIES.items():
            may_succeed = not body and not described(route).body_needed
            assert_refused(await asking.ask(body), kind, may_succeed=may_succeed)


@pytest.mark.parametrize("route", WITH_BODY, ids=route_name)
async def test_a_hostile_value_in_any_field_is_refused_or_kept_as_it_is(route: ApiRoute) -> None:
    """Each field of the body, beside good ones; what is accepted can be read back."""
    body = described(route).body
    assert body is not None
    names = [field.alias or name for name, field in body.model_fields.items()]
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        asking = Asking(api, route)
        for name in names:
            for kind, value in HOSTILE_VALUES.items():
                good = {key: text for key, text in _GOOD.get(body.__name__, {}).items() if key != name}
                text = ", ".join([*(f'"{key}": {text}' for key, text in good.items()), f'"{name}": {value}'])
                response = await asking.ask(f"{{{text}}}".encode())
                assert_refused(response, name, kind, may_succeed=True)


_GOOD: dict[str, dict[str, str]] = {
    "SubmitBody": {"jobType": '"answers"'},
    "EventBody": {"name": '"arrived"'},
    "CompletionBody": {"success": "true"},
    "RejectionBody": {"reason": '"no"'},
    "ChangeBody": {"action": '"cancel"'},
    "BulkBody": {"action": '"cancel"', "filter": "{}", "dryRun": "true"},
    "ScheduleBody": {"jobType": '"answers"', "cron": '"0 9 * * *"', "timeZone": '"UTC"'},
    "PauseBody": {"paused": "true"},
    "StartBody": {"request": '"x"'},
    "StreamTokenBody": {"sessionId": '"s"'},
    "ChatBody": {"id": '"c"', "messages": '[{"role": "user", "parts": [{"type": "text", "text": "x"}]}]'},
}

HOSTILE_IDS = [
    "%00",
    "%FF%FE",
    "%ED%A0%80",
    "..",
    "%2e%2e",
    "%2F",
    "{x}",
    "*",
    "a" * 5_000,
    "%0d%0aX-A:b",
    "job_1.",
    "é😀",
]
HOSTILE_QUERIES = ["", "-1", "9" * 5_000, "%00", "%FF", "%ED%A0%80", "1e999", "x" * 20_000, "0001-01-01"]


@pytest.mark.parametrize("route", [route for route in TABLE if "{" in route.path], ids=route_name)
async def test_a_hostile_id_is_not_found(route: ApiRoute) -> None:
    """404 or another refusal, on every path that has an id; a session's, and a person's, may be any text."""
    kind, takes_any = described(route).body, "{session_id" in route.path or "{subject_id" in route.path
    body = {key: json.loads(text) for key, text in _GOOD.get(kind.__name__ if kind else "", {}).items()}
    options = {"json": body} if body else {}
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        for found in HOSTILE_IDS:
            headers = {"x-api-key": OPERATIONS_KEY}
            response = await api.request(route.method, path_of(route, found), ADMIN, headers=headers, **options)
            elsewhere = compile_path(route.path)[0].match(response.request.url.path) is None  # as `..` leads
            assert_refused(response, found[:12], may_succeed=takes_any or elsewhere)


@pytest.mark.parametrize("route", [route for route in TABLE if route.method == "GET"], ids=route_name)
async def test_a_hostile_query_is_refused_or_passed_over(route: ApiRoute) -> None:
    """In each parameter that the document names, and in those of streams."""
    operation = described(route)
    names = [field.alias or name for name, field in operation.query.model_fields.items()] if operation.query else []
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        job_id = (await api.submitted(ADMIN))["id"]
        await api.stage.run()
        for name, value in product([*names, "last_message_id", "tenant"], HOSTILE_QUERIES):
            headers = {"x-api-key": OPERATIONS_KEY}
            response = await api.request("GET", f"{path_of(route, job_id)}?{name}={value}", ADMIN, headers=headers)
            assert_refused(response, name, value[:12], may_succeed=True)


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x00", b"x" * 300, "é".encode(), b"a,b", b" "])
async def test_a_hostile_idempotency_key_is_refused_or_used_as_it_is(api: Api, value: bytes) -> None:
    answers = [
        await api.request("POST", "/api/agent-jobs", headers={"idempotency-key": value}, json={"jobType": "answers"})
        for _ in range(2)
    ]
    assert [response.status_code for response in answers] in ([202, 202], [422, 422])


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 5_000, "1_000", "+5", ""])
async def test_a_hostile_length_is_no_length(length: str) -> None:
    """What is not a number says nothing; one that is too large is believed."""
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        response = await api.request("POST", "/api/agent-jobs", headers={"content-length": length}, content=b"{}")
        assert_refused(response)


async def test_who_hangs_up_before_the_body_is_whole_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    response = await on_error(Request({"type": "http"}), HungUpError("gone"))
    assert (response.status_code, json.loads(bytes(response.body))["detail"]) == (400, "gone")
    assert caplog.records == []
