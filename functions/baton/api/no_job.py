"""What is said of a job that is not there: it never was (404), or its data is gone (410)."""

from baton.api.auth import Principal
from baton.api.problem import ApiError
from baton.ports import Archive


async def no_job(archive: Archive, principal: Principal, job_id: str) -> ApiError:
    """The error that answers who asks for a job that the store does not have."""
    kept = await archive.tombstone(job_id)
    if kept is None:
        return ApiError(404, f"there is no job {job_id!r}")
    if not principal.may_see(kept.tenant):
        return ApiError(403, f"job {job_id!r} belongs to another tenant")
    why = "was deleted" if kept.deleted else "has expired (JOB_RETENTION_SECONDS after its end)"
    return ApiError(410, f"the data of job {job_id!r} {why}")
