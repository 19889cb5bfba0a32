"""The one error that a caller of a stand-in's API may see. Pure.

Invariant: raised before anything of the state was changed, so a refused request leaves no trace.
"""


class ApiError(Exception):
    """A request that cannot be served; `status`, `message` and `headers` are the whole answer."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = int(status)
        self.message, self.headers = message, headers
