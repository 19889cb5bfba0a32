"""The settings of the API and its pages: a part of table.py. Must not: read the environment."""

from baton.settings.readers import api_keys, flag, origins, unit_prices
from baton.settings.reports import API
from baton_events.setting import Setting, read_by, whole

API_SETTINGS = read_by(
    API,
    Setting("API_KEYS", "api_keys", "", "role:tenant:sha256, …", "keys of the API, as hashes", api_keys, secret=True),
    Setting(
        "OPERATIONS_API_KEY",
        "operations_api_key",
        "",
        "",
        "key of outside completions",
        secret=True,
        alias="CHAT_INTERNAL_API_KEY",
    ),
    Setting(
        "PRICES", "prices", "{}", "JSON", "unit prices that are not the lists' (docs/operations.md, Costs)", unit_prices
    ),
    Setting("DEFAULT_AGENT", "default_agent", "", "", "the agent of chats that name none; unset: the first one"),
    Setting(
        "FILE_TYPES",
        "file_types",
        "image/*,application/pdf,text/*,audio/*,video/*",
        "media types",
        "the types of files that chats take",
    ),
    Setting("ENABLE_TEST_ENDPOINT", "enable_test_endpoint", "false", "flag", "serve POST /test/simple", flag),
    Setting(
        "ENABLE_AGENT_WORKER",
        "enable_agent_worker",
        "false",
        "flag",
        "a start of the ASGI app starts the admission, if an operator has stopped it",
        flag,
    ),
    Setting(
        "RATE_LIMIT_PER_MINUTE",
        "rate_limit_per_minute",
        "600",
        "count",
        "requests to the API a minute with one key, and as many at once at most; 0: no limit",
        whole(0, 60_000),
    ),
    Setting(
        "STREAM_SILENCE_SECONDS",
        "stream_silence_seconds",
        "0",
        "s",
        "a stream ends after so long a silence, or once its job only waits; readers reconnect; 0: it stays open",
        whole(0, 86_400),
    ),
    Setting(
        "CORS_ORIGINS",
        "cors_origins",
        "",
        "https://…, …",
        "which pages of other origins may call the API with a key; `*`: all; unset: none",
        origins,
    ),
)
