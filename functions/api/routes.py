"""The API's routes: one line each."""

from starlette.routing import Route

from functions.api.auth import Keys
from functions.api.checkpoints import CheckpointsApi
from functions.api.health import Readiness, healthz
from functions.api.job_events import JobEventsApi
from functions.api.jobs import JobsApi
from functions.api.operations import OperationsApi
from functions.api.recordings import RecordingsApi
from functions.api.session_memory import SessionMemoryApi
from functions.api.simple_scenario import SimpleScenario
from functions.api.stream import StreamApi
from functions.api.tools import ToolsApi
from functions.container import Container


def api_routes(container: Container) -> list[Route]:
    """Every route of the API."""
    keys = Keys(container.settings)
    jobs, operations = JobsApi(container, keys), OperationsApi(container)
    checkpoints = CheckpointsApi(container, keys, jobs)
    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", Readiness(container).readyz, methods=["GET"]),
        Route("/test/simple", SimpleScenario(container, jobs).run, methods=["POST"]),
        Route("/api/agent-jobs", jobs.submit, methods=["POST"]),
        Route("/api/agent-jobs/{job_id}", jobs.read, methods=["GET"]),
        Route("/api/agent-jobs/{job_id}", jobs.change, methods=["PATCH"]),
        Route("/api/agent-jobs/{job_id}/events", JobEventsApi(container, keys, jobs).post, methods=["POST"]),
        Route("/api/agent-jobs/{job_id}/checkpoints", checkpoints.of_job, methods=["GET"]),
        Route("/api/admin/agent-checkpoints/{checkpoint_id}", checkpoints.approve, methods=["POST"]),
        Route("/api/admin/agent-checkpoints/{checkpoint_id}", checkpoints.reject, methods=["DELETE"]),
        Route("/api/operations/{operation_id}", operations.show, methods=["GET"]),
        Route("/api/operations/{operation_id}/complete", operations.complete, methods=["POST"]),
        Route("/api/sessions/{session_id:path}/memory", SessionMemoryApi(container, keys).forget, methods=["DELETE"]),
        Route("/api/admin/tools", ToolsApi(container, keys).show, methods=["GET"]),
        Route("/api/agent-jobs/{job_id}/recording", RecordingsApi(container, keys, jobs).show, methods=["GET"]),
        Route("/api/agent-jobs/{job_id}/stream", StreamApi(container, keys).stream, methods=["GET"]),
    ]
