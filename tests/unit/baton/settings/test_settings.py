"""Settings: read once, all problems at once, secrets never shown."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import fields

import pytest

from baton.settings.settings import Settings, read_settings, require
from baton.settings.table import ALL_SETTINGS
from baton.worker.runtime.callbacks import signed_headers
from baton_events.errors import SettingsError
from baton_events.schema import ENDPOINTS, WEBHOOK_ENDPOINTS, EventType
from baton_events.setting import text

SECRETS = {
    "QSTASH_TOKEN": "secret-token",
    "QSTASH_CURRENT_SIGNING_KEY": "secret-current",
    "QSTASH_NEXT_SIGNING_KEY": "secret-next",
    "UPSTASH_REDIS_REST_TOKEN": "secret-redis",
    "UPSTASH_VECTOR_REST_TOKEN": "secret-vector",
    "API_KEYS": f"client:secret:{'a' * 64}",
    "CHAT_INTERNAL_API_KEY": "secret-chats",
    "OPERATIONS_API_KEY": "secret-operations",
    "SENTRY_DSN": "https://secret@sentry.example.com/1",
    "METRICS_TOKEN": "secret-metrics",
    "ALERT_WEBHOOK_URL": "https://hooks.example.com/secret",
    "APPROVAL_WEBHOOK_URL": "https://hooks.example.com/secret-approvals",
    "CALLBACK_SECRET": f"whsec_{'secret++' * 4}",
    "PAYLOAD_KEYS": f"secret:{32 * 'secret'[:1]}AAAAAAAAAAA=",
    "OBJECT_STORE_OPTIONS": '{"secret_access_key": "secret-objects"}',
}
# Fields that no variable sets.
NO_SETTINGS = {
    *("foreign_keys", "queue_timeout_seconds", "vector_timeout_seconds", "operations_stream_seconds"),
    *("alert_quiet_seconds", "audit_log_length", "call_pause_limit_seconds", "events_kept_per_tenant"),
    *("files_limit_bytes", "followers_per_key", "stream_batch_ms", "stream_max_length", "prompt_limit_bytes"),
    *("hung_tools_limit", "message_max_delay_seconds", "http_transport"),
}


def test_one_time_limit_holds_for_requests_to_store_queue_and_index() -> None:
    settings = read_settings({"STORE_TIMEOUT_SECONDS": "3"})
    limits = (settings.store_timeout_seconds, settings.queue_timeout_seconds, settings.vector_timeout_seconds)
    assert limits == (3, 3, 3)


def test_outcomes_by_the_stream_are_looked_for_as_often_as_the_sweep_comes() -> None:
    assert read_settings({"SWEEP_INTERVAL_SECONDS": "7"}).operations_stream_seconds == 7


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({setting.name: " " for setting in ALL_SETTINGS} | {"PATH": "/bin"}) == Settings()


def test_every_setting_has_one_name_one_field_and_the_default_that_it_says() -> None:
    """The table that people read and the record that programs read are the same."""
    assert {setting.field for setting in ALL_SETTINGS} == {field.name for field in fields(Settings)} - NO_SETTINGS
    assert len({setting.name for setting in ALL_SETTINGS}) == len(ALL_SETTINGS)
    for setting in ALL_SETTINGS:
        expected = setting.read(setting.default) if setting.default else ""
        assert getattr(Settings(), setting.field) == expected, setting.name
        assert setting.help, setting.name


def test_a_setting_is_read_by_its_other_name() -> None:
    """The own name goes before it, and a wrong value is named by who gave it."""
    other = {"UPSTASH_REDIS_URL": "https://other.example.com", "UPSTASH_REDIS_TOKEN": "t"}
    settings = read_settings(other)
    assert (settings.redis_url, settings.redis_token) == ("https://other.example.com", "t")
    assert settings.foreign_keys == ()
    own = {"UPSTASH_REDIS_REST_URL": "https://own.example.com"}
    assert read_settings(other | own).redis_url == "https://own.example.com"
    with pytest.raises(SettingsError, match="UPSTASH_REDIS_URL: 'redis://x' is not a URL"):
        read_settings({"UPSTASH_REDIS_URL": "redis://x"})


def test_values_are_read_as_what_they_are() -> None:
    settings = read_settings(
        {
            "METRICS_PUBLIC": "1",
            "ENABLE_TEST_ENDPOINT": "TRUE",
            "CONTINUATION": "inline",
            "PUBLISH_BY": "topic",
            "WORKER_BASE_URL": " https://example.com/api/v2/ ",
            "QSTASH_TOPIC_PREFIX": "prod-agent",
        }
    )
    assert (settings.metrics_public, settings.enable_test_endpoint) == (True, True)
    assert (settings.continuation, settings.publish_by) == ("inline", "topic")
    assert settings.worker_base_url == "https://example.com/api/v2"
    assert settings.topic_prefix == "prod-agent"


def test_deliveries_at_once_are_those_of_an_endpoint_or_of_each() -> None:
    """None: the queue delivers as many as it likes."""
    some = read_settings({"DELIVERIES_AT_ONCE": '{"/workers/sweep": 5, "/workers/agent-loop": 40}'})
    assert [some.at_once(endpoint) for endpoint in WEBHOOK_ENDPOINTS] == [40, 0, 0, 0, 0, 0, 5]
    each = read_settings({"DELIVERIES_AT_ONCE": "7"})
    assert [each.at_once(endpoint) for endpoint in WEBHOOK_ENDPOINTS] == [7] * 7
    for none in ("0", "{}", ""):
        assert read_settings({"DELIVERIES_AT_ONCE": none}) == Settings()


WRONG = [
    ("RESULT_LIMIT_BYTES", "0", "a whole number from 1 to 8000000"),
    ("WORK_TIMEOUT_SECONDS", "1.5", "a whole number from 1 to 840"),
    ("WORK_TIMEOUT_SECONDS", "841", "a whole number from 1 to 840"),
    ("PUBLISH_BY", "queue", "one of url, topic"),
    ("CONTINUATION", "Inline", "one of literal, queue, inline"),
    ("METRICS_PUBLIC", "yes", "true or false"),
    ("WORKER_BASE_URL", "https://", "a URL such as"),
    ("WORKER_BASE_URL", "http://fn.example.com", "a URL with https: over http, others"),
    ("QSTASH_URL", "http://qstash.upstash.io", "a URL with https"),
    ("UPSTASH_REDIS_REST_URL", "http://10.0.0.7:8079", "a URL with https"),
    ("UPSTASH_VECTOR_REST_URL", "http://vector.example.com", "a URL with https"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", "a URL with https"),
    ("BATON_APP", "my_company.agents", "a reference such as my_company.agents:registry"),
    ("WORKER_BASE_URL", "https://a.b/?x=1", "a URL such as"),
    ("WORKER_BASE_URL", "https://a b.c", "a URL such as"),
    ("QSTASH_URL", "ftp://a.b", "a URL such as"),
    ("QSTASH_URL", "https://[::bad", "a URL such as"),
    ("QSTASH_URL", "https://a.b:99999", "a URL such as"),
    ("QSTASH_TOPIC_PREFIX", "a/b", "letters, digits"),
    ("QSTASH_TOPIC_PREFIX", "http-agent", "letters, digits"),
    ("QSTASH_TOPIC_PREFIX", "api", "letters, digits"),
    ("MAX_CONCURRENT_JOBS", "0", "a whole number from 1"),
    ("JOB_RETENTION_SECONDS", "0", "a whole number from 1"),
    ("DELIVERIES_AT_ONCE", "[3]", "a whole number, or a JSON object such as"),
    ("DELIVERIES_AT_ONCE", '{"/workers/other": 3}', "about endpoints that exist: '/workers/other' is none of"),
    ("DELIVERIES_AT_ONCE", '{"/workers/sweep": 0}', "made of whole numbers from 1 to 99999: 0 is none"),
    ("RESULT_LIMIT_BYTES", "9" * 5000, "a whole number from 1 to 8000000"),
    ("WORK_TIMEOUT_SECONDS", "60s", "a whole number from 1 to 840"),
    ("MESSAGE_RETRY_DELAY_MS", "-1", "a whole number from 0 to 86400000"),
    ("EVENT_RETENTION_SECONDS", "1e3", "a whole number from 1 to 31536000"),
    ("STREAM_SILENCE_SECONDS", "\u0661", "a whole number from 0 to 86400"),
    ("QSTASH_URL", '"https://qstash.example.com"', "a URL such as"),
    ("QSTASH_URL", "https://:443", "a URL such as"),
    ("QSTASH_URL", "https://a..b", "a URL such as"),
    ("QSTASH_URL", "https://*.example.com", "a URL such as"),
    ("WORKER_BASE_URL", "https://a.b:port", "a URL such as"),
    ("WORKER_BASE_URL", "https://a.b/\x07", "a URL such as"),
    ("CORS_ORIGINS", ",", "a comma list of origins"),
    ("CORS_ORIGINS", "app.example.com", "a comma list of origins"),
    ("CORS_ORIGINS", "https://app.example.com/", "a comma list of origins"),
    ("CORS_ORIGINS", "https://App.example.com", "a comma list of origins"),
    ("CORS_ORIGINS", "https://*.example.com", "a comma list of origins"),
    ("CORS_ORIGINS", "https://a.b,https://app.example.com:443", "a comma list of origins"),
    ("CORS_ORIGINS", "http://localhost:80", "a comma list of origins"),
    ("CORS_ORIGINS", "https://a.b:99999", "a comma list of origins"),
    ("FILE_TYPES", "pdf", "a comma list of media types"),
    ("FILE_TYPES", "Image/*", "a comma list of media types"),
    ("FILE_TYPES", "image/*;application/pdf", "a comma list of media types"),
    ("TENANT", "a b", "1 to 64 letters"),
    ("PAYLOAD_PLAIN", "vectors", "a comma list of memory, offload"),
    ("SENTRY_TRACES_SAMPLE_RATE", "10%", "a number from 0 to 1"),
    ("SENTRY_TRACES_SAMPLE_RATE", "nan", "a number from 0 to 1"),
    ("OPERATIONS_STREAM_NAME", "operations:dead", "the name of a stream of your own"),
    ("OPERATIONS_STREAM_NAME", "baton:list:x", "the name of a stream of your own"),
    ("OPERATIONS_STREAM_NAME", '"operations:mine"', "the name of a stream of your own"),
    ("OPERATIONS_STREAM_GROUP", "a group", "one word"),
    ("AWS_LAMBDA_RUNTIME_API", "http://127.0.0.1:9001", "HOST:PORT"),
    ("PRICES", '{"command_usd": true}', "a JSON object of prices"),
    ("PRICES", '{"command_usd": "1"}', "a JSON object of prices"),
    ("PRICES", '{"command_usd": NaN}', "a JSON object of prices"),
    ("PRICES", '{"command_usd": 1e999}', "a JSON object of prices"),
    ("PRICES", '{"command_usd": 1, "command_usd": 2}', "a JSON object of prices"),
    ("PRICES", f'{{"command_usd": 1{"0" * 400}}}', "a JSON object of prices"),
    ("WORKER_URLS", '{"/workers/sweep": 1}', "a JSON object of endpoints"),
    ("WORKER_URLS", '{"/workers/sweep": "https://a.b", "/workers/sweep": "https://c.d"}', "a JSON object of endpoints"),
    ("DELIVERIES_AT_ONCE", '{"/workers/sweep": true}', "made of whole numbers from 1 to 99999"),
    ("DELIVERIES_AT_ONCE", "9" * 30, "a whole number, or a JSON object"),
    ("DELIVERIES_AT_ONCE", "100000", "made of whole numbers from 1 to 99999: 100000 is none"),
]


RIGHT_SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
WRONG_SECRETS = [
    *("secret", RIGHT_SECRET, f"WHSEC_{RIGHT_SECRET}", f"whsec_{RIGHT_SECRET[:-1]}", f"whsec_{RIGHT_SECRET}="),
    *(f"whsec_!{RIGHT_SECRET[1:]}", f"whsec_ {RIGHT_SECRET}", f"whsec_{RIGHT_SECRET[:20]}\n{RIGHT_SECRET[20:]}"),
    *(
        "whsec_QUJD",
        f"whsec_{'A' * 28}{'AAA='}",
        f"whsec_{'A' * 88}",
        f"whsec_{'-_' * 22}",
        f"whsec_whsec_{RIGHT_SECRET}",
    ),
]


def test_every_setting_has_a_form() -> None:
    """But for DEFAULT_AGENT, which the registry knows: what is not of its form stops the start, by its name."""
    assert [setting.name for setting in ALL_SETTINGS if setting.read is text] == ["DEFAULT_AGENT"]


@pytest.mark.parametrize("size_bytes", [24, 32, 64])
def test_a_secret_of_callbacks_signs_as_standard_webhooks_verifies_it(size_bytes: int) -> None:
    key = bytes(range(size_bytes))
    secret = read_settings({"CALLBACK_SECRET": f"whsec_{b64encode(key).decode()}"}).callback_key
    headers = signed_headers(secret, "msg_1", 1_700_000_000_000, b"{}")
    right = hmac.new(b64decode(secret.removeprefix("whsec_")), b"msg_1.1700000000.{}", "sha256").digest()
    assert headers["webhook-signature"] == f"v1,{b64encode(right).decode()}"


@pytest.mark.parametrize(("name", "value", "hint"), WRONG)
def test_a_wrong_value_is_named_with_what_it_should_be(name: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value})
    assert f"{name}: {value!r} is not {hint}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("ALERT_WEBHOOK_URL", "http://hooks.example.com/x", "a URL with https"),
        ("APPROVAL_WEBHOOK_URL", "https://a.b,", "a URL such as"),
        ("APPROVAL_WEBHOOK_URL", "https://a.b,https://c.d,https://e.f", "one URL, or two"),
        ("SENTRY_DSN", "http://k@sentry.example.com/1", "a URL with https"),
        ("SENTRY_DSN", "https://sentry.example.com/1", "a DSN such as"),
        ("API_KEYS", f"client:acme:{'a' * 64},client:acme:abc", "a comma list of client:TENANT:SHA256 .* entry 2$"),
        (
            "API_KEYS",
            f"client:acme:{'a' * 64},admin:other:{'a' * 64}",
            "a comma list .* each key once; look at entry 2$",
        ),
        ("API_KEYS", " , ", "a comma list of client:TENANT:SHA256"),
        ("SENTRY_DSN", "https://k@sentry.example.com/project", "a DSN such as"),
        ("SENTRY_DSN", "https://:k@sentry.example.com/1", "a DSN such as"),
        ("QSTASH_TOKEN", '"quoted"', "one word"),
        ("UPSTASH_REDIS_REST_TOKEN", "'quoted'", "one word"),
        ("QSTASH_CURRENT_SIGNING_KEY", "sig_1 sig_2", "one word"),
        ("QSTASH_NEXT_SIGNING_KEY", "sig_1\nsig_2", "one word"),
        ("METRICS_TOKEN", "m\u00e9trique", "one word"),
        ("OPERATIONS_API_KEY", "Bearer x", "one word"),
        ("OBJECT_STORE_OPTIONS", '{"timeout": Infinity}', "a JSON object of texts"),
        ("OBJECT_STORE_OPTIONS", '{"region": "a", "region": "b"}', "a JSON object of texts"),
        *(("PAYLOAD_KEYS", f"id:{each}", "a comma list of ID:BASE64") for each in ("QUJD", "_" * 43 + "=", "A" * 43)),
        *(("CALLBACK_SECRET", each, "whsec_ and the Base64 of 24 to 64 random bytes") for each in WRONG_SECRETS),
    ],
)
def test_a_wrong_secret_is_named_and_not_shown(name: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}: its value is not {hint}") as caught:
        read_settings({name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8079", "http://localhost:8079", "http://[::1]:8079"])
def test_this_machine_may_be_reached_without_https(url: str) -> None:
    assert read_settings({"UPSTASH_REDIS_REST_URL": url}).redis_url == url


def test_what_is_missing_is_reported_with_what_is_wrong() -> None:
    """One start is enough to see everything."""
    with pytest.raises(SettingsError) as caught:
        read_settings({"PUBLISH_BY": "pigeon", "QSTASH_TOKEN": " "}, "QSTASH_TOKEN", "WORKER_BASE_URL")
    url = "  - WORKER_BASE_URL is not set: where the functions are; may have a path"
    assert str(caught.value).splitlines() == [
        "wrong settings:",
        "  - QSTASH_TOKEN is not set, nor QUEUE=redis: token for publishing",
        "  - PUBLISH_BY: 'pigeon' is not one of url, topic",
        url,
    ]
    with pytest.raises(SettingsError) as caught:
        require(Settings(qstash_token="x"), "QSTASH_TOKEN", "WORKER_BASE_URL", "UPSTASH_REDIS_REST_URL")
    missing = ["missing settings:", url, "  - UPSTASH_REDIS_REST_URL is not set, nor REDIS_URL: the store"]
    assert str(caught.value).splitlines() == missing


@pytest.mark.parametrize(("work", "message"), [("120", "120"), ("200", "120")])
def test_a_delivery_must_be_allowed_longer_than_the_work_in_it(work: str, message: str) -> None:
    """Else the queue would give up on work that still runs."""
    with pytest.raises(SettingsError, match=rf"MESSAGE_TIMEOUT_SECONDS \({message}\) must be above .* \({work}\)"):
        read_settings({"WORK_TIMEOUT_SECONDS": work, "MESSAGE_TIMEOUT_SECONDS": message})


def test_secrets_are_never_shown() -> None:
    """Settings end up in logs; what is no secret is shown."""
    urls = {"WORKER_BASE_URL": "https://example.com", "UPSTASH_VECTOR_REST_URL": "https://vector.example.com"}
    shown = repr(read_settings({**SECRETS, **urls}))
    assert "secret" not in shown
    assert "worker_base_url='https://example.com'" in shown
    assert "secret" not in repr(read_settings({"REDIS_URL": "redis://:secret@store.example.com"}))
    assert {setting.name for setting in ALL_SETTINGS if setting.secret} == {*SECRETS, "REDIS_URL"} - {
        "CHAT_INTERNAL_API_KEY"
    }


def test_each_of_two_addresses_is_a_secret_of_its_own() -> None:
    settings = read_settings({"APPROVAL_WEBHOOK_URL": "https://a.b/1, https://c.d/2/"})
    assert settings.approval_urls == settings.secret_values == ("https://a.b/1", "https://c.d/2")


def test_secrets_of_other_programs_are_known_and_not_shown() -> None:
    """By the ends of their names: a provider's key, whoever reads it."""
    environment = {"OPENAI_API_KEY": "key-1", "GITHUB_TOKEN": "key-2", "X_SECRET": " ", "TOKENS": "no", "KEY": "no"}
    settings = read_settings({**environment, "QSTASH_TOKEN": "key-3"})
    assert sorted(settings.secret_values) == ["key-1", "key-2", "key-3"]
    assert "key-" not in repr(settings)


