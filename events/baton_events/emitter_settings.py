"""The settings of a program that only publishes events, from its environment. Functions never import this module."""

import os
from dataclasses import dataclass, field
from typing import Literal

from baton_events.errors import SettingsError, join_problems
from baton_events.setting import read_values
from baton_events.settings import QUEUE_SETTINGS, QueueSettings


@dataclass(frozen=True)
class EmitterSettings(QueueSettings):
    """What a program needs that only publishes events; see QUEUE_SETTINGS for names, units and meaning."""

    qstash_url: str = "https://qstash.upstash.io"
    qstash_token: str = field(default="", repr=False)
    topic_prefix: str = "agent"
    publish_by: Literal["url", "topic"] = "url"
    worker_base_url: str = ""
    worker_urls: tuple[tuple[str, str], ...] = ()
    message_max_delay_seconds: int = 604_800
    message_retry_delay_ms: int = 10_000
    deliveries_at_once: tuple[tuple[str, int], ...] = ()
    message_timeout_seconds: int = 300
    queue_timeout_seconds: int = 10
    tenant: str = "default"
    payload_keys: str = field(default="", repr=False)
    payload_codec: str = ""

    @classmethod
    def from_environment(cls) -> "EmitterSettings":
        """Read the settings of this process.

        Raises SettingsError: values are wrong, or QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        environment = os.environ  # noqa: TID251 - a program that only publishes has no other settings
        values, problems = read_values(environment, QUEUE_SETTINGS)
        if problems:
            raise SettingsError(join_problems("wrong settings:", problems))
        return cls(**values).checked()
