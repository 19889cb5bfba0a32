"""Settings of the store: its address over REST, or over RESP."""

from baton.configuration.store_address import store_address
from baton_events.setting import EVERYWHERE, Setting, read_by, url

STORE_SETTINGS = tuple(
    read_by(
        EVERYWHERE,
        Setting("UPSTASH_REDIS_REST_URL", "redis_url", "", "URL", "the store", url, needed=True, instead="REDIS_URL"),
        Setting(
            "UPSTASH_REDIS_REST_TOKEN",
            "redis_token",
            "",
            "",
            "token of the store",
            secret=True,
            needed=True,
            instead="REDIS_URL",
        ),
        Setting(
            "REDIS_URL",
            "resp_url",
            "",
            "URL",
            "instead of both: a Valkey or Redis ≥ 7 over RESP, as `redis://`, `rediss://` or `unix://` (extra `redis`)",
            store_address,
            secret=True,
        ),
    )
)
