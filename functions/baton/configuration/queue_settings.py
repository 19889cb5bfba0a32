"""The settings that say how messages go: where the queue and the functions are, and how a message is delivered.

Part of `SETTINGS` (setting_table.py). Must not: read the environment.
"""

from baton.configuration.setting import EVERYWHERE, Setting, read_by
from baton.configuration.setting_readers import deliveries_at_once, one_of, topic_prefix, url, whole, worker_urls

QUEUE_SETTINGS = (
    *read_by(
        EVERYWHERE,
        Setting("QSTASH_URL", "qstash_url", "https://qstash.upstash.io", "URL", "the queue", url),
        Setting("QSTASH_TOKEN", "qstash_token", "", "", "token for publishing", secret=True, needed=True),
        Setting(
            "QSTASH_TOPIC_PREFIX",
            "topic_prefix",
            "agent",
            "",
            "prefix of topic names, before a dot",
            topic_prefix,
        ),
        Setting("PUBLISH_BY", "publish_by", "url", "url or topic", "how events are addressed", one_of("url", "topic")),
        Setting(
            "WORKER_BASE_URL",
            "worker_base_url",
            "",
            "URL",
            "where the functions are; may have a path",
            url,
            needed=True,
        ),
        Setting(
            "WORKER_URLS",
            "worker_urls",
            "{}",
            '{"/workers/…": URL, …}',
            "where functions are that are not at WORKER_BASE_URL: for each endpoint the URL before it",
            worker_urls,
        ),
        Setting(
            "MESSAGE_MAX_DELAY_SECONDS",
            "message_max_delay_seconds",
            "604800",
            "seconds",
            "longest delay that the queue's plan allows; longer waits go in hops",
            whole(60, 31_536_000),
        ),
        Setting("MESSAGE_RETRIES", "message_retries", "3", "count", "delivery attempts after the first", whole(1, 20)),
        Setting(
            "MESSAGE_RETRY_DELAY_MS",
            "message_retry_delay_ms",
            "10000",
            "ms",
            "wait before the first of them, about; each further one waits twice as long, up to ten minutes",
            whole(0, 86_400_000),
        ),
        Setting(
            "DELIVERIES_AT_ONCE",
            "deliveries_at_once",
            "{}",
            'count, or {"/workers/…": count, …}',
            "how many deliveries the queue may have under way at once, for each endpoint or for some; {}: no limit",
            deliveries_at_once,
        ),
        Setting(
            "MESSAGE_TIMEOUT_SECONDS",
            "message_timeout_seconds",
            "300",
            "s",
            "limit of one delivery (Upstash-Timeout); above the work limit; shorter where no work is done",
            whole(2, 900),
        ),
        Setting("QUEUE_TIMEOUT_SECONDS", "queue_timeout_seconds", "10", "s", "limit of one publish", whole(1, 60)),
    ),
)
