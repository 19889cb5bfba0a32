"""The queries of the jobs' endpoints: a list's filter, a bulk change's, one job's (CONTRACT, Jobs)."""

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.datastructures import QueryParams

from baton.engine.all_jobs.job_list import Query, position_from
from baton.engine.all_jobs.job_texts import words_of
from baton.engine.transitions import JobStatus
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.server.api.auth import Principal
from baton.server.api.jobs.submission import MOST_TAGS, Tag
from baton.server.api.problem import ApiError, parsed_query
from baton_events.timestamps import milliseconds

MOST_ROWS, USUAL_ROWS = 100, 20
LONGEST_SEARCH_CHARS = 200
_LATEST_MS = 9_999_999_999_999


def _statuses(text: str) -> str:
    unknown = [name for name in text.split(",") if name not in set(JobStatus)]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no status: one or more of {', '.join(JobStatus)}, with commas between")
    return text


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _searchable(text: str) -> str:
    if not words_of(text):
        raise ValueError("give at least one word to look for; a phrase stands in double quotes")
    return text


def checked_cursor(text: str) -> str:
    """Return the cursor unchanged if it is one. Raises ValueError: no list gave it."""
    position_from(text)
    return text


class JobQuery(BaseModel):
    """The query of one job. `steps`: include the usage of each of its steps."""

    model_config = ConfigDict(frozen=True)

    steps: bool = False


class JobFilter(BaseModel):
    """The jobs that match; a missing field matches all.

    `status`: one, or several with commas between them. `createdAfter`: then or later; `createdBefore`: before then.
    `parentJobId`: the jobs that this one started, which no other list has. `tenant`: for admin keys. `tag`: one or
    several, all of which a job must have. `q`: words, and phrases in quotes, that task, answer and error must have.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    status: Annotated[str, AfterValidator(_statuses)] | None = None
    job_type: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    session_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    parent_job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,400}$")] | None = None
    tenant: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    tag: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS), BeforeValidator(_several)] = ()
    q: Annotated[str, Field(min_length=1, max_length=LONGEST_SEARCH_CHARS), AfterValidator(_searchable)] | None = None

    def query(self, principal: Principal) -> Query:
        """Convert the filter to a query on behalf of a caller. Raises ApiError: 403, another tenant's jobs."""
        if self.tenant is not None and not principal.may_see(self.tenant):
            raise ApiError(403, f"the jobs of tenant {self.tenant!r} are another tenant's")
        return Query(
            tenant=self.tenant or ("" if principal.role == "admin" else principal.tenant),
            session_id=self.session_id or "",
            agent=self.job_type or "",
            statuses=frozenset(self.status.split(",")) if self.status else frozenset(),
            parent_id=self.parent_job_id or "",
            after_ms=_ms(self.created_after),
            before_ms=_LATEST_MS if self.created_before is None else _ms(self.created_before),
            tags=self.tag,
            words=words_of(self.q or ""),
        )


class PageQuery(JobFilter):
    """A page of a list. `cursor`: as the page before gave it."""

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = USUAL_ROWS
    cursor: Annotated[str, AfterValidator(checked_cursor)] | None = None


def read_page_query(params: QueryParams) -> PageQuery:
    """Parse the query of a list. Raises ApiError: 422, with every fault."""
    twice = sorted({name for name in params if name != "tag" and len(params.getlist(name)) > 1})
    if twice:
        detail = f"{twice[0]} is given more than once"
        raise ApiError(422, f"the query is not valid: {detail}", [(twice[0], detail)])
    return parsed_query(PageQuery, {**params, **({"tag": params.getlist("tag")} if "tag" in params else {})})


def lack_of(registry: Registry, agent: str) -> str:
    """Say that the registry lacks an agent, and what it has; empty: it is there."""
    try:
        registry.agent(agent)
    except UnknownAgentError as error:
        return str(error)
    return ""


def _ms(time: AwareDatetime | None) -> int:
    return 0 if time is None else max(0, milliseconds(time))
