"""The settings that the local stack lays over the environment of the app.

Pure. The names are those of the product's settings table; the app cannot tell from them whether it
talks to the stand-ins or to the hosted services.
"""

from collections.abc import Mapping

from baton_local.dev.ports import LOOPBACK
from baton_local.dev.secrets_file import StackSecrets

# What differs from production unless the environment says otherwise: few slots, so that the line at them is seen; no
# rate limit, which would only be in a developer's way; outcomes by the stream are read soon; logs are for people.
LOCAL_DEFAULTS = {
    "MAX_CONCURRENT_JOBS": "3",
    "RATE_LIMIT_PER_MINUTE": "0",
    "OPERATIONS_STREAM_SECONDS": "5",
    "LOG_FORMAT": "text",
}


def part_url(ports: Mapping[str, int], part: str) -> str:
    """Return the address of a part."""
    return f"http://{LOOPBACK}:{ports[part]}"


def app_settings(
    ports: Mapping[str, int], stack_secrets: StackSecrets, app: str | None, store_url: str = ""
) -> dict[str, str]:
    """Return the app's settings.

    `app` is the user's registry as `module:attribute`, None for the samples; `store_url`: of a store over RESP, none
    for REST. What the person's own environment says of a store is never meant.
    """
    settings = {
        "QSTASH_URL": part_url(ports, "qstash"),
        "QSTASH_TOKEN": stack_secrets.qstash_token,
        "QSTASH_CURRENT_SIGNING_KEY": stack_secrets.qstash_current_signing_key,
        "QSTASH_NEXT_SIGNING_KEY": stack_secrets.qstash_next_signing_key,
        "WORKER_BASE_URL": part_url(ports, "app"),
        "UPSTASH_REDIS_REST_URL": "" if store_url else part_url(ports, "redis_rest"),
        "UPSTASH_REDIS_REST_TOKEN": "" if store_url else stack_secrets.redis_token,
        "REDIS_URL": store_url,
        "UPSTASH_VECTOR_REST_URL": part_url(ports, "vector"),
        "UPSTASH_VECTOR_REST_TOKEN": stack_secrets.vector_token,
        "API_KEYS": stack_secrets.api_keys_setting(),
        "OPERATIONS_API_KEY": stack_secrets.operations_key,
        "ENABLE_TEST_ENDPOINT": "true",
        "ENABLE_CHAT_PAGE": "true",
        "METRICS_PUBLIC": "true",
    }
    return settings if app is None else {**settings, "BATON_APP": app}
