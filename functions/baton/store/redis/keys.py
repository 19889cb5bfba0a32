"""The names of all Redis keys. All keys of a job tree share the hash tag of its root, so no script touches two tags."""

from functools import lru_cache

from baton_events.ids import digest, key_digest, root_of

_KNOWN_KEYS = 1024  # of jobs: a step names each key of its job several times

# The semaphore of slots (lua/members.lua). Hash: how many hold one and ask for one, since when none is given, when a
# sweep is armed; of each job and each tenant a record; how many jobs a session has there; ends in no sum yet.
SLOTS = "baton:{admission}:slots"
# Sorted set: what finds its members, in the order of texts, each behind the letter of its index; and the catalogue of
# shelves (engine/all_jobs/shelves.py), since a slot request adds to it without another command.
SLOT_ORDER = f"{SLOTS}:order"
SLOT_NAMES, SLOT_HOLDERS, SLOT_OUT, SLOT_QUEUES, SLOT_ENDS, SLOT_SHELVES = "nhoqes"
# Before the name of an end in that index: its field of the hash.
SLOT_END = "end:"
# String: a sweep was requested; it expires, and then another one may be requested.
ADMISSION_ASKED = "baton:{admission}:asked"
# Hash: agent → the sums of its ended jobs (engine/all_jobs/ends.py).
ADMISSION_ENDS = "baton:{admission}:ends"
# Hash: month and tenant → the usage of the jobs that ended in it (engine/all_jobs/ends.py).
ADMISSION_USED = "baton:{admission}:used"
# Hash: day → the usage of jobs that ended on it, and `agent:` with an agent → its versions (engine/all_jobs/days.py).
ADMISSION_DAYS = "baton:{admission}:days"
# Hash: a tool's count → how often.
TOOL_USE = "baton:{admission}:tools"
# Hash: a counter → its sum; a tag of its own.
COUNTERS = "baton:{figures}:sums"
# Hash: digest → record; `used:` and digest → day.
API_KEYS = "baton:{keys}:api"
# String: whether the store takes writes; it expires.
WRITABLE = "baton:writable"
# Sorted set: budgets, by their last use.
BUDGETS = "baton:{budgets}:used"
# Stream: actions of operators.
AUDIT = "baton:{audit}:log"
# Stream: outcomes that cannot be taken in. Other systems add theirs to OPERATIONS_STREAM_NAME.
OPERATIONS_DEAD = "operations:dead"
# Sorted set: operations that wait, by the time until which they do.
OPERATIONS_EXPECTED = "baton:{operations}:expected"


def stored_bytes_key(tenant: str) -> str:
    """Return the key of a hash: expiry → stored bytes of a tenant (engine/commit/stored_bytes.py); it expires."""
    return f"baton:{{admission}}:stored:{tenant}"


def schedules_key(tenant: str) -> str:
    """Return the key of a hash: schedule of a tenant → its bytes. No hash tag: no script touches it."""
    return f"baton:schedules:{tenant}"


def scheduled_jobs_key(schedule_id: str) -> str:
    """Return the key of a sorted set: the last jobs of a schedule, by when they were started; it expires."""
    return f"baton:scheduled:{schedule_id}"


def first_value_key(name: str) -> str:
    """Return the key of a string: the value that was given first under this name; it expires."""
    return f"baton:token:{digest(name)}"


def list_key(name: str) -> str:
    """Return the key of a sorted set: rows of jobs; no hash tag."""
    return f"baton:list:{name}"


@lru_cache(_KNOWN_KEYS)
def state_key(job_id: str) -> str:
    """Return the key of a hash: jobs, usage and open work items of a whole tree."""
    return f"baton:{{{root_of(job_id)}}}:state"


RESULT, ENTRY = "result:", "entry:"


@lru_cache(_KNOWN_KEYS)
def calls_key(job_id: str) -> str:
    """Return the key of a hash: call id → record; `result:` with a call id → stored result; the transcript.

    An entry of that is never changed; its field is `entry:` with its number, from 0.
    """
    return f"baton:{{{root_of(job_id)}}}:calls:{job_id}"


def is_call(name: str) -> bool:
    """Return whether this field of a job's calls is a call's record."""
    return not name.startswith((RESULT, ENTRY))


@lru_cache(_KNOWN_KEYS)
def parts_key(job_id: str) -> str:
    """Return the key of a stream: the job's parts, numbered from 1.

    An entry has the parts of one write; its id is the job's creation time and the number of the last of them.
    """
    return f"baton:{{{root_of(job_id)}}}:parts:{job_id}"


