import pytest

from baton_local.qstash.core.flow_control import FlowSpec
from baton_local.qstash.core.headers import Redaction
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.options import Options, parse_options
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import refused


def parsed(**headers: str) -> Options:
    """Options of these headers; `upstash_delay` stands for `upstash-delay`."""
    return parse_options({name.replace("_", "-"): [value] for name, value in headers.items()}, Limits())


def test_content_type_and_forwarded_headers_are_kept_without_prefix() -> None:
    """Names become canonical; what belongs to one connection is dropped."""
    options = parsed(
        content_type="text/plain",
        upstash_forward_test_header="v",
        upstash_forward_host="evil",
        upstash_forward_content_length="7",
        upstash_forward_connection="close",
        user_agent="client",
        upstash_telemetry_sdk="js",
    )
    assert options.header == {"Content-Type": ["text/plain"], "Test-Header": ["v"]}


def test_header_forward_takes_all_but_what_is_the_callers_own() -> None:
    """Webhook use: everything except credentials, connection headers and options."""
    options = parsed(
        upstash_header_forward="true", x_github_event="push", authorization="Bearer t", host="h", upstash_retries="1"
    )
    assert options.header == {"X-Github-Event": ["push"]}


@pytest.mark.parametrize(
    ("value", "flow"),
    [
        ("parallelism=3, rate=4, period=2s", FlowSpec("k", 3, 4, 2)),
        ("rate=10,period=1h30m3s", FlowSpec("k", None, 10, 5_403)),
        ("parallelism=1", FlowSpec("k", 1, None, 1)),
        ("rate=1,period=60", FlowSpec("k", None, 1, 60)),
    ],
)
def test_flow_control_values_may_be_any_subset(value: str, flow: FlowSpec) -> None:
    assert parsed(upstash_flow_control_key="k", upstash_flow_control_value=value).flow == flow


def test_redaction_accepts_both_spellings() -> None:
    """SDKs say `header`, the documentation `headers`."""
    assert parsed(upstash_redact_fields="body, header").redaction == Redaction(body=True, all_headers=True)
    assert parsed(upstash_redact_fields="headers[x-a], header[B]").redaction == Redaction(header_names=("X-A", "B"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("upstash_method", "TRACE"),
        ("upstash_timeout", "5"),
        ("upstash_retries", "-1"),
        ("upstash_retry_delay", "oops("),
        ("upstash_delay", "tomorrow"),
        ("upstash_not_before", "9" * 13),
        ("upstash_content_based_deduplication", "perhaps"),
        ("upstash_flow_control_key", "k"),
        ("upstash_flow_control_value", "rate=1"),
        ("upstash_callback", "not-a-url"),
        ("upstash_redact_fields", "url"),
        ("upstash_schedule_id", "a/b"),
        ("upstash_queue_name", "a b"),
        ("upstash_forward_a", "x\r\nInjected: 1"),
        ("upstash_forward_bad{name}", "x"),
    ],
)
def test_bad_values_are_refused_naming_the_field(name: str, value: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parsed(**{name: value})
    assert refusal.value.status == 400
    word = name.removeprefix("upstash_").removeprefix("forward_").replace("_", "-").split("{")[0]
    assert word.split("-")[0] in refusal.value.message.lower()


@pytest.mark.parametrize("value", ["rate=0", "rate=x", "speed=1", "rate=1,period=8d", ",", "rate=99999999999", "rate"])
def test_bad_flow_control_is_refused(value: str) -> None:
    assert refused(parsed, upstash_flow_control_key="k", upstash_flow_control_value=value) == 400


@pytest.mark.parametrize(
    ("name", "value"), [("upstash_delay", "400d"), ("upstash_timeout", "1h"), ("upstash_retries", "9999")]
)
def test_over_a_limit_is_412(name: str, value: str) -> None:
    assert refused(parsed, **{name: value}) == 412


def test_workflow_headers_are_not_served() -> None:
    """A message of a workflow run is refused clearly instead of being delivered wrongly."""
    with pytest.raises(ApiError, match="Workflow") as refusal:
        parsed(upstash_workflow_runid="wfr_1")
    assert refusal.value.status == 501


def test_bad_callback_options_are_refused_at_publish() -> None:
    """Not only when the callback is made; and a hostile header name cannot exhaust the stack."""
    with pytest.raises(ApiError, match="Upstash-Retries"):
        parsed(upstash_callback="https://h", upstash_callback_retries="x")
    with pytest.raises(ApiError, match="longer than"):
        parsed(upstash_callback="https://h", **{"upstash-callback" + "-callback" * 500: "https://h"})
