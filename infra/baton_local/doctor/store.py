"""Whether the store answers, lets us write by script, and forgets nothing; whether memory and objects are kept."""

from collections.abc import Mapping

from baton.engine.all_jobs.slots import QueueEntry
from baton.sdk.clock import Clock
from baton.sdk.records.memory import LongTermMemory
from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton.store.records.objects import job_place
from baton.store.redis.admission import AdmissionControl
from baton.store.redis.connection import RedisConnection
from baton_events.errors import MemoryUnavailableError, ObjectStoreError, PayloadGoneError, StoreError
from baton_events.setting import is_loopback
from baton_local.doctor.finding import Finding, failed, note, ok, warning, way_to_reach


class StoreCheck:
    """Checks the store that the settings name without touching any job. Each method raises StoreError."""

    def __init__(self, settings: Settings) -> None:
        self._connection = RedisConnection(settings)

    async def ping(self) -> None:
        answer = await self._connection.execute("PING")
        if answer != "PONG":
            raise StoreError(f"PING was answered with {str(answer)[:100]!r}: this is no Redis")

    async def try_rights(self) -> None:
        await self._connection.try_rights()

    async def live_jobs(self) -> Mapping[str, QueueEntry]:
        """Return the admission's entries of the jobs that have not ended, by job id."""
        return await AdmissionControl(self._connection, 0, 0).live()

    async def about(self) -> Mapping[str, str]:
        """Return the store's description of itself, by the names of INFO; empty where it has none."""
        try:
            text = str(await self._connection.execute("INFO"))
        except StoreError:
            return {}
        pairs = (line.partition(":") for line in text.splitlines())
        return {name: value.strip() for name, colon, value in pairs if colon}

    async def close(self) -> None:
        await self._connection.close()


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


STORE = "store"
_PINGS = 5
_SLOW_MS = 100
_KEEPS = "noeviction"
RIGHTS, KEYS = "+@read +@write +@scripting +time +ping +info", ("baton:*", "operations:*")  # as docs/redis.md has them
_NOT_LET_IN = ("WRONGPASS", "NOAUTH", "UNAUTHORIZED", "INVALID PASSWORD")
_LEAST_MAJOR = 7  # older servers do not take the first line of our scripts


async def check_store(store: StoreCheck, clock: Clock, settings: Settings) -> list[Finding]:
    times_ms = list[int]()
    try:
        for _ in range(_PINGS):
            before_ms = clock.now_ms()
            await store.ping()
            times_ms.append(clock.now_ms() - before_ms)
    except StoreError as error:
        return [failed(STORE, str(error), _way_out_of_store(str(error), settings))]
    try:
        await store.try_rights()
    except StoreError as error:
        way_out = "use the token that may write and run scripts, not the read-only one"
        if settings.resp_url:
            way_out = f"give the user of REDIS_URL {RIGHTS} on the keys {' and '.join(KEYS)}, and name a primary server"
        return [failed(STORE, f"it answers, and refuses what a job needs: {error}", way_out)]
    about = await store.about()
    found = [_speed(sorted(times_ms)[_PINGS // 2], about, settings), _memory(about.get("maxmemory_policy", ""))]
    if settings.resp_url.startswith("redis://") and not is_loopback(settings.resp_url):
        found.append(warning(STORE, "redis:// is not encrypted", "use rediss:// unless the network is yours alone"))
    return found


def _way_out_of_store(error: str, settings: Settings) -> str:
    not_let_in = any(word in error.upper() for word in _NOT_LET_IN)
    if settings.resp_url and not_let_in:
        return "set user and password of this server in REDIS_URL"
    if settings.resp_url:
        return "check REDIS_URL (rediss:// where it speaks TLS), and that this machine may reach its port"
    if not_let_in:
        return "set UPSTASH_REDIS_REST_TOKEN to the REST token of this database"
    address = "the REST address; a redis:// one belongs into REDIS_URL"
    return way_to_reach(error, f"check UPSTASH_REDIS_REST_URL ({address}), and that the database is there")


def _speed(median_ms: int, about: Mapping[str, str], settings: Settings) -> Finding:
    version = about.get("valkey_version") or about.get("redis_version", "")
    cluster = ", a cluster" if about.get("redis_mode") == "cluster" else ""
    known = f", version {version}{cluster}" if version else ""
    over = "RESP" if settings.resp_url else "REST"
    text = f"answers within {median_ms} ms, runs scripts{known}, over {over} at {settings.store_place}"
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _LEAST_MAJOR:
        return failed(STORE, text, f"use Valkey, or Redis of version {_LEAST_MAJOR} or later")
    if median_ms > _SLOW_MS:
        return warning(STORE, text, "if the functions run here: put them and the database into one region")
    return ok(STORE, text)


def _memory(policy: str) -> Finding:
    if not policy:
        return note(STORE, "it does not report whether it evicts data", "see that Eviction is off in its console")
    if policy != _KEEPS:
        return failed(STORE, f"when it is full it forgets data ({policy}), jobs among them", "turn eviction off")
    return ok(STORE, "forgets nothing by itself (noeviction)")


MEMORY = "memory"
_TENANT = "baton-doctor"  # of nobody: nothing is ever added to it


async def check_memory(memory: LongTermMemory | None) -> list[Finding]:
    if memory is None:
        return []
    try:
        await memory.search(_TENANT, "probe", 1, 0.0)
    except MemoryUnavailableError as error:
        return [failed(MEMORY, str(error), _way_out_of_memory(str(error)))]
    return [ok(MEMORY, "the vector index answers")]


def _way_out_of_memory(error: str) -> str:
    if "Unauthorized" in error:
        return "set UPSTASH_VECTOR_REST_TOKEN to the token of this index"
    if "embedding model" in error:
        return "make an index with an embedding model: this one takes vectors only, and Baton sends texts"
    return "check UPSTASH_VECTOR_REST_URL; without it and its token, agents remember within a session"
