"""Whether the queue takes our token, signs with the functions' keys, and has the topics and schedules they need.

Whether the functions that run now take what the queue would sign after its keys are rolled is asked directly, past the
queue, which does not sign with its next key yet: a probe signed as the queue signs (qstash.md 9). Must not: send it
anywhere but to the endpoints of the settings, over the addresses that they have.
"""

import asyncio
import base64
import hashlib

import httpx
import jwt

from baton.queue.account import QueueSetup, SigningKeys
from baton.sdk.agents.loader import RegistryNotLoadedError
from baton.settings.settings import Settings
from baton.worker.runtime.webhook import PROBE_OUTCOME, probe_body
from baton_events.errors import MessageNotFoundError, PublishError, QueueUnauthorizedError, QueueUnreachableError
from baton_events.proxies import AsyncEnvironmentTransport, reason_of
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_local.doctor.finding import Finding, failed, note, ok, warning, way_to_reach
from baton_local.setup.account import Account, code_of
from baton_local.setup.wanted import (
    Difference,
    PutDefaults,
    PutEndpoint,
    PutSchedule,
    RemoveEndpoint,
    difference,
    wanted_of,
)

_LIMIT_SECONDS = 15.0
_VALID_SECONDS = 60


def signed(url: str, body: bytes, key: str, now_seconds: int) -> str:
    """Return a signature like the queue's."""
    claims = {
        "iss": "Upstash",
        "sub": url,
        "iat": now_seconds,
        "nbf": now_seconds,
        "exp": now_seconds + _VALID_SECONDS,
        "jti": "jwt_probe",
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return jwt.encode(claims, key, "HS256")


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


QUEUE, KEYS = "queue", "keys"
_BOTH = "set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY to those of the queue's console"


async def check_queue(queue: QueueSetup, settings: Settings) -> list[Finding]:
    """Check the account and return the findings; the last is about the keys, if the account reports them."""
    try:
        keys = await queue.signing_keys()
    except QueueUnauthorizedError as error:
        return [failed(QUEUE, str(error), "copy the token again from the queue's console; it must not be read-only")]
    except QueueUnreachableError as error:
        return [
            failed(QUEUE, str(error), way_to_reach(str(error), "check QSTASH_URL, and that this machine may reach it"))
        ]
    except MessageNotFoundError as error:
        return [failed(QUEUE, f"{settings.qstash_url} is not the queue: {error}", "set QSTASH_URL without any path")]
    except PublishError as error:
        is_ours = settings.queue == "redis"
        way_out = "see the store" if is_ours else "check QSTASH_URL: this does not answer as QStash does"
        return [failed(QUEUE, str(error), way_out)]
    if settings.queue == "redis":
        return [ok(QUEUE, "it is in the store, with the keys that it signs by")]
    return [ok(QUEUE, f"{settings.qstash_url} takes the token"), judge_keys(settings, keys)]


def judge_keys(settings: Settings, account: SigningKeys) -> Finding:
    """Judge whether the functions accept the account's signatures, now and after the keys are rolled."""
    ours = (settings.current_signing_key, settings.next_signing_key)
    if ours == (account.current, account.following):
        return ok(KEYS, "the signing keys are the account's")
    if ours == (account.following, account.current):
        return warning(KEYS, "the signing keys are swapped; each message is accepted by the second one", _BOTH)
    if account.current not in ours:
        return failed(KEYS, "no signing key is the one that the account signs with: every message is a 401", _BOTH)
    if settings.next_signing_key == account.current:
        way_out = f"{_BOTH}, and deploy; do not roll the keys again before that"
        return warning(KEYS, "the account's keys were rolled; messages are accepted by the next key only", way_out)
    return warning(KEYS, "messages are accepted now, and will be refused once the keys are rolled", _BOTH)


TOPICS, SCHEDULES = "topics", "schedules"
_SETUP = "run `baton setup`"


async def check_account(account: Account, settings: Settings) -> list[Finding]:
    try:
        found = difference(wanted_of(settings, *await code_of(settings)), await account.read())
    except RegistryNotLoadedError as error:
        return [
            failed(TOPICS, f"the names of app events are unknown: {error}", "run it where BATON_APP can be imported")
        ]
    except PublishError as error:
        return [failed(TOPICS, f"they cannot be read: {error}", "check that the token may do more than publish")]
    schedules = [
        failed(
            SCHEDULES,
            f"schedule {change.schedule.id}: {change.why or 'it is not there'}; "
            + ("it starts no such job" if change.schedule.coded else "jobs that a failover forgot stay where they are"),
            _SETUP,
        )
        for change in found.changes
        if isinstance(change, PutSchedule)
    ]
    return [*_topics(found, settings), *(schedules or [ok(SCHEDULES, "the sweep comes every hour")])]


def _topics(found: Difference, settings: Settings) -> list[Finding]:
    wrong = [_topic(change, settings) for change in found.changes if isinstance(change, PutEndpoint)]
    more = [
        warning(
            TOPICS,
            f"topic {each.topic} also delivers to {each.endpoint.url or each.endpoint.name}: "
            "every event goes there, too",
            "run `baton setup --prune`",
        )
        for each in found.left
        if isinstance(each, RemoveEndpoint)
    ]
    if any(isinstance(change, PutDefaults) for change in found.changes) and not wrong:
        more.append(note(TOPICS, "their default options are not set, or not reported by this queue", _SETUP))
    return [*wrong, *more] or [ok(TOPICS, f"{settings.topic_prefix}.…: each event type has its endpoint")]


def _topic(change: PutEndpoint, settings: Settings) -> Finding:
    if change.before:
        text = f"topic {change.topic} delivers to {change.before}, not to {change.endpoint.url}"
    else:
        text = f"topic {change.topic} does not deliver to {change.endpoint.url}, or is not there"
    if settings.publish_by == "topic":
        return failed(TOPICS, f"{text}: its events are lost", f"{_SETUP}, or set PUBLISH_BY=url")
    return warning(TOPICS, f"{text}; PUBLISH_BY=url does not use it", _SETUP)
