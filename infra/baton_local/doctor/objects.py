"""Whether each object store takes, keeps and gives up an object as large payloads need it."""

from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton.store.records.objects import job_place
from baton_events.errors import ObjectStoreError, PayloadGoneError
from baton_local.doctor.finding import Finding, failed, ok, warning

OBJECTS = "objects"
_TENANT = "baton-doctor"  # of nobody
_WAYS = {
    "s3": "create the bucket {}, and let the deployment's role read, write, list and delete there (s3:GetObject,"
    " s3:PutObject, s3:DeleteObject, s3:ListBucket); `region` and `endpoint` go into OBJECT_STORE_OPTIONS",
    "gs": "create the bucket {}, and give the deployment's account roles/storage.objectUser on it",
    "az": "create the container {}, and give the deployment Storage Blob Data Contributor on it; `account_name` goes"
    " into OBJECT_STORE_OPTIONS",
    "file": "let this process read, write, list and delete in the folder {}",
}
NO_STORE = "none: payloads stay in the store; OBJECT_STORE_URL=s3://BUCKET/PREFIX keeps the large ones apart"


def way_out(url: str) -> str:
    """Return what an object store needs before it takes anything."""
    scheme, _, rest = url.partition("://")
    return f"check OBJECT_STORE_URL and OBJECT_STORE_OPTIONS; {_WAYS[scheme].format(_named(scheme, rest))}"


def _named(scheme: str, rest: str) -> str:
    return rest if scheme == "file" else rest.partition("/")[0]


async def check_objects(objects: Objects | None, settings: Settings, name: str) -> list[Finding]:
    """Write an object, read it, and delete it; `name` makes it our own. Then ask the stores that are only read."""
    if objects is None:
        return []
    place, (url, *others) = job_place(_TENANT, name), settings.object_store_urls
    try:
        ref = await objects.put(place, _TENANT, name.encode())
        await objects.get(ref)
        await objects.delete_below(place)
    except (ObjectStoreError, PayloadGoneError) as error:
        return [failed(OBJECTS, f"{url}: {error}", way_out(url))]
    found = [ok(OBJECTS, f"{url} takes, gives and deletes objects")]
    if others:
        found.append(ok(OBJECTS, f"older ones are read from {', '.join(others)}"))
    if url.startswith("file:") and not settings.worker_base_url.startswith("http://127.0.0.1"):
        found.append(warning(OBJECTS, f"{url} is a folder", "all processes must have it, and it must outlive them"))
    return found
