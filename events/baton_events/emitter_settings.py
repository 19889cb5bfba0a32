"""The settings of a program that only publishes events, from its environment. Functions never import this module."""

import os

from baton_events.errors import SettingsError, join_problems
from baton_events.setting import read_values, settings_of
from baton_events.settings import QueueSettings


class EmitterSettings(QueueSettings, frozen=True):
    """What a program needs that only publishes events; see QueueSettings for names, units and meaning."""

    @classmethod
    def from_environment(cls) -> "EmitterSettings":
        """Read the settings of this process.

        Raises SettingsError: values are wrong, or QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        environment = os.environ  # noqa: TID251 - a program that only publishes has no other settings
        values, problems = read_values(environment, settings_of(QueueSettings))
        if problems:
            raise SettingsError(join_problems("wrong settings:", problems))
        return cls(**values).checked()
