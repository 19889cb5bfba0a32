"""Every packaged handler under Lambda's own runtime client: what it takes for genuine, and what it refuses."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from baton.server.app import SPECS
from baton.settings.settings import MESSAGE_LIMIT_BYTES
from baton.worker.runtime.spec import Spec
from baton.worker.runtime.webhook import probe_body
from baton_local.fixtures.lambda_events import FUNCTION_DOMAIN, HttpRequest, body_of, function_url_event, http_api_event
from tests.deploy.bundles import Bundle
from tests.deploy.lambda_function import LambdaFunction
from tests.deploy.local_cloud import functions_of
from tests.unit.baton.kit.signing import CURRENT, delivery_headers

pytestmark = pytest.mark.e2e

BASE = "https://api.example.com/prod/api/v2"  # a stage, and a base path behind it
OWN = f"https://{FUNCTION_DOMAIN}"
PROBE = probe_body("é").encode()
ENVIRONMENT = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",  # nothing is there, and nothing here needs it
    "UPSTASH_REDIS_REST_TOKEN": "t",
    "QSTASH_URL": "http://127.0.0.1:9",
    "QSTASH_TOKEN": "t",
    "QSTASH_CURRENT_SIGNING_KEY": CURRENT,
    "WORKER_BASE_URL": BASE,
    "PUBLISH_BY": "topic",
    "BATON_APP": "acme_agents.agents:registry",
}
ALL = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


@pytest.fixture(scope="module")
def functions(small: Bundle, runtime: Path) -> Iterator[dict[str, LambdaFunction]]:
    made = functions_of({"baton": small, "baton-models": small}, runtime, ENVIRONMENT)
    yield made
    for function in made.values():
        function.close()


def delivery(spec: Spec, url: str, body: bytes = PROBE, *, encoded: bool = True, **changes: str) -> HttpRequest:
    return HttpRequest("POST", spec.path, delivery_headers(url, body, **changes), body, encoded=encoded)


def problem(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["headers"]["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(body_of(answer))
    return found


@ALL
@pytest.mark.parametrize("encoded", [True, False])
def test_what_was_signed_for_its_own_function_url_is_taken(
    functions: Mapping[str, LambdaFunction], spec: Spec, encoded: bool
) -> None:
    """From a cold start on, and again in the same process; the body is in base64 or is not."""
    for _ in range(2):
        request = delivery(spec, OWN + spec.path, encoded=encoded)
        answer = functions[spec.name].invoke(function_url_event(request))
        assert answer["statusCode"] == 200, body_of(answer)
        found = json.loads(body_of(answer))
        assert found["outcome"] == "probe"
        assert found["version"] != ""
    assert functions[spec.name].cold_starts == 1


@ALL
def test_what_was_signed_for_the_public_url_is_taken_behind_stage_and_base_path(
    functions: Mapping[str, LambdaFunction], spec: Spec
) -> None:
    """Whatever a domain in front makes of the path, or a function URL of the host."""
    request = delivery(spec, BASE + spec.path)
    behind_stage = HttpRequest("POST", f"/prod/api/v2{spec.path}", request.headers, request.body)
    events = [http_api_event(behind_stage, "prod"), http_api_event(request), function_url_event(request)]
    assert [functions[spec.name].invoke(event)["statusCode"] for event in events] == [200, 200, 200]


@ALL
def test_what_was_signed_for_something_else_is_refused(functions: Mapping[str, LambdaFunction], spec: Spec) -> None:
    """Another path, another function's URL, another body, no signature; on either way in."""
    elsewhere = ["/", "/workers/other", f"{spec.path}/"]
    urls = [
        *(OWN + path for path in elsewhere),
        f"https://z{FUNCTION_DOMAIN[1:]}{spec.path}",
        f"https://x.io{spec.path}",
    ]
    requests = [delivery(spec, url) for url in urls]
    genuine = delivery(spec, OWN + spec.path)
    requests.append(HttpRequest("POST", spec.path, genuine.headers, genuine.body + b" "))
    requests.append(delivery(spec, OWN + spec.path, upstash_signature=""))
    for request in requests:
        answer = functions[spec.name].invoke(function_url_event(request))
        assert (answer["statusCode"], problem(answer)["title"]) == (401, "webhook refused")
    answer = functions[spec.name].invoke(http_api_event(genuine))
    assert answer["statusCode"] == 401  # an HTTP API is not the function's own URL


@ALL
def test_a_body_that_is_no_text_or_over_the_limit_is_refused(
    functions: Mapping[str, LambdaFunction], spec: Spec
) -> None:
    """Not with a traceback, and not as a failure of ours, which the queue would repeat."""
    answer = functions[spec.name].invoke(function_url_event(delivery(spec, OWN + spec.path, bytes(range(256)))))
    assert answer["statusCode"] == 489
    large = delivery(spec, OWN + spec.path, b"x" * (MESSAGE_LIMIT_BYTES + 1), encoded=False)
    answer = functions[spec.name].invoke(function_url_event(large))
    assert (answer["statusCode"], problem(answer)["status"]) == (413, 413)


@pytest.mark.parametrize("prefix", ["", "/prod/api/v2"])
def test_the_site_answers_behind_an_http_api(functions: Mapping[str, LambdaFunction], prefix: str) -> None:
    """API, console and its files; below the public URL's path, or at the root."""

    def get(path: str) -> dict[str, Any]:
        answer: dict[str, Any] = functions["site"].invoke(http_api_event(HttpRequest("GET", prefix + path)))
        return answer

    assert get("/healthz")["statusCode"] == 200
    assert json.loads(body_of(get("/openapi.json")))["openapi"].startswith("3.1")
    unknown = get("/nothing")
    assert (unknown["statusCode"], problem(unknown)["status"]) == (404, 404)
    assert get("/api/agent-jobs")["statusCode"] == 401
    style = re.search(rb'href="(/console/static/[^"]+css)"', body_of(get("/console/login")))
    assert style is not None
    assert get(style[1].decode())["headers"]["content-type"].startswith("text/css")


def test_the_site_takes_no_webhooks(functions: Mapping[str, LambdaFunction]) -> None:
    """Whoever publishes to it by mistake is told, instead of a turn that is cut off."""
    for spec in SPECS:
        answer = functions["site"].invoke(http_api_event(delivery(spec, BASE + spec.path)))
        assert answer["statusCode"] == 404


def test_a_function_without_settings_says_so_in_its_log(
    bundles: Mapping[str, Bundle], runtime: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The queue gets a 5xx and tries again; a person reads what is missing."""
    function = functions_of(bundles, runtime, {})["sweep"]
    try:
        answer = function.invoke(function_url_event(delivery(SPECS[0], OWN)))
    finally:
        function.close()
    assert answer["statusCode"] == 500
    shown = capfd.readouterr()
    assert "QSTASH_TOKEN is not set" in shown.out + shown.err
    assert "UPSTASH_REDIS_REST_URL is not set" in shown.out + shown.err
