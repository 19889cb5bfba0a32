"""Where a recording comes from: the API of a deployment, or of a local stack that `dev.json` describes."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infra.cli.deployment import deployment
from infra.dev.stack_error import StackError
from infra.replay.replay_error import ReplayError


@dataclass(frozen=True, slots=True)
class Source:
    """`url` and `key` of an API; without them the stack of this data folder."""

    url: str | None
    key: str | None
    data: Path


def fetched(job_id: str, source: Source) -> str:
    """The job's recording as JSON text.

    Raises:
        ReplayError: there is no such API, or it refuses; the reason is its own.
    """
    try:
        place = deployment(source.url, source.key, source.data)
        return place.text(f"/api/agent-jobs/{quote(job_id, safe='')}/recording")
    except StackError as error:
        raise ReplayError(str(error)) from error
