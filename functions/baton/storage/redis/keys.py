"""The names of all Redis keys. All keys of a job tree share the hash tag of its root, so no script touches two tags."""

from baton.engine.state import Job
from baton_events.ids import digest, root_of

# The semaphore of slots (lua/members.lua). Hash: how many hold one and ask for one, since when nobody is given any,
# when a sweep is armed; of each job and each tenant a record.
SLOTS = "baton:{admission}:slots"
# Sorted sets, in the order in which the script has them.
SLOT_INDEXES = tuple(f"{SLOTS}:{name}" for name in ("names", "holders", "out", "untaken", "queues", "lines", "flows"))
SLOT_NAMES, SLOT_HOLDERS, SLOT_OUT, _, SLOT_QUEUES, _, _ = SLOT_INDEXES
# What versions before kept of the admission: entries of jobs; since when nobody is admitted; and what tells that there
# was one.
SLOTS_BEFORE = tuple(f"baton:{{admission}}:{name}" for name in ("book", "gone", "jobs"))
STOPPED_BEFORE, FLAGS_BEFORE = "baton:{admission}:stopped", "baton:{admission}:flags"
TRACES_BEFORE = (*SLOTS_BEFORE, FLAGS_BEFORE, "baton:{admission}:sweep")
ALL_BEFORE = (
    *TRACES_BEFORE,
    STOPPED_BEFORE,
    *(
        f"baton:{{admission}}:{name}"
        for name in ("swept", "names", "holders", "ended", "lines", "tenants", "ranks", "held", "sessions", "untold")
    ),
)
# String: instances of a version before may still run; it expires.
BESIDE_BEFORE = "baton:{admission}:beside"
# String: a sweep was asked for; it expires, and then another one may be asked for.
ADMISSION_ASKED = "baton:{admission}:asked"
# Sorted set: rows of jobs that versions before wrote; it is read, and only ever gets smaller.
ADMISSION_LISTING = "baton:{admission}:listing"
# Hash: agent → what its ended jobs add up to (engine/all_jobs/ends.py).
ADMISSION_ENDS = "baton:{admission}:ends"
# Hash: month and tenant → what the jobs have used that ended in it (engine/all_jobs/ends.py).
ADMISSION_USED = "baton:{admission}:used"
# Hash: day → what jobs have used that ended on it, and `agent:` with an agent → its versions (engine/all_jobs/days.py).
ADMISSION_DAYS = "baton:{admission}:days"
# List: ends that are in none of them yet.
ADMISSION_UNCOUNTED = "baton:{admission}:uncounted"
# Hash: what is counted → how often; a tag of its own.
TOOL_USE = "baton:{tools}:use"
# Hash: what is counted → how much; a tag of its own.
COUNTERS = "baton:{figures}:sums"
# Hash: digest → record; `used:` and digest → day.
API_KEYS = "baton:{keys}:api"
# Stream: what operators did.
AUDIT = "baton:{audit}:log"
# Stream: outcomes that cannot be taken in. Those that others add come by OPERATIONS_STREAM_NAME.
OPERATIONS_DEAD = "operations:dead"
# Sorted set: operations that wait, by the time until which they do.
OPERATIONS_EXPECTED = "baton:{operations}:expected"


def stored_bytes_key(tenant: str) -> str:
    """Hash: until when → how many bytes jobs of the tenant have stored (engine/commit/stored_bytes.py); it expires."""
    return f"baton:{{admission}}:stored:{tenant}"


def first_value_key(name: str) -> str:
    """String: the value that was given first under this name; it expires."""
    return f"baton:token:{digest(name)}"


def list_key(name: str) -> str:
    """Sorted set: rows of jobs, or what shelves there are (engine/all_jobs/job_list.py); no hash tag, no script."""
    return f"baton:list:{name}"


def state_key(job_id: str) -> str:
    """Hash: jobs, usage and open work items of a whole tree."""
    return f"baton:{{{root_of(job_id)}}}:state"


RESULT = "result:"


def calls_key(job_id: str) -> str:
    """Hash: call id → record, and `result:` with a call id → stored result."""
    return f"baton:{{{root_of(job_id)}}}:calls:{job_id}"


