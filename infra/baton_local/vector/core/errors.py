"""The one error that a caller of the API may see.

Invariant: raised before anything of the index was changed, so a refused request leaves no trace.
"""

from http import HTTPStatus


class ApiError(Exception):
    """A request that cannot be served; `status` and `message` are the whole answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = int(status)
        self.message = message


def malformed(message: str) -> ApiError:
    """The body or the filter is not of the expected form (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def unknown(message: str) -> ApiError:
    """What is named does not exist (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def unacceptable(message: str) -> ApiError:
    """The form is right, but this index cannot take it (422)."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
