"""The settings of a program that publishes events: where queue and functions are, how a message is delivered.

Pure. The concrete ones are the functions' (`baton`), and those of a program that only publishes (emitter_settings.py).
"""

from typing import Literal, Self

from baton_events.errors import SettingsError, join_problems
from baton_events.schema import (
    DELIVERY_FAILED_ENDPOINT,
    ENDPOINTS,
    EVENTS_ENDPOINT,
    SWEEP_ENDPOINT,
    TOPIC_SUFFIXES,
    WEBHOOK_ENDPOINTS,
    EventType,
    function_of,
)
from baton_events.setting import (
    EVERYWHERE,
    Setting,
    deliveries_at_once,
    missing,
    one_of,
    payload_keys,
    read_by,
    reference,
    tenant_name,
    token,
    topic_prefix,
    url,
    whole,
    worker_urls,
)

# Pages of sweeps are heavy and in no hurry: all at once, they would take the time of the steps, fail, and come again.
SWEEPS_AT_ONCE = 2

QUEUE_SETTINGS = (
    *read_by(
        EVERYWHERE,
        Setting("QSTASH_URL", "https://qstash.upstash.io", "URL", "the queue", url),
        Setting("QSTASH_TOKEN", "", "", "token for publishing", token, secret=True, needed=True),
        Setting(
            "QSTASH_TOPIC_PREFIX",
            "agent",
            "",
            "prefix of topic names, before a dot",
            topic_prefix,
            own_field="topic_prefix",
        ),
        Setting("PUBLISH_BY", "url", "url or topic", "how events are addressed", one_of("url", "topic")),
        Setting("WORKER_BASE_URL", "", "URL", "where the functions are; may have a path", url, needed=True),
        Setting(
            "WORKER_URLS",
            "{}",
            '{"/workers/…": URL, …}',
            "where functions are that are not at WORKER_BASE_URL: for each endpoint the URL before it",
            worker_urls,
        ),
        Setting(
            "MESSAGE_RETRY_DELAY_MS",
            "10000",
            "ms",
            "wait before a message comes again, about; each further time twice as long, up to ten minutes",
            whole(0, 86_400_000),
        ),
        Setting(
            "DELIVERIES_AT_ONCE",
            "{}",
            'count, or {"/workers/…": count, …}',
            "how many deliveries the queue may have under way at once, for each endpoint or for some; {}: no limit but "
            f"{SWEEPS_AT_ONCE} of the sweep",
            deliveries_at_once,
        ),
        Setting(
            "MESSAGE_TIMEOUT_SECONDS",
            "300",
            "s",
            "limit of one delivery (Upstash-Timeout); above the work limit; shorter where no work is done",
            whole(2, 900),
        ),
        Setting(
            "PAYLOAD_KEYS",
            "",
            "id:BASE64, …",
            "keys that encrypt payloads in store and queue (extra `encryption`): the first seals, all open",
            payload_keys,
            secret=True,
        ),
        Setting(
            "PAYLOAD_CODEC",
            "",
            "module:attribute",
            "an object that encrypts payloads instead of PAYLOAD_KEYS, such as one of a KMS (`baton.PayloadCodec`)",
            reference,
        ),
        Setting(
            "TENANT",
            "default",
            "",
            "whose the app events of a program are that publishes them by `emit`; elsewhere the job's or the key's",
            tenant_name,
        ),
    ),
)


class QueueSettings:
    """What publishing needs: base of settings that have these fields; see QUEUE_SETTINGS for units and meaning."""

    qstash_url: str
    qstash_token: str
    topic_prefix: str
    publish_by: Literal["url", "topic"]
    worker_base_url: str
    worker_urls: tuple[tuple[str, str], ...]
    message_max_delay_seconds: int
    message_retry_delay_ms: int
    message_timeout_seconds: int
    deliveries_at_once: tuple[tuple[str, int], ...]
    queue_timeout_seconds: int
    tenant: str
    payload_keys: str
    payload_codec: str

    def endpoint_url(self, endpoint: str) -> str:
        """Return the public URL of an endpoint: what the queue delivers to and what signatures are checked against."""
        return dict(self.worker_urls).get(function_of(endpoint), self.worker_base_url) + endpoint

    def endpoint_of(self, url: str) -> str:
        """Return the endpoint of ours that has this public URL; empty where none has."""
        events_url = self.endpoint_url(EVENTS_ENDPOINT)
        if url.startswith(f"{events_url}/"):
            return EVENTS_ENDPOINT + url.removeprefix(events_url)
        return next((endpoint for endpoint in WEBHOOK_ENDPOINTS if url == self.endpoint_url(endpoint)), "")

    def event_url(self, event_type: EventType) -> str:
        """Return the public URL of the function that handles this event type."""
        return self.endpoint_url(ENDPOINTS[event_type])

    def topic(self, event_type: EventType) -> str:
        """Return the topic of this event type: `agent.agent-loop-init`."""
        return f"{self.topic_prefix}.{TOPIC_SUFFIXES[event_type]}"

    def at_once(self, endpoint: str) -> int:
        """Return how many deliveries to an endpoint the queue may have under way at once; 0: as many as it likes."""
        return {SWEEP_ENDPOINT: SWEEPS_AT_ONCE, **dict(self.deliveries_at_once)}.get(function_of(endpoint), 0)

    @property
    def failure_callback_url(self) -> str:
        """Where the queue reports messages that it gave up on."""
        return self.endpoint_url(DELIVERY_FAILED_ENDPOINT)

    def checked(self) -> Self:
        """Return these settings where they suffice to publish.

        Raises SettingsError: QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        needed = ["qstash_token", *([] if self.publish_by == "topic" else ["worker_base_url"])]
        problems = [missing(each) for each in QUEUE_SETTINGS if each.field in needed and not getattr(self, each.field)]
        if problems:
            raise SettingsError(join_problems("missing settings:", problems))
        return self
