"""The body of a submission (CONTRACT, Jobs), and the job made from it."""

from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from baton.engine.commit.codec import require_readable
from baton.engine.state import Job
from baton.sdk.agents.registry import UnknownAgentError, check_input
from baton.sdk.records.any_json import JsonObject
from baton.sdk.tools.arguments import InvalidArguments
from baton.server.api.problem import ApiError
from baton.server.api.session_line import WhenBusy
from baton.worker.commands.once import ONCE_LIMIT_CHARS, ONCE_SECONDS, OnceFor
from baton.worker.container import Container
from baton.worker.runtime.callbacks import address_fault
from baton.worker.runtime.new_jobs import job_of
from baton_events.ids import digest, subject_digest
from baton_events.sealing import Sealing
from baton_events.timestamps import milliseconds
from baton_events.values.durations import LONGEST_SECONDS

LONGEST_DELAY_SECONDS = 7 * 86_400  # the queue's longest delay on its smallest plan (qstash.md 20)
MOST_TAGS, LONGEST_TAG_CHARS = 10, 64
SUBJECT_LIMIT_CHARS = 200


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError(f"{text!r} is no tag: a tag has 1 to {LONGEST_TAG_CHARS} printable characters")
    return text


def _distinct(tags: tuple[str, ...]) -> tuple[str, ...]:
    twice = [tag for tag in tags if tags.count(tag) > 1]
    if twice:
        raise ValueError(f"tag {twice[0]!r} is given twice")
    return tags


OnceKey = Annotated[str, Field(min_length=1, max_length=ONCE_LIMIT_CHARS)]
OnceSeconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, strict=True)]
Tag = Annotated[str, Field(min_length=1, max_length=LONGEST_TAG_CHARS), AfterValidator(_printable)]
SubjectId = Annotated[str, Field(min_length=1, max_length=SUBJECT_LIMIT_CHARS)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS), AfterValidator(_distinct)]


class JobBody(BaseModel):
    """A client's description of a job, for any start time. `tags`: words to find it by, in this order.

    `subject_id`: the person whose data it has, whatever your name for them; only a digest of it is kept.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    job_type: Annotated[str, Field(min_length=1, max_length=64)]
    task_description: str = ""
    input_data: JsonObject = Field(default_factory=dict)
    priority: Annotated[int, Field(ge=0, le=9, strict=True)] = 5
    session_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    tags: Tags = ()
    subject_id: SubjectId | None = None

    @property
    def task(self) -> dict[str, Any]:
        """The first entry of the job's transcript; in a session that has a name, its model is sent the earlier ones."""
        task: dict[str, Any] = {"text": self.task_description, "data": self.input_data}
        return task if self.session_id is None else {**task, "chat": {}}


class SubmitBody(JobBody):
    """A submission."""

    delay_seconds: Annotated[int, Field(ge=0, le=LONGEST_DELAY_SECONDS, strict=True)] | None = None
    start_at: AwareDatetime | None = None
    when_busy: WhenBusy = "queue"
    callback_url: str | None = None
    once_for: OnceKey | None = None
    once_for_seconds: OnceSeconds = ONCE_SECONDS

    @property
    def once(self) -> OnceFor | None:
        """The key of which there is one job at a time."""
        return None if self.once_for is None else OnceFor(self.once_for, self.once_for_seconds)

    @field_validator("callback_url")
    @classmethod
    def _public_address(cls, url: str | None) -> str | None:
        if url is not None and (fault := address_fault(url)):
            raise ValueError(fault)
        return url

    def start_at_ms(self, now_ms: int) -> int:
        """Return when the job may start, in ms; 0: at once.

        Raises ApiError: 422, both fields are given, or the time is too far away.
        """
        if self.delay_seconds is not None and self.start_at is not None:
            raise ApiError(422, "give delaySeconds or startAt, not both", [("startAt", "delaySeconds is given, too")])
        at_ms = milliseconds(self.start_at) if self.start_at else now_ms + (self.delay_seconds or 0) * 1000
        if at_ms > now_ms + LONGEST_DELAY_SECONDS * 1000:
            detail = f"startAt is more than {LONGEST_DELAY_SECONDS // 86_400} days away"
            raise ApiError(422, detail, [("startAt", detail)])
        return at_ms if at_ms > now_ms else 0


def subject_of(sealing: Sealing, tenant: str, subject_id: str | None) -> str:
    """Return what is kept of the person whose data it is; empty: nobody is named."""
    return sealing.keyed(subject_digest(tenant, subject_id)) if subject_id else ""


def is_same_request(known: Job, made: Job) -> bool:
    """Return whether the same request has submitted both: a job that is there, and one that is made of this request.

    Raises UnreadablePayloadError: what the known one was made of cannot be read here.
    """
    require_readable(known)
    return known.request_digest == made.request_digest


def new_job(body: SubmitBody, container: Container, *, job_id: str, session_id: str, tenant: str, now_ms: int) -> Job:
    """Make the job of a submission, with its agent's limits. Raises ApiError: 422, no agent has that name."""
    registry = container.registry
    try:
        job = job_of(
            registry,
            body.job_type,
            job_id=job_id,
            session_id=body.session_id or session_id,
            tenant=tenant,
            now_ms=now_ms,
        )
        check_input(registry, body.job_type, body.input_data)
    except UnknownAgentError as error:
        raise ApiError(422, str(error), [("jobType", str(error))]) from error
    except InvalidArguments as error:
        places = [".".join(map(str, ("inputData", *place))) for place in error.places]
        raise ApiError(422, str(error), list(zip(places, error.faults, strict=True))) from error
    return replace(
        job,
        priority=body.priority,
        tags=body.tags,
        start_at_ms=body.start_at_ms(now_ms),
        notifies=body.callback_url or "",
        subject=subject_of(container.sealing, tenant, body.subject_id),
        request_digest=digest(body.model_dump(mode="json", exclude={"when_busy"})),
    )
