"""All settings in one frozen object, read once from a mapping (the environment, in production).

Invariant: a Settings object holds valid values; wrong ones raise one SettingsError that lists every
problem. Their names, defaults and meanings are in table.py. Nothing else reads the environment.
"""

import os
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from baton.sdk.records.record import Record
from baton.sdk.records.redaction import secrets_in
from baton.settings.limits import FILES_BYTES
from baton.settings.store import secrets_of, shown_address
from baton.settings.table import Declared
from baton_events.errors import SettingsError, join_problems
from baton_events.messages import FUNCTION_TIMEOUT_SECONDS
from baton_events.setting import Setting, missing, read_values, settings_of

# The time left for the COMMIT after the work; the limit of a message's body, and the size of the envelope around an
# outcome from outside.
CLAIM_MARGIN_SECONDS = 10
MESSAGE_LIMIT_BYTES, _ENVELOPE_BYTES = 4 * 1024 * 1024, 64 * 1024

# Secrets of other programs in the same environment, such as the keys of model providers.
_FOREIGN_SECRET = r".*_(API_KEY|TOKEN|SECRET|PASSWORD|SECRET_ACCESS_KEY)"  # noqa: S105 - a pattern of names


# Secret settings whose values are only secret in parts.
_PARTLY = ("resp_url", "object_store_options", "approval_webhook_url")


class Settings(Declared, Record, frozen=True):
    """Every setting with its default, and some constants; see `Declared` for names, units and meaning.

    `foreign_keys`: values of other variables with a secret's name; known only so that they are never shown.
    """

    foreign_keys: tuple[str, ...] = ()
    # The time limit of a store request holds for this one, too; the interval of the sweep for the stream of outcomes.
    vector_timeout_seconds: int = 10
    operations_stream_seconds: int = 60  # 0: it is never read
    # Constants, which no deployment has a reason to change; tests have others.
    alert_quiet_seconds: int = 3_600
    audit_log_length: int = 10_000
    call_pause_limit_seconds: int = 3_600
    events_kept_per_tenant: int = 10_000
    files_limit_bytes: int = FILES_BYTES  # of one message of a chat together, and those that one turn is given
    followers_per_key: int = 200
    stream_batch_ms: int = 100
    stream_max_length: int = 10_000  # entries of a stream that are kept at least
    prompt_limit_bytes: int = 8_000_000  # that a turn reads at once; an answer of Upstash has at most ten million
    hung_tools_limit: int = 16  # calls that may run on after their time limit; with more of them /healthz is 503
    http_transport: Literal["auto", "httpx", "httptools"] = "auto"  # auto: httptools, unless respx mocks httpx

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        secret = (each.field for each in settings_of(Declared) if each.secret and each.field not in _PARTLY)
        own = (getattr(self, field) for field in secret)
        keys = (entry.partition(":")[2] for entry in self.payload_keys.split(","))
        of_objects = secrets_in(dict(self.object_store_options))
        every = (*own, *keys, *self.approval_urls, *secrets_of(self.resp_url), *of_objects, *self.foreign_keys)
        return tuple(value for value in every if value)

    @property
    def store_place(self) -> str:
        """The store's address, without secrets; empty if none is set."""
        return shown_address(self.resp_url) if self.resp_url else self.redis_url

    @property
    def object_store_urls(self) -> tuple[str, ...]:
        """The addresses of object stores; the first one is written."""
        return tuple(self.object_store_url.split(",")) if self.object_store_url else ()

    @property
    def approval_urls(self) -> tuple[str, ...]:
        """The addresses of notices: of new approvals, and of those that nobody decides; empty: none are sent."""
        return tuple(self.approval_webhook_url.split(",")) if self.approval_webhook_url else ()

    @property
    def base_path(self) -> str:
        """The path of our public URL, decoded as a request's is, before those of its endpoints; empty for none."""
        return unquote(urlsplit(self.worker_base_url).path)