def test_the_prefix_replaces_what_stands_before_the_dot() -> None:
    assert Settings().topic(EventType.LOOP_INIT) == "agent.agent-loop-init"
    assert Settings(topic_prefix="prod-agent").topic(EventType.LOOP_INIT) == "prod-agent.agent-loop-init"


def test_functions_may_each_have_a_url_of_their_own() -> None:
    """What is not named is below WORKER_BASE_URL; an endpoint is found by its URL."""
    urls = '{"/workers/agent-loop": "https://loop.example.com/"}'
    settings = read_settings({"WORKER_BASE_URL": "https://fn.example.com/base/", "WORKER_URLS": urls})
    assert settings.failure_callback_url == "https://fn.example.com/base/workers/delivery-failed"
    assert settings.endpoint_url(ENDPOINTS[EventType.LOOP_INIT]) == "https://loop.example.com/workers/agent-loop"
    assert settings.endpoint_url(ENDPOINTS[EventType.TOOL_CALL]) == "https://fn.example.com/base/workers/tool-executor"
    assert settings.endpoint_of("https://loop.example.com/workers/agent-loop") == "/workers/agent-loop"
    assert settings.endpoint_of("https://fn.example.com/base/workers/agent-loop") == ""
    assert settings.endpoint_of("https://fn.example.com/base/workers/sweep") == "/workers/sweep"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://fn.example.com", "WORKER_URLS: .* is not a JSON object of endpoints"),
        ('["/workers/sweep"]', "a JSON object of endpoints"),
        ('{"/workers/sweep": "ftp://fn"}', "a JSON object of endpoints"),
        ('{"/workers/sweep": "http://fn.example.com"}', "a URL with https"),
        ('{"/workers/swep": "https://fn.example.com"}', "'/workers/swep' is none of /workers/agent-loop, .*"),
    ],
)
def test_a_wrong_list_of_functions_is_refused(text: str, shown: str) -> None:
    with pytest.raises(SettingsError, match=shown):
        read_settings({"WORKER_URLS": text})
