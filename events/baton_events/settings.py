"""The settings of a program that publishes events: where queue and functions are, how a message is delivered.

Pure. The concrete ones are the functions' (`baton`), and those of a program that only publishes (emitter_settings.py).
"""

from typing import Literal, Self

from msgspec import Struct

from baton_events.errors import SettingsError, join_problems
from baton_events.schema import (
    DELIVERY_FAILED_ENDPOINT,
    EVENTS_ENDPOINT,
    SWEEP_ENDPOINT,
    TOPIC_SUFFIXES,
    WEBHOOK_ENDPOINTS,
    EventType,
    function_of,
)
from baton_events.setting import (
    Annotated,
    Setting,
    counts_by_endpoint,
    keys_of_payloads,
    missing,
    prefix_of_topics,
    reference,
    settings_of,
    tenant_name,
    token,
    url,
    urls_by_endpoint,
    whole,
)

# Pages of sweeps are heavy and in no hurry: all at once, they would take the time of the steps, fail, and come again.
SWEEPS_AT_ONCE = 2


class QueueSettings(Struct, frozen=True):
    """What publishing needs."""

    queue: Annotated[Literal["qstash", "redis"], "the queue: QStash, or the store's Redis", Setting()] = "qstash"
    qstash_url: Annotated[str, "QStash", Setting(url, "URL")] = "https://qstash.upstash.io"
    qstash_token: Annotated[
        str, "token for publishing", Setting(token, secret=True, needed=True, instead="QUEUE=redis")
    ] = ""
    topic_prefix: Annotated[
        str, "prefix of topic names, before a dot", Setting(prefix_of_topics, name="QSTASH_TOPIC_PREFIX")
    ] = "agent"
    publish_by: Annotated[Literal["url", "topic"], "how events are addressed", Setting()] = "url"
    worker_base_url: Annotated[str, "where the functions are; may have a path", Setting(url, "URL", needed=True)] = ""
    worker_urls: Annotated[
        tuple[tuple[str, str], ...],
        "where functions are that are not at WORKER_BASE_URL: for each endpoint the URL before it",
        Setting(urls_by_endpoint, '{"/workers/…": URL, …}'),
    ] = ()
    message_retry_delay_ms: Annotated[
        int,
        "wait before a message comes again, about; each further time twice as long, up to ten minutes",
        Setting(whole(0, 86_400_000), "ms"),
    ] = 10_000
    deliveries_at_once: Annotated[
        tuple[tuple[str, int], ...],
        "how many deliveries the queue may have under way at once, for each endpoint or for some; {}: no limit but "
        f"{SWEEPS_AT_ONCE} of the sweep",
        Setting(counts_by_endpoint, 'count, or {"/workers/…": count, …}'),
    ] = ()
    message_timeout_seconds: Annotated[
        int,
        "limit of one delivery (Upstash-Timeout); above the work limit; shorter where no work is done",
        Setting(whole(2, 900), "s"),
    ] = 300
    payload_keys: Annotated[
        str,
        "keys that encrypt payloads in store and queue (extra `encryption`): the first seals, all open",
        Setting(keys_of_payloads, "id:BASE64, …", secret=True),
    ] = ""
    payload_codec: Annotated[
        str,
        "an object that encrypts payloads instead of PAYLOAD_KEYS, such as one of a KMS (`baton.PayloadCodec`)",
        Setting(reference, "module:attribute"),
    ] = ""
    tenant: Annotated[
        str,
        "whose the app events of a program are that publishes them by `emit`; elsewhere the job's or the key's",
        Setting(tenant_name),
    ] = "default"

    # The limit of one request to the queue, and the longest delay that each of its plans allows: longer ones are split.
    queue_timeout_seconds: int = 10
    message_max_delay_seconds: int = 604_800

    def __repr__(self) -> str:
        """Return a text without secrets: settings end up in logs."""
        secret = {"foreign_keys", *(setting.field for setting in settings_of(type(self)) if setting.secret)}
        shown = (f"{f}={'***' if f in secret else getattr(self, f)!r}" for f in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"

    def endpoint_url(self, endpoint: str) -> str:
        """Return the public URL of an endpoint: what the queue delivers to and what signatures are checked against."""
        return dict(self.worker_urls).get(function_of(endpoint), self.worker_base_url) + endpoint

    def endpoint_of(self, url: str) -> str:
        """Return the endpoint of ours that has this public URL; empty where none has."""
        events_url = self.endpoint_url(EVENTS_ENDPOINT)
        if url.startswith(f"{events_url}/"):
            return EVENTS_ENDPOINT + url.removeprefix(events_url)
        return next((endpoint for endpoint in WEBHOOK_ENDPOINTS if url == self.endpoint_url(endpoint)), "")

    def topic(self, event_type: EventType) -> str:
        """Return the topic of this event type: `agent.agent-loop-init`."""
        return f"{self.topic_prefix}.{TOPIC_SUFFIXES[event_type]}"

    def at_once(self, endpoint: str) -> int:
        """Return how many deliveries to an endpoint the queue may have under way at once; 0: as many as it likes."""
        return {SWEEP_ENDPOINT: SWEEPS_AT_ONCE, **dict(self.deliveries_at_once)}.get(function_of(endpoint), 0)

    @property
    def queue_place(self) -> str:
        """Where the queue is, for people."""
        return "in the store" if self.queue == "redis" else self.qstash_url

    @property
    def failure_callback_url(self) -> str:
        """Where the queue reports messages that it gave up on."""
        return self.endpoint_url(DELIVERY_FAILED_ENDPOINT)

    def checked(self) -> Self:
        """Return these settings where they suffice to publish.

        Raises SettingsError: QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        needed = [
            *([] if self.queue == "redis" else ["qstash_token"]),
            *([] if self.publish_by == "topic" else ["worker_base_url"]),
        ]
        problems = [
            missing(each)
            for each in settings_of(QueueSettings)
            if each.field in needed and not getattr(self, each.field)
        ]
        if problems:
            raise SettingsError(join_problems("missing settings:", problems))
        return self
