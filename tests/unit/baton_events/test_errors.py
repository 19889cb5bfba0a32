"""Each error knows the status that answers it and whether trying again may help."""

import pytest

from baton_events.errors import (
    BatonError,
    HungUpError,
    MalformedEventError,
    PartialPublishError,
    PublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    SettingsError,
    SignatureError,
    StoreError,
    TooLargeError,
    TopicNotFoundError,
    join_problems,
)


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        (BatonError, 500, False),
        (SettingsError, 500, False),
        (MalformedEventError, 489, False),
        (SignatureError, 401, False),
        (StoreError, 503, True),
        (TooLargeError, 413, False),
        (HungUpError, 400, True),
        (PublishError, 503, True),
        (QueueUnreachableError, 503, True),
        (PartialPublishError, 503, True),
        (TopicNotFoundError, 503, False),
        (QueueUnauthorizedError, 503, False),
    ],
)
def test_status_and_repetition(kind: type[BatonError], status: int, retryable: bool) -> None:
    assert (kind.status, kind.retryable) == (status, retryable)
    assert issubclass(kind, BatonError)


def test_an_error_says_what_and_why_and_the_way_out() -> None:
    topic = TopicNotFoundError("agent.x")
    assert topic.topic == "agent.x"
    assert "'agent.x'" in str(topic)
    assert "PUBLISH_BY=url" in str(topic)
    error = PartialPublishError({0: "msg_1", 2: "msg_3"}, {3: "full", 1: "too large"})
    assert (error.accepted, error.failed) == ({0: "msg_1", 2: "msg_3"}, {1: "too large", 3: "full"})
    assert str(error) == "the queue accepted 2 of 4 messages; refused: message 1: too large; message 3: full"
    assert join_problems("wrong:", ["a", "b"]) == "wrong:\n  - a\n  - b"
