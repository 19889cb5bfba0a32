"""The refusals that a caller of the API may see, by their meaning."""

from http import HTTPStatus

from baton_local.stand_in.api_error import ApiError


def malformed(message: str) -> ApiError:
    """The body or the filter is not of the expected form (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def unknown(message: str) -> ApiError:
    """What is named does not exist (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def unacceptable(message: str) -> ApiError:
    """The form is right, but this index cannot take it (422)."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
