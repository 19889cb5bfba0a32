"""Alerts by a webhook with the format of Slack's incoming webhooks: JSON with a `text`.

Invariant: every failure is logged and never raised, and nothing waits for long: an alert never harms the delivery that
it is about. An alert of the last day is not sent again, as far as the store remembers; failed jobs are counted over a
period of their own. The address is as secret as a key, and is in no log.
"""

import asyncio
import logging

import httpx

from baton.engine.effects import Alert
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton_events.errors import StoreError
from baton_events.ids import key_digest
from baton_events.proxies import AsyncEnvironmentTransport, reason_of

_log = logging.getLogger("baton.alerts")

_TIMEOUT_SECONDS = 5.0
_REMEMBERED_SECONDS = 86_400


class WebhookAlerts:
    """`Alerts` to one address. Of counted alerts, the first in `quiet_seconds` is sent."""

    def __init__(self, url: str, connection: RedisConnection, quiet_seconds: int = 3600) -> None:
        self._url = url
        self._redis = connection
        self._quiet_seconds = quiet_seconds

    async def send(self, alert: Alert, url: str) -> None:
        if not await self._is_new(alert):
            return
        text = f"{alert.message} {url}" if url else alert.message
        body = {"text": text, "kind": alert.kind, "jobId": alert.job_id or None, "url": url or None}
        try:
            client = httpx.AsyncClient(follow_redirects=False, transport=AsyncEnvironmentTransport())
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                client,
                client.stream("POST", self._url, json=body) as response,  # its body is nobody's concern
            ):
                if not response.is_success:
                    _log.warning("the alert webhook (ALERT_WEBHOOK_URL) answered %d", response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            _log.warning("no alert reached the webhook (ALERT_WEBHOOK_URL): %s", reason_of(error))

    async def _is_new(self, alert: Alert) -> bool:
        key = keys.alert_key(key_digest(alert.kind, "" if alert.counted else alert.job_id, alert.once))
        try:
            seconds = self._quiet_seconds if alert.counted else _REMEMBERED_SECONDS
            return bool(await self._redis.execute("SET", key, 1, "NX", "EX", seconds))
        except StoreError as error:
            _log.warning("an alert may come twice: %s", error)
            return True
