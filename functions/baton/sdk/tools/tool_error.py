"""A tool's failure, and whether it may be retried.

Invariant: not retryable unless the author sets it, because repeating a side effect must be a choice.
"""

from baton_events.values.durations import Duration


class ToolError(Exception):
    """A tool's failure.

    Attributes:
        message: the text for the model, the job and its stream.
        retryable: whether the call may be retried, up to the tool's `retries`.
        type: shown beside the message (`error.type`).
        retry_after_seconds: the wait that the other side requests, at most an hour: no attempt of this call, and no
            call of the tenant with its `call_limits` key, begins before.
    """

    def __init__(
        self,
        message: str,
        retryable: bool = False,  # noqa: FBT001, FBT002 - public signature
        type: str = "ToolError",  # noqa: A002
        retry_after_seconds: Duration | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.retryable, self.type = message, retryable, type
        self.retry_after_seconds = retry_after_seconds
