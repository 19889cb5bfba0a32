"""Whether the store answers, lets us write by script, and forgets nothing by itself."""

from collections.abc import Mapping

from baton.configuration.settings import Settings
from baton.ports import Clock, StoreCheck
from baton_events.errors import StoreError
from baton_events.setting import is_loopback
from baton_local.doctor.finding import Finding, failed, note, ok, warning

CHECK = "store"
_PINGS = 5
_SLOW_MS = 100
_KEEPS = "noeviction"
_NOT_LET_IN = ("WRONGPASS", "NOAUTH", "UNAUTHORIZED", "INVALID PASSWORD")
_LEAST_MAJOR = 7  # older servers do not take the first line of our scripts


async def look_at_store(store: StoreCheck, clock: Clock, name: str, settings: Settings) -> list[Finding]:
    """What is to be said of the store; `name` makes the key of the trial our own."""
    times_ms = list[int]()
    try:
        for _ in range(_PINGS):
            before_ms = clock.now_ms()
            await store.ping()
            times_ms.append(clock.now_ms() - before_ms)
    except StoreError as error:
        return [failed(CHECK, str(error), _way_out(str(error), settings))]
    try:
        await store.try_script(f"baton:doctor:{name}")
    except StoreError as error:
        who = "user, and a primary server," if settings.resp_url else "token"
        way_out = f"use the {who} that may write and run scripts, not the read-only one"
        return [failed(CHECK, f"it answers, and refuses a script that writes: {error}", way_out)]
    about = await store.about()
    found = [_speed(sorted(times_ms)[_PINGS // 2], about, settings), _memory(about.get("maxmemory_policy", ""))]
    if settings.resp_url.startswith("redis://") and not is_loopback(settings.resp_url):
        found.append(warning(CHECK, "redis:// is not encrypted", "use rediss:// unless the network is yours alone"))
    return found


def _way_out(error: str, settings: Settings) -> str:
    not_let_in = any(word in error.upper() for word in _NOT_LET_IN)
    if settings.resp_url and not_let_in:
        return "set user and password of this server in REDIS_URL"
    if settings.resp_url:
        return "check REDIS_URL (rediss:// where it speaks TLS), and that this machine may reach its port"
    if not_let_in:
        return "set UPSTASH_REDIS_REST_TOKEN to the REST token of this database"
    address = "the REST address; a redis:// one belongs into REDIS_URL"
    return f"check UPSTASH_REDIS_REST_URL ({address}), and that the database is there"


def _speed(median_ms: int, about: Mapping[str, str], settings: Settings) -> Finding:
    version = about.get("valkey_version") or about.get("redis_version", "")
    cluster = ", a cluster" if about.get("redis_mode") == "cluster" else ""
    known = f", version {version}{cluster}" if version else ""
    over = "RESP" if settings.resp_url else "REST"
    text = f"answers within {median_ms} ms, runs scripts{known}, over {over} at {settings.store_place}"
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _LEAST_MAJOR:
        return failed(CHECK, text, f"use Valkey, or Redis of version {_LEAST_MAJOR} or later")
    if median_ms > _SLOW_MS:
        return warning(CHECK, text, "if the functions run here: put them and the database into one region")
    return ok(CHECK, text)


def _memory(policy: str) -> Finding:
    if not policy:
        return note(CHECK, "it does not report whether it evicts data", "see that Eviction is off in its console")
    if policy != _KEEPS:
        return failed(CHECK, f"when it is full it forgets data ({policy}), jobs among them", "turn eviction off")
    return ok(CHECK, "forgets nothing by itself (noeviction)")
