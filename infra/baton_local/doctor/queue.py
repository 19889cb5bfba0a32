"""Whether the queue takes our token, and signs with the keys that the functions check with."""

from baton.configuration.settings import Settings
from baton.ports.queue_setup import QueueSetup, SigningKeys
from baton_events.errors import MessageNotFoundError, PublishError, QueueUnauthorizedError, QueueUnreachableError
from baton_local.doctor.finding import Finding, failed, ok, warning

QUEUE, KEYS = "queue", "keys"
_BOTH = "set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY to those of the queue's console"


async def look_at_queue(queue: QueueSetup, settings: Settings) -> list[Finding]:
    """What is to be said of the account; the last finding is about the keys, if the account told them."""
    try:
        keys = await queue.signing_keys()
    except QueueUnauthorizedError as error:
        return [failed(QUEUE, str(error), "copy the token again from the queue's console; it must not be read-only")]
    except QueueUnreachableError as error:
        return [failed(QUEUE, str(error), "check QSTASH_URL, and that this machine may reach it")]
    except MessageNotFoundError as error:
        return [failed(QUEUE, f"{settings.qstash_url} is not the queue: {error}", "set QSTASH_URL without any path")]
    except PublishError as error:
        return [failed(QUEUE, str(error), "check QSTASH_URL: this does not answer as QStash does")]
    return [ok(QUEUE, f"{settings.qstash_url} takes the token"), judge_keys(settings, keys)]


def judge_keys(settings: Settings, account: SigningKeys) -> Finding:
    """Whether the functions believe what the account signs, now and after the keys are rolled."""
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