def read_settings(environment: Mapping[str, str], *needed: str) -> Settings:
    """Read the settings from a mapping of environment variables; empty values count as unset.

    Raises SettingsError: values are wrong, or some of the `needed` variables are not set; all are listed.
    """
    values, problems = read_values(environment, settings_of(Declared), needed)
    known = {setting.name for setting in settings_of(Declared)}
    foreign = (name for name in sorted(environment) if name not in known and re.fullmatch(_FOREIGN_SECRET, name))
    values["foreign_keys"] = tuple(
        text for name in foreign if (text := environment[name].strip()) and text not in values.values()
    )
    if (limit_seconds := values.get("store_timeout_seconds")) is not None:
        values |= {"queue_timeout_seconds": limit_seconds, "vector_timeout_seconds": limit_seconds}
    if (interval_seconds := values.get("sweep_interval_seconds")) is not None:
        values["operations_stream_seconds"] = interval_seconds
    settings = Settings(**values)
    problems += _contradictions(settings)
    if environment.get("AWS_LAMBDA_FUNCTION_NAME"):
        problems += _impossible_on_lambda(settings)
    if problems:
        raise SettingsError(join_problems("wrong settings:", problems))
    return settings


def _contradictions(settings: Settings) -> list[str]:
    found: list[str] = []
    if settings.message_timeout_seconds <= settings.work_timeout_seconds:
        found.append(
            f"MESSAGE_TIMEOUT_SECONDS ({settings.message_timeout_seconds}) must be above WORK_TIMEOUT_SECONDS "
            f"({settings.work_timeout_seconds}): the queue would give up on work that still runs"
        )
    if bool(settings.vector_url) != bool(settings.vector_token):
        found.append("UPSTASH_VECTOR_REST_URL and UPSTASH_VECTOR_REST_TOKEN go together: set both or neither")
    if settings.resp_url and (settings.redis_url or settings.redis_token):
        found.append(
            f"REDIS_URL ({settings.store_place}) and UPSTASH_REDIS_REST_URL ({settings.redis_url or 'not set'}) or its"
            " token name two stores: unset REDIS_URL, or both of the other"
        )
    if settings.payload_keys and settings.payload_codec:
        found.append("PAYLOAD_KEYS and PAYLOAD_CODEC both encrypt payloads: unset one of them")
    most_bytes = MESSAGE_LIMIT_BYTES - _ENVELOPE_BYTES
    if settings.result_limit_bytes > most_bytes:
        found.append(
            f"RESULT_LIMIT_BYTES ({settings.result_limit_bytes}) must be at most {most_bytes}: an outcome from outside"
            f" comes in a message, and our endpoints take {MESSAGE_LIMIT_BYTES} bytes"
        )
    return found


def _impossible_on_lambda(settings: Settings) -> list[str]:
    """List what no function can have: limits over its own time, and a folder that outlives it."""
    folders = [url for url in settings.object_store_urls if url.startswith("file:")]
    found = [f"OBJECT_STORE_URL: {url} is a folder, and a function on Lambda keeps none" for url in folders]
    return found + _too_long_on_lambda(settings)


def _too_long_on_lambda(settings: Settings) -> list[str]:
    longest_seconds = FUNCTION_TIMEOUT_SECONDS - CLAIM_MARGIN_SECONDS
    if settings.work_timeout_seconds <= longest_seconds:
        return []
    why = (
        f"a function ends after {FUNCTION_TIMEOUT_SECONDS} s, {CLAIM_MARGIN_SECONDS} of which are reserved for dispatch"
    )
    what = f"WORK_TIMEOUT_SECONDS ({settings.work_timeout_seconds}) must be at most {longest_seconds} on Lambda"
    return [f"{what}: {why}"]


def has(settings: Settings, setting: Setting) -> bool:
    """Return whether a setting is set, or the one that replaces it."""
    fields_by_name = {each.name: each.field for each in settings_of(Declared)}
    replaced = setting.is_replaced(lambda other: getattr(settings, fields_by_name[other]))
    return bool(getattr(settings, setting.field)) or replaced


def require(settings: Settings, *names: str) -> None:
    """Check that these environment variables are set. Raises SettingsError: some are missing; all are listed."""
    by_name = {setting.name: setting for setting in settings_of(Declared)}
    problems = [missing(by_name[name]) for name in names if not has(settings, by_name[name])]
    if problems:
        raise SettingsError(join_problems("missing settings:", problems))


def settings_from_environment(*needed: str) -> Settings:
    """Read the settings of this process, the one place to read the environment. Raises SettingsError."""
    return read_settings(os.environ, *needed)  # noqa: TID251 - the one place
