"""How a tool says that it failed, and how that failure is to be treated.

Invariant: not retryable unless the author says so, because repeating a side effect must be a choice.
"""


class ToolError(Exception):
    """A tool's failure.

    Attributes:
        message: for the model, the job and its stream.
        retryable: whether the call may be tried again, up to the tool's `retries`.
        type: shown beside the message (`error.type`).
    """

    def __init__(self, message: str, retryable: bool = False, type: str = "ToolError") -> None:  # noqa: A002, FBT001, FBT002 - public signature
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.type = type
