"""The one error that a caller of the API may see.

Invariant: raised before anything of the state was changed, so a refused command leaves no trace.
"""

from http import HTTPStatus


class ApiError(Exception):
    """A request that cannot be served; `status`, `message` and `headers` are the whole answer."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def bad_request(message: str) -> ApiError:
    """The caller sent something wrong (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def not_found(message: str) -> ApiError:
    """The id or name is unknown (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def over_quota(message: str) -> ApiError:
    """A limit of the plan is reached (412, qstash.md 20)."""
    return ApiError(HTTPStatus.PRECONDITION_FAILED, message)


def not_served(message: str) -> ApiError:
    """The hosted service has it, this server does not (501)."""
    return ApiError(HTTPStatus.NOT_IMPLEMENTED, message)
