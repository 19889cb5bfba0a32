"""Whether the functions that run now take what the queue would sign after its keys are rolled.

Asked directly, past the queue, which does not sign with its next key yet: a probe signed as the queue signs (qstash.md
9). Must not: be sent anywhere but to the endpoints of the settings, over the addresses that they have.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import httpx

from baton.settings.settings import Settings
from baton.worker.runtime.webhook import PROBE_OUTCOME, probe_body
from baton_events.proxies import AsyncEnvironmentTransport, reason_of
from baton_events.schema import WEBHOOK_ENDPOINTS

_LIMIT_SECONDS = 15.0
_VALID_SECONDS = 60


def signed(url: str, body: bytes, key: str, now_seconds: int) -> str:
    """Return a signature like the queue's."""
    claims: dict[str, str | int] = {
        "iss": "Upstash",
        "sub": url,
        "iat": now_seconds,
        "nbf": now_seconds,
        "exp": now_seconds + _VALID_SECONDS,
        "jti": "jwt_probe",
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
    }
    head = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{head}.{_text(hmac.digest(key.encode(), head.encode(), 'sha256'))}"


def _part(content: Mapping[str, str | int]) -> str:
    return _text(json.dumps(content).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refusals(settings: Settings, now_seconds: int) -> list[str]:
    """Return which endpoints refuse the next key's signatures, with their answers; none: all accept."""
    async with httpx.AsyncClient(timeout=_LIMIT_SECONDS, transport=AsyncEnvironmentTransport()) as client:
        urls = [settings.endpoint_url(endpoint) for endpoint in WEBHOOK_ENDPOINTS]
        requests = (_refusal(client, url, settings.next_signing_key, now_seconds) for url in urls)
        return [each for each in await asyncio.gather(*requests) if each]


async def _refusal(client: httpx.AsyncClient, url: str, key: str, now_seconds: int) -> str:
    body = probe_body("next-key").encode()
    headers = {"Content-Type": "application/json", "Upstash-Signature": signed(url, body, key, now_seconds)}
    try:
        answer = await client.post(url, content=body, headers=headers)
    except httpx.HTTPError as error:
        return f"{url} does not answer ({reason_of(error)})"
    try:
        document = answer.json()
    except ValueError:
        return f"{url} answers {answer.status_code}, and not as a function of Baton"
    if isinstance(document, dict) and document.get("outcome") == PROBE_OUTCOME:
        return ""
    return f"{url} answers {answer.status_code}: {str(document)[:200]}"
