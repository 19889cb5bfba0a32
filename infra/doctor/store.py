"""Whether the store answers, lets us write by script, and forgets nothing by itself."""

from events.errors import StoreError
from events.ports import Clock, StoreCheck
from infra.doctor.finding import Finding, failed, note, ok, warning

CHECK = "store"
_PINGS = 5
_SLOW_MS = 100
_KEEPS = "noeviction"


async def look_at_store(store: StoreCheck, clock: Clock, name: str) -> list[Finding]:
    """What is to be said of the store; `name` makes the key of the trial our own."""
    times_ms = list[int]()
    try:
        for _ in range(_PINGS):
            before_ms = clock.now_ms()
            await store.ping()
            times_ms.append(clock.now_ms() - before_ms)
    except StoreError as error:
        return [failed(CHECK, str(error), _way_out(str(error)))]
    try:
        await store.try_script(f"baton:doctor:{name}")
    except StoreError as error:
        way_out = "use the token that may write and run scripts, not the read-only one"
        return [failed(CHECK, f"it answers, and refuses a script that writes: {error}", way_out)]
    about = await store.about()
    version = about.get("valkey_version") or about.get("redis_version", "")
    return [_speed(sorted(times_ms)[_PINGS // 2], version), _memory(about.get("maxmemory_policy", ""))]


def _way_out(error: str) -> str:
    if "WRONGPASS" in error or "UNAUTHORIZED" in error.upper():
        return "set UPSTASH_REDIS_REST_TOKEN to the REST token of this database"
    return "check UPSTASH_REDIS_REST_URL (the REST address, not redis://), and that the database is there"


def _speed(median_ms: int, version: str) -> Finding:
    text = f"answers within {median_ms} ms, runs scripts{f', version {version}' if version else ''}"
    if median_ms > _SLOW_MS:
        return warning(CHECK, text, "if the functions run here: put them and the database into one region")
    return ok(CHECK, text)


def _memory(policy: str) -> Finding:
    if not policy:
        return note(CHECK, "it does not tell whether it evicts data", "see that Eviction is off in its console")
    if policy != _KEEPS:
        return failed(CHECK, f"when it is full it forgets data ({policy}), jobs among them", "turn eviction off")
    return ok(CHECK, "forgets nothing by itself (noeviction)")