def results_key(job_id: str) -> str:
    """Hash: call id → stored result, of a job of state version 1."""
    return f"baton:{{{root_of(job_id)}}}:results:{job_id}"


def results_of(job: Job) -> tuple[str, str]:
    """Where a job's results are: a hash, and what their fields begin with."""
    return (calls_key(job.id), RESULT) if job.is_compact else (results_key(job.id), "")


def transcript_key(job_id: str) -> str:
    """List: what was asked and said, only appended to."""
    return f"baton:{{{root_of(job_id)}}}:transcript:{job_id}"


def parts_key(job_id: str) -> str:
    """Stream, of a job before state version 4 a list: the job's parts, numbered from 1.

    An entry has the parts of one write; its id is the job's creation time and the number of the last of them.
    """
    return f"baton:{{{root_of(job_id)}}}:parts:{job_id}"


def part_count(job_id: str) -> str:
    """The field of the state that has how many parts a job's stream was given."""
    return f"parts:{job_id}"


def score_prefix(job_id: str) -> str:
    """What the fields of the state begin with that have a job's scores; a score's name follows."""
    return f"score:{job_id}:"


def tombstone_key(job_id: str) -> str:
    """String: what is kept of a tree when its data is gone; it expires."""
    return f"baton:{{{root_of(job_id)}}}:tombstone"


def alert_key(name: str) -> str:
    """String: it was reported; it expires. No hash tag: no script touches it."""
    return f"baton:alert:{name}"


def model_cache_key(tenant: str, key: str) -> str:
    """String: a model's answer; it expires. No hash tag: no script touches it."""
    return f"baton:model-cache:{tenant}:{key}"


def session_memory_key(tenant: str, session_id: str) -> str:
    """Hash: the session's newest memory entries. A session's id is any text, so its digest makes the tag."""
    return f"baton:{{memory:{digest(tenant, session_id)[:24]}}}:recent"


def sessions_key(tenant: str) -> str:
    """Sorted set: sessions that were created, by when they were last used; it expires. No hash tag: no script."""
    return f"baton:sessions:{tenant}"


def files_key(tenant: str, session_id: str, name: str = "") -> str:
    """Set: the names of a session's files. With a name, hash: `pieces`, and each piece. Both expire; no hash tag."""
    place = f"baton:files:{digest(tenant, session_id)[:24]}"
    return f"{place}:{name}" if name else place


def kept_events_key(tenant: str) -> str:
    """Hash: job → how many events are kept for it; it expires. No hash tag: no script touches it."""
    return f"baton:kept-events:{tenant}"


def rate_limit_key(name: str) -> str:
    """Hash: the tokens of somebody who asks; it expires. One key a script, so it needs no tag."""
    return f"baton:rate:{name}"


def app_event_key(event_id: str) -> str:
    """Hash: an app event, its handlers and notes; it expires. No hash tag: no script touches it."""
    return f"baton:app-event:{event_id}"


def app_event_waits_key(name: str) -> str:
    """Sorted set: calls that wait for app events known as `name`, by the time until which they do; it expires."""
    return f"baton:{{app-event:{name}}}:waits"


def app_event_kept_key(name: str) -> str:
    """String: the data of the first app event known as `name`, for waits that begin later; it expires."""
    return f"baton:{{app-event:{name}}}:kept"


def app_event_list_key(name: str) -> str:
    """List: what joined the batch of this name, in the order of arrival; it expires."""
    return f"baton:app-event:{name}:list"


def app_event_newest_key(name: str) -> str:
    """Sorted set of one: the number of the newest app event known as `name`, where only that counts; it expires."""
    return f"baton:{{app-event:{name}}}:newest"


def call_moments_key(key: str) -> str:
    """Sorted set: calls that have a limit in common, by when they may begin, and `next` and `paused`; it expires."""
    return f"baton:call-limit:{digest(key)}:moments"


def call_places_keys(key: str) -> tuple[str, ...]:
    """The semaphore of calls that may not run at once, in the order in which the script has its keys."""
    start = f"baton:{{call-limit:{digest(key)}}}:places"
    return (start, *(name.replace(SLOTS, start) for name in SLOT_INDEXES))
