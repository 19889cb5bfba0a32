"""Whether the queue takes our token, signs with the functions' keys, and has the topics and schedules they need."""

from baton.queue.account import QueueSetup, SigningKeys
from baton.sdk.agents.loader import RegistryNotLoadedError
from baton.settings.settings import Settings
from baton_events.errors import MessageNotFoundError, PublishError, QueueUnauthorizedError, QueueUnreachableError
from baton_local.doctor.finding import Finding, failed, note, ok, warning, way_to_reach
from baton_local.setup.account import Account, code_of
from baton_local.setup.difference import Difference, PutDefaults, PutEndpoint, PutSchedule, RemoveEndpoint, difference
from baton_local.setup.wanted import wanted_of

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
        return [failed(QUEUE, str(error), "check QSTASH_URL: this does not answer as QStash does")]
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
    """Check it and return the findings."""
    try:
        found = difference(wanted_of(settings, *await code_of(settings)), await account.read())
    except RegistryNotLoadedError as error:
        return [
            failed(TOPICS, f"the names of app events are unknown: {error}", "run it where BATON_APP can be imported")
        ]
    except PublishError as error:
        return [failed(TOPICS, f"they cannot be read: {error}", "check that the token may do more than publish")]
    return [*_topics(found, settings), *_schedules(found)]


def _topics(found: Difference, settings: Settings) -> list[Finding]:
    wrong = [_topic(change, settings) for change in found.changes if isinstance(change, PutEndpoint)]
    more = [_more(change) for change in found.left if isinstance(change, RemoveEndpoint)]
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


def _more(change: RemoveEndpoint) -> Finding:
    where = change.endpoint.url or change.endpoint.name
    return warning(
        TOPICS,
        f"topic {change.topic} also delivers to {where}: every event goes there, too",
        "run `baton setup --prune`",
    )


def _schedules(found: Difference) -> list[Finding]:
    wrong = [_schedule(change) for change in found.changes if isinstance(change, PutSchedule)]
    return wrong or [ok(SCHEDULES, "the sweep comes every hour")]


def _schedule(change: PutSchedule) -> Finding:
    why = change.why or "it is not there"
    harm = "it starts no such job" if change.schedule.coded else "jobs that a failover forgot stay where they are"
    return failed(SCHEDULES, f"schedule {change.schedule.id}: {why}; {harm}", _SETUP)
