"""Which session a request is about: the id in its path, and the tenant that it is of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request

from baton.api.auth import Principal
from baton.api.chat_body import SESSION_LIMIT_CHARS
from baton.api.job_query import MOST_ROWS, USUAL_ROWS, checked_cursor
from baton.api.problem import ApiError, invalid


class SessionQuery(BaseModel):
    """Which jobs of a session are shown: the newest ones, or those before a page's `cursor`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = USUAL_ROWS
    cursor: Annotated[str, AfterValidator(checked_cursor)] | None = None
    tenant: str | None = None


def read_session_query(params: QueryParams) -> SessionQuery:
    """The query of a session.

    Raises:
        ApiError: 422, with every fault.
    """
    try:
        return SessionQuery.model_validate(dict(params))
    except ValidationError as error:
        raise invalid(error, "query") from error


def session_of(request: Request, principal: Principal) -> tuple[str, str]:
    """(tenant, session id); an admin names the tenant with `?tenant=`.

    Raises:
        ApiError: 403, a client key names another tenant. 404, no session has such an id.
    """
    session_id: str = request.path_params["session_id"]
    tenant = request.query_params.get("tenant", principal.tenant)
    if not principal.may_see(tenant):
        raise ApiError(403, f"the sessions of tenant {tenant!r} belong to another tenant")
    if not 1 <= len(session_id) <= SESSION_LIMIT_CHARS:
        raise ApiError(404, f"a session's id has 1 to {SESSION_LIMIT_CHARS} characters, not {len(session_id)}")
    return tenant, session_id
