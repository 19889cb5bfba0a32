"""The refusals that a caller of the API may see, by their meaning."""

from http import HTTPStatus

from baton_local.stand_in.api_error import ApiError


def malformed(message: str) -> ApiError:
    """Make the error for a body or filter of the wrong form (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def unknown(message: str) -> ApiError:
    """Make the error for a name that does not exist (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def unacceptable(message: str) -> ApiError:
    """Make the error for a well-formed request that this index cannot take (422)."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
