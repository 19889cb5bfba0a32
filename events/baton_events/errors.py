"""The errors: each knows the HTTP status that answers it and whether trying again may help.

The edge maps an error by these two attributes, never by its class. Messages name the offending value and the way out,
and hold nothing secret: they are shown to callers.
"""

from collections.abc import Mapping, Sequence

# Stands for the key of a text that an object of the deployment's own has sealed.
OWN_CODEC = "codec"
NOT_OPENED = "does not open it: it is another key, or the text was changed"


class BatonError(Exception):
    """Base of all errors that Baton raises on purpose."""

    status: int = 500
    retryable: bool = False


class SettingsError(BatonError):
    """Settings are missing or wrong; the message lists every problem at once."""


class MalformedEventError(BatonError):
    """A message that no version of this code can read; 489 keeps the queue from repeating it (qstash.md 10)."""

    status = 489


class NewerVersionError(BatonError):
    """A newer version of this code has written it, in the middle of a deploy: the queue tries again, on a newer one."""

    status = 503
    retryable = True


class UnreadablePayloadError(NewerVersionError):
    """A sealed text whose key is not there, or that does not open by it; left, as a newer version's, to who can."""

    def __init__(self, key_id: str, why: str = "is not there, or does not open it") -> None:
        whose = "the object of PAYLOAD_CODEC" if key_id == OWN_CODEC else f"the key {key_id!r} of PAYLOAD_KEYS"
        super().__init__(f"a stored text is sealed, and {whose} {why}")
        self.key_id = key_id


class SignatureError(BatonError):
    """A request that the queue did not sign, or not for this URL and body."""

    status = 401


class UnknownJobError(BatonError):
    """An event of a job that the store does not know (yet): its backup may still come, so the queue tries again."""

    status = 503
    retryable = True


class AnswerEarlyError(BatonError):
    """A model's answer came while its turn is worked on: the queue brings it again."""

    status = 503
    retryable = True


class JobGoneError(BatonError):
    """The job's data was deleted, or has expired: nothing brings it back."""

    status = 410

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id!r} is gone: its data was deleted, or has expired")


class StoreError(BatonError):
    """The store did not answer, or answered with an error; what was asked may or may not have been applied.

    `detail`: what a caller of the API hears of it, who is not told of users and commands.
    """

    status = 503
    retryable = True
    detail = "does not answer; try again"


class ObjectStoreError(StoreError):
    """The object store did not answer, or refused; what was asked may or may not have been done."""


class PayloadGoneError(BatonError):
    """A large payload that a record names is not in its object store, or is not what was written there."""

    status = 410

    def __init__(self, ref: str) -> None:
        super().__init__(f"the payload {ref} is gone from the object store")


class StoreAnswerError(StoreError):
    """The store answered, with an error or with what its protocol does not know."""

    detail = "answers with an error, which the log has; try again"


class StoreRefusedError(StoreAnswerError):
    """The store's user may not run this command on this key, and nothing was done."""

    detail = "does not let its user do this; the log names the command"


class TooLargeForStoreError(StoreAnswerError):
    """The store takes no request of this size, whenever it comes: it has done nothing."""

    status = 413
    retryable = False


class StoreFullError(StoreAnswerError):
    """The store's memory is full: it takes no writes, and has done nothing."""

    detail = "has no memory left, so it takes no writes; delete jobs or files, or give it more"


class MemoryUnavailableError(BatonError):
    """The vector index did not answer, or refused; what was asked may or may not have been applied."""

    status = 503
    retryable = True


class TooLargeError(BatonError):
    """A value over a size limit."""

    status = 413


class CodedBodyError(BatonError):
    """A request whose body has a content coding: nobody here decodes it, since a little of it may become a lot."""

    status = 415

    def __init__(self, coding: str) -> None:
        super().__init__(f"Content-Encoding: {coding!r} is not taken here: send the body as it is, without the header")


class HungUpError(BatonError):
    """A request did not become whole: who sent it has gone, or is too slow (408), or our process stops (503)."""

    status = 400
    retryable = True

    def __init__(self, message: str, status: int = status) -> None:
        super().__init__(message)
        self.status = status


class SessionBusyError(BatonError):
    """A job was to be alone in its session, and another one of it is at work or in line."""

    status = 409
    retryable = False

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} is busy: another of its jobs is running or queued")


class StorageFullError(BatonError):
    """A tenant has stored as much as it may; `wait_seconds`: until time alone gives room."""

    status = 429
    retryable = True

    def __init__(self, tenant: str, size_bytes: int, limit_bytes: int, wait_ms: int) -> None:
        self.wait_seconds = max(1, -(-wait_ms // 1000))
        super().__init__(
            f"tenant {tenant!r} has stored {size_bytes} bytes, and BYTES_KEPT_PER_TENANT allows {limit_bytes}: delete"
            f" ended jobs or sessions, send less, or try again in {self.wait_seconds} s, when some of it has expired"
        )


class ThrottledError(BatonError):
    """Too much was asked for in a minute; `wait_seconds`: until it may be asked for again."""

    status = 429
    retryable = True

    def __init__(self, message: str, wait_seconds: float) -> None:
        self.wait_seconds = max(1, -(-int(wait_seconds * 1000) // 1000))
        super().__init__(f"{message}: try again in {self.wait_seconds} s")


class PublishError(BatonError):
    """Publishing failed: no message of the call was accepted, unless the subclass says otherwise."""

    status = 503
    retryable = True


class TopicNotFoundError(PublishError):
    """The queue knows no such topic."""

    retryable = False

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"the queue knows no topic {topic!r}: create it with an endpoint for this event type, "
            "or set PUBLISH_BY=url to publish straight to WORKER_BASE_URL"
        )
        self.topic = topic


class MessageNotFoundError(PublishError):
    """The queue knows no such message (any more), or no such path."""

    retryable = False


class QueueRefusedError(PublishError):
    """The queue does not accept what was sent: it would not the next time."""

    retryable = False


class QueueUnauthorizedError(PublishError):
    """The queue refused the token."""

    retryable = False

    def __init__(self, queue_url: str) -> None:
        super().__init__(f"the queue at {queue_url} refused the token: check QSTASH_TOKEN (and QSTASH_URL)")


class QueueUnreachableError(PublishError):
    """No answer from the queue; it may or may not have accepted the messages."""

    def __init__(self, queue_url: str, reason: str) -> None:
        super().__init__(f"no answer from the queue at {queue_url} ({reason}): check QSTASH_URL and that it runs")


class PartialPublishError(PublishError):
    """A batch of which some messages were accepted.

    `accepted`: position in the batch → message id. `failed`: position in the batch → what the queue said.
    """

    def __init__(self, accepted: Mapping[int, str], failed: Mapping[int, str]) -> None:
        reasons = "; ".join(f"message {position}: {reason}" for position, reason in sorted(failed.items()))
        super().__init__(
            f"the queue accepted {len(accepted)} of {len(accepted) + len(failed)} messages; refused: {reasons}"
        )
        self.accepted = dict(accepted)
        self.failed = dict(failed)


def join_problems(title: str, problems: Sequence[str]) -> str:
    """Return one message that lists every problem, a line each."""
    return "\n".join([title, *(f"  - {problem}" for problem in problems)])
