"""How a tool says that it failed, and how that failure is to be treated.

Invariant: not retryable unless the author says so, because repeating a side effect must be a choice.
"""


class ToolError(Exception):
    """A tool's failure.

    Attributes:
        message: for the model, the job and its stream.
        retryable: whether the call may be tried again, up to the tool's `retries`.
        type: shown beside the message (`error.type`).
        retry_after_seconds: the other side asked for it: so long no call with the key of its `call_limits` begins.
    """

    def __init__(
        self,
        message: str,
        retryable: bool = False,  # noqa: FBT001, FBT002 - public signature
        type: str = "ToolError",  # noqa: A002
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.type = type
        self.retry_after_seconds = retry_after_seconds