@lru_cache(_KNOWN_KEYS)
def part_count(job_id: str) -> str:
    """Return the field of the state with the number of parts of a job's stream."""
    return f"parts:{job_id}"


def score_prefix(job_id: str) -> str:
    """Return the prefix of the state's fields with a job's scores; a score's name follows."""
    return f"score:{job_id}:"


def tombstone_key(job_id: str) -> str:
    """Return the key of a string: the record of a tree whose data is gone; it expires."""
    return f"baton:{{{root_of(job_id)}}}:tombstone"


def alert_key(name: str) -> str:
    """Return the key of a string: a mark that the alert was sent; it expires. No hash tag: no script touches it."""
    return f"baton:alert:{name}"


def model_cache_key(tenant: str, key: str) -> str:
    """Return the key of a string: a model's answer; it expires. No hash tag: no script touches it."""
    return f"baton:model-cache:{tenant}:{key}"


def session_memory_key(tenant: str, session_id: str) -> str:
    """Return the key of a hash: the session's newest memory entries. Its id is any text, so a digest makes the tag."""
    return f"baton:{{memory:{key_digest(tenant, session_id)}}}:recent"


def sessions_key(tenant: str) -> str:
    """Return the key of a sorted set: created sessions, by their last use; it expires. No hash tag: no script."""
    return f"baton:sessions:{tenant}"


def files_key(tenant: str, session_id: str, name: str = "") -> str:
    """Return the key of a set: a session's file names. With a name, of a hash: `pieces`, and each one. Both expire."""
    place = files_key_at(key_digest(tenant, session_id))
    return f"{place}:{name}" if name else place


def files_key_at(session: str) -> str:
    """Return the same of a session by its digest, which is the end of its place in an object store, too."""
    return f"baton:files:{session}"


def pruned_files_key(of_session: str) -> str:
    """Return the key of a string: somebody deletes the objects of a session without files; it expires."""
    return f"{of_session}:pruned"


def kept_events_key(tenant: str) -> str:
    """Return the key of a hash: job → number of events kept for it; it expires. No hash tag: no script touches it."""
    return f"baton:kept-events:{tenant}"


def rate_limit_key(name: str) -> str:
    """Return the key of a hash: the tokens of a caller; it expires. One key a script, so it needs no tag."""
    return f"baton:rate:{name}"


def app_event_key(event_id: str) -> str:
    """Return the key of a hash: an app event, its handlers and notes; it expires. No hash tag: no script touches it."""
    return f"baton:app-event:{event_id}"


def subject_events_key(subject: str) -> str:
    """Return the key of a set: the app events that have data of a person, by their digest; it expires."""
    return f"baton:subject:{subject}:events"


def subject_erased_key(subject: str) -> str:
    """Return the key of a string: when the data of a person, by their digest, was erased last; it expires."""
    return f"baton:subject:{subject}:erased"


def app_event_waits_key(name: str) -> str:
    """Return the key of a sorted set: calls that wait for app events known as `name`, by their end; it expires."""
    return f"baton:{{app-event:{name}}}:waits"


def app_event_kept_key(name: str) -> str:
    """Return the key of a string: the data of the first app event known as `name`, for later waits; it expires."""
    return f"baton:{{app-event:{name}}}:kept"


def app_event_list_key(name: str) -> str:
    """Return the key of a list: the entries of the batch of this name, in the order of arrival; it expires."""
    return f"baton:app-event:{name}:list"


def app_event_came_key(name: str) -> str:
    """Return the key of a sorted set: the numbers of app events known as `name`, by when they came; it expires."""
    return f"baton:{{app-event:{name}}}:came"


def app_event_newest_key(name: str) -> str:
    """Return the key of a sorted set of one: the number of the newest app event known as `name`; it expires."""
    return f"baton:{{app-event:{name}}}:newest"


def call_moments_key(key: str) -> str:
    """Return the key of a sorted set: calls of one limit, by when they may begin, `next` and `paused`; it expires."""
    return f"baton:call-limit:{digest(key)}:moments"


def call_places_keys(key: str) -> tuple[str, str]:
    """Return the keys of the semaphore of calls that may not run at once, in the script's order."""
    start = f"baton:{{call-limit:{digest(key)}}}:places"
    return start, f"{start}:order"


def budget_keys(key: str, per: str, unit: str) -> tuple[str, str]:
    """Return the keys of a hash and a sorted set: a budget's sums, and the events that wait for room; both expire."""
    start = f"baton:{{budgets}}:{digest(key, per, unit)}"
    return start, f"{start}:waits"
