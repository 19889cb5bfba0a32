"""serverless.yml, as CloudFormation gets it from `osls package`: held to the functions, their limits and settings."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from baton.server.app import EVENT_SPECS, SPECS
from baton.settings.settings import Settings, read_settings, require
from baton.settings.table import ALL_SETTINGS
from baton.worker.runtime.spec import Spec
from baton_events.messages import delivery_seconds
from baton_events.schema import (
    ANSWERS_ENDPOINT,
    DELIVERY_FAILED_ENDPOINT,
    EVENTS_ENDPOINT,
    SWEEP_ENDPOINT,
    WEBHOOK_ENDPOINTS,
)
from tests.deploy.bundles import ROOT
from tests.deploy.cloud_template import CloudTemplate, cloud_template
from tests.deploy.lambda_function import TASK, WRAPPER
from tests.deploy.local_cloud import SITE_ENVIRONMENT, handler_of

pytestmark = pytest.mark.e2e

SECRET = re.compile(r"\{\{resolve:secretsmanager:baton/dev:SecretString:([A-Z_]+)\}\}")
FUNCTION_NAMES = sorted([*(spec.name for spec in SPECS), "site"])
# Made by osls itself; conditions over parameters, which are known when it packages.
LINT = (
    str(Path(sys.executable).with_name("cfn-lint")),
    "--regions",
    "eu-central-1",
    "--ignore-checks",
    "W3005",
    "W8003",
    "--",
)


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINT, str(path)], capture_output=True, text=True, check=False, timeout=600)


def settings_of(template: CloudTemplate, name: str, *, reserved: bool = True) -> Settings:
    """The settings that a deployed function reads, with what is resolved in the cloud filled in."""
    return read_settings({key: _resolved(value, reserved) for key, value in template.environment(name).items()})


def _resolved(value: Any, reserved: bool) -> str:
    if isinstance(value, str):
        return SECRET.sub("https://secret.example.com", value)
    condition, *branches = value["Fn::If"]
    return str(branches[not reserved]) if condition == "ReservesConcurrency" else "https://api.example.com"


def route_targets(template: CloudTemplate) -> dict[str, str]:
    integrations = template.of_type("AWS::ApiGatewayV2::Integration")
    functions = {key: value["IntegrationUri"]["Fn::GetAtt"][0] for key, value in integrations.items()}
    routes = template.of_type("AWS::ApiGatewayV2::Route").values()
    return {route["RouteKey"]: functions[route["Target"]["Fn::Join"][1][1]["Ref"]] for route in routes}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_each_webhook_is_a_function_with_its_handler_and_time(template: CloudTemplate, spec: Spec) -> None:
    """What webhooks says of it; an event function is behind a function URL, which does not end its work."""
    key, function = template.function(spec.name)
    assert function["Handler"] == handler_of(spec.name)
    assert function["Timeout"] == spec.timeout_seconds
    urls = [url for url in template.of_type("AWS::Lambda::Url").values() if url["TargetFunctionArn"] == _arn(key)]
    behind_url = spec in EVENT_SPECS or spec.path in (SWEEP_ENDPOINT, EVENTS_ENDPOINT)
    assert [(url["AuthType"], url.get("InvokeMode")) for url in urls] == ([("NONE", None)] if behind_url else [])


def _arn(key: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [key, "Arn"]}


def test_there_is_no_other_function_than_the_site(template: CloudTemplate) -> None:
    """One for API and console, behind the HTTP API and at a URL of its own, where it streams."""
    functions = template.of_type("AWS::Lambda::Function").values()
    assert sorted(each["FunctionName"] for each in functions) == [f"baton-dev-{name}" for name in FUNCTION_NAMES]
    key, site = template.function("site")
    assert site["Handler"] == handler_of("site")
    (url,) = [url for url in template.of_type("AWS::Lambda::Url").values() if url["TargetFunctionArn"] == _arn(key)]
    assert (url["AuthType"], url["InvokeMode"]) == ("NONE", "RESPONSE_STREAM")
    assert {name: template.environment("site")[name] for name in SITE_ENVIRONMENT} == SITE_ENVIRONMENT
    assert (ROOT / "functions" / SITE_ENVIRONMENT[WRAPPER].removeprefix(f"{TASK}/")).is_file()


def test_the_http_api_leads_each_path_to_its_function(template: CloudTemplate) -> None:
    """What is below WORKER_BASE_URL: what the queue delivers by URL, by its paths; everything else is the site's.

    Functions do not know each other's URLs until a second deploy: dead letters and models' answers come here, too.
    """
    assert route_targets(template) == {
        f"POST {SWEEP_ENDPOINT}": template.function("sweep")[0],
        f"POST {DELIVERY_FAILED_ENDPOINT}": template.function("delivery-failed")[0],
        f"POST {EVENTS_ENDPOINT}/{{name+}}": template.function("app-events")[0],
        f"POST {ANSWERS_ENDPOINT}/{{name+}}": template.function("agent-loop")[0],
        "$default": template.function("site")[0],
    }
    # It ends a request after 30 s; the sweep goes on then, and its hourly one comes by function URL.
    assert template.function("delivery-failed")[1]["Timeout"] < 30


@pytest.mark.parametrize("spec", EVENT_SPECS, ids=lambda spec: spec.name)
def test_time_limits_stand_in_their_order(template: CloudTemplate, spec: Spec) -> None:
    """Work, then function, then delivery: else the queue gives up on work that still runs, or Lambda ends it."""
    settings = settings_of(template, spec.name)
    limit_seconds = template.function(spec.name)[1]["Timeout"]
    assert limit_seconds < delivery_seconds(spec.path, settings.message_timeout_seconds)
    assert settings.work_timeout_seconds < limit_seconds or not spec.works


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_a_function_has_the_settings_that_it_needs(template: CloudTemplate, name: str) -> None:
    """Every name is one that the code reads, every value one that it takes; URLs of functions need not be known.

    CloudFormation resolves secrets, which are named and never shown: not even a .env beside the template gets one in.
    """
    own = {WRAPPER} if name == "site" else set()
    assert set(template.environment(name)) - own <= {setting.name for setting in ALL_SETTINGS}
    settings = settings_of(template, name)
    require(settings, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "QSTASH_TOKEN", "WORKER_BASE_URL")
    assert settings.publish_by == "topic"
    assert settings.worker_base_url == "https://api.example.com"
    for variable in {setting.name for setting in ALL_SETTINGS if setting.secret} & template.environment(name).keys():
        found = SECRET.fullmatch(template.environment(name)[variable])
        assert found is not None, variable
        assert found[1] == variable
    assert "told-nobody" not in template.text


def test_memory_and_concurrency_are_each_functions_own(template: CloudTemplate) -> None:
    """And more turns may run at once than jobs hold a slot: else jobs with a slot wait in the queue."""
    reserved = {}
    for name in FUNCTION_NAMES:
        function = template.function(name)[1]
        assert function["MemorySize"] >= 512
        condition, reserved[name], timeout_result = function["ReservedConcurrentExecutions"]["Fn::If"]
        assert (condition, timeout_result) == ("ReservesConcurrency", {"Ref": "AWS::NoValue"})
    assert settings_of(template, "agent-loop").max_concurrent_jobs <= reserved["agent-loop"]


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_the_queue_delivers_no_more_at_once_than_a_function_runs(template: CloudTemplate, name: str) -> None:
    """Whoever publishes says so; where nothing is reserved, the ten of a new account are shared with the site."""
    found, shared = settings_of(template, name), settings_of(template, name, reserved=False)
    for spec in SPECS:
        assert found.at_once(spec.path) == template.function(spec.name)[1]["ReservedConcurrentExecutions"]["Fn::If"][1]
        assert shared.at_once(spec.path) >= 1
    assert sum(shared.at_once(spec.path) for spec in SPECS) <= 8


def test_only_the_function_that_calls_models_has_their_libraries(template: CloudTemplate) -> None:
    """All run on arm64, from the archives of `make package`; logs do not stay for ever."""
    for name in FUNCTION_NAMES:
        function = template.function(name)[1]
        wanted = "baton-models-arm64.zip" if name == "agent-loop" else "baton-arm64.zip"
        assert function["Code"]["S3Key"].endswith(f"/{wanted}")
        assert (function["Runtime"], function["Architectures"]) == ("python3.11", ["arm64"])
    groups = template.of_type("AWS::Logs::LogGroup").values()
    kept = {group["LogGroupName"]: group["RetentionInDays"] for group in groups}
    assert kept == {f"/aws/lambda/baton-dev-{name}": 30 for name in FUNCTION_NAMES}


def test_a_person_is_informed_of_dead_messages_and_of_errors(template: CloudTemplate) -> None:
    """An alarm for the dead letter queue, one for each function URL, one for the HTTP API."""
    watched = set()
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
        (dimension,) = alarm["Dimensions"]
        watched.add((alarm["MetricName"], dimension["Name"], dimension["Value"]["Ref"]))
    behind_urls = [template.function(name)[0] for name in FUNCTION_NAMES if name != "delivery-failed"]
    assert watched == {
        ("Invocations", "FunctionName", template.function("delivery-failed")[0]),
        ("5xx", "ApiId", "HttpApi"),
        *(("Url5xxCount", "FunctionName", key) for key in behind_urls),
    }


def test_the_outputs_are_what_setup_needs(template: CloudTemplate) -> None:
    """`WORKER_URLS` and `WORKER_BASE_URL` as they are set for `baton setup`."""
    outputs = template.content["Outputs"]
    parts = outputs["WorkerUrls"]["Value"]["Fn::Join"][1]
    urls = "".join(f"https://{part['Fn::GetAtt'][0].lower()}/" if isinstance(part, dict) else part for part in parts)
    settings = read_settings({"WORKER_URLS": urls, "WORKER_BASE_URL": "https://api.example.com"})
    for spec in SPECS:
        key = template.function(spec.name)[0].lower()
        base = f"https://{key}url" if spec.path != DELIVERY_FAILED_ENDPOINT else "https://api.example.com"
        assert settings.endpoint_url(spec.path) == base + spec.path
    assert dict(settings.worker_urls).keys() == {*WEBHOOK_ENDPOINTS} - {DELIVERY_FAILED_ENDPOINT}
    assert outputs["SiteUrl"]["Value"] == {"Fn::GetAtt": [f"{template.function('site')[0]}Url", "FunctionUrl"]}
    assert outputs["BaseUrl"]["Value"]["Fn::If"][2] == {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}


@pytest.mark.long
def test_cloudformation_would_take_it(template: CloudTemplate) -> None:
    done = lint(template.path)
    assert done.returncode == 0, done.stdout


@pytest.mark.long
def test_a_function_that_gets_its_own_url_would_be_found(template: CloudTemplate, tmp_path: Path) -> None:
    """The lint can fail; and this is why functions find each other by topic."""
    content = template.content
    key = template.function("agent-loop")[0]
    variables = content["Resources"][key]["Properties"]["Environment"]["Variables"]
    variables["WORKER_URLS"] = {"Fn::GetAtt": [f"{key}Url", "FunctionUrl"]}
    planted = tmp_path / "planted.json"
    planted.write_text(json.dumps(content), encoding="utf-8")
    done = lint(planted)
    assert done.returncode != 0
    assert "E3004" in done.stdout  # circular dependencies


@pytest.mark.long
def test_functions_publish_to_urls_that_a_second_deploy_sets(tmp_path: Path) -> None:
    """As on a plan that has room for one topic: both come from .env, where the first deploy's output is."""
    urls = '{"/workers/agent-loop": "https://loop.example.com", "/workers/sweep": "https://sweep.example.com"}'
    made = cloud_template(tmp_path, "--stage", "dev", dotenv=f"PUBLISH_BY=url\nWORKER_URLS='{urls}'\n")
    for name in FUNCTION_NAMES:
        settings = settings_of(made, name)
        assert settings.publish_by == "url"
        assert settings.endpoint_url("/workers/agent-loop") == "https://loop.example.com/workers/agent-loop"


@pytest.mark.long
def test_another_stage_shares_nothing(template: CloudTemplate, tmp_path: Path) -> None:
    """Names, secrets and prefix of topics are its own; a domain and x86-64 are a parameter each."""
    options = ("--stage", "prod", "--param", "domain=https://baton.example.com", "--param", "platform=x86_64")
    made = cloud_template(tmp_path, *options, dotenv="QSTASH_TOPIC_PREFIX=prod-agent\n")
    names = [{each["FunctionName"] for each in of.of_type("AWS::Lambda::Function").values()} for of in (template, made)]
    assert not names[0] & names[1]
    found = made.environment("site")
    assert found["QSTASH_TOKEN"] == "{{resolve:secretsmanager:baton/prod:SecretString:QSTASH_TOKEN}}"
    assert found["QSTASH_TOPIC_PREFIX"] == "prod-agent"
    assert found["WORKER_BASE_URL"]["Fn::If"][1] == "https://baton.example.com"
    assert made.function("site")[1]["Architectures"] == ["x86_64"]
    assert made.function("site")[1]["Code"]["S3Key"].endswith("/baton-x86_64.zip")
