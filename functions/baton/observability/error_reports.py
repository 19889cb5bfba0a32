"""Error reports to Sentry, for deployments that set it up; the library is that of the extra `sentry`.

Errors of our loggers are reported, alerts among them, with the log's context as tags; a job's alert has the last parts
of its stream as breadcrumbs. A delivery is a transaction. Invariant: nothing of Sentry is imported unless SENTRY_DSN is
set; no local variables, no requests, no known secret leave the process, and nothing of loggers that are not ours.
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from baton.observability.logs import about
from baton.sdk.distribution import require_extra
from baton.sdk.records.redaction import KnownSecrets
from baton.settings.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.transport import Transport

_OURS = "baton."
LAST_PARTS, _SHOWN_CHARS = 20, 500
_LAST_SECONDS = 2.0


def report_errors(settings: Settings, secrets: KnownSecrets, transport: "type[Transport] | None" = None) -> None:
    """Report the errors of this process from now on. `transport`: replaces HTTP.

    Raises SettingsError: the extra `sentry` is not installed.
    """
    if not settings.sentry_dsn:
        return
    require_extra("sentry", "SENTRY_DSN")
    import sentry_sdk  # noqa: PLC0415 - of an extra
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415 - of an extra

    def before_send(event: Any, _hint: Any) -> Any:
        return shown(event, secrets)

    def before_send_transaction(event: Any, _hint: Any) -> Any:
        return _without_secrets(event, secrets)

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        transport=transport,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        before_send=before_send,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=LAST_PARTS,
        traces_sample_rate=settings.sentry_traces_sample_rate,
        before_send_transaction=before_send_transaction,
    )


def send_reports() -> None:
    """Send the reports made so far, before the process ends; give up after two seconds."""
    if "sentry_sdk" in sys.modules:
        import sentry_sdk  # noqa: PLC0415 - of an extra

        with suppress(Exception):  # whatever a reporting library does, the process ends as it should
            sentry_sdk.flush(_LAST_SECONDS)


@contextmanager
def about_job(job_id: str, parts: Sequence[str]) -> Iterator[None]:
    """Attach this job, with its last parts, to all reports made within."""
    import sentry_sdk  # noqa: PLC0415 - of an extra

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("jobId", job_id)
        for text in parts:
            part = json.loads(text)
            scope.add_breadcrumb(category=part.pop("type", ""), message=json.dumps(part)[:_SHOWN_CHARS])
        yield


def transaction(settings: Settings, name: str) -> AbstractContextManager[Any]:
    """Start Sentry's transaction of a delivery, if transactions are reported."""
    if not settings.sentry_traces_sample_rate:
        return nullcontext()
    import sentry_sdk  # noqa: PLC0415 - of an extra

    return sentry_sdk.start_transaction(op="queue.process", name=name)


def shown(event: dict[str, Any], secrets: KnownSecrets) -> dict[str, Any] | None:
    """Return an event as it is reported: with its context, without secrets; None: it is not ours."""
    if not str(event.get("logger", "")).startswith(_OURS):
        return None
    return _without_secrets(event, secrets)


def _without_secrets(event: Any, secrets: KnownSecrets) -> dict[str, Any]:
    clean: dict[str, Any] = secrets.hide_in({name: value for name, value in event.items() if name != "server_name"})
    return {**clean, "tags": {**about(), **clean.get("tags", {})}}
