"""`GET /api/agent-jobs/{id}/recording`: an ended job as one document that it can be played back from."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.agents.asked_texts import asked_texts
from baton.api.auth import Keys
from baton.api.jobs import JobsApi
from baton.api.problem import ApiError
from baton.container import Container
from baton.recording.collecting import collect
from baton.recording.document import recording
from baton_events.ids import is_child, root_of


class RecordingsApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs

    async def show(self, request: Request) -> Response:
        """200 and the document; 409 for a job that has not ended, was retried, or was started by another job."""
        principal = await self._keys.authenticate(request)
        job = (await self._jobs.snapshot(principal, request.path_params["job_id"])).job
        if is_child(job.id):
            raise ApiError(
                409, f"job {job.id!r} was started by another job: it is in the recording of {root_of(job.id)!r}"
            )
        if not job.ended:
            raise ApiError(409, f"job {job.id!r} is {job.status}: only a job that has ended has a recording")
        if job.run > 1:
            raise ApiError(409, f"job {job.id!r} was retried: only a job that ran once has a recording")
        sources = await collect(self._container.ports.reader, job.id)
        if job.id not in sources:
            raise ApiError(404, f"job {job.id!r} has expired meanwhile")
        texts = {
            digest: text
            for agent in {source.snapshot.job.agent for source in sources.values()}
            for digest, text in asked_texts(self._container.registry, agent).items()
        }
        return JSONResponse(self._container.secrets.hide_in(recording(job.id, sources, texts)))
