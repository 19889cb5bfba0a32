"""The stored form of records, which a submission carries, too: compact JSON.

Unknown fields of a newer version are ignored on reading. A record with a newer meaning (`STATE_VERSION`), or one that
cannot be read, is left to the newer version.

Payloads of a record (`_PAYLOADS`) are sealed as one field, its first; all else stays plain, and no script looks into
payloads. Invariant: what cannot be opened here stays in the record's `sealed`, and is written as it was; whoever needs
it asks `require_readable` first.
"""

import json
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec import DecodeError, Struct, convert
from msgspec.json import Decoder, Encoder, decode
from msgspec.structs import replace
from pydantic_core import to_jsonable_python

from baton.engine.all_jobs.ends import AgentCounters
from baton.engine.all_jobs.scores import Score
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Tombstone
from baton.engine.state import STATE_VERSION, CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton_events.errors import NewerVersionError, UnreadablePayloadError

_T = TypeVar("_T")

encode = Encoder(enc_hook=to_jsonable_python).encode
# Not strict: a script may write a whole number as `1e+14`.
_JOB = Decoder(Job, strict=False)
_ITEM = Decoder(WorkItem, strict=False)
_CALL = Decoder(CallRecord, strict=False)
_USAGE = Decoder(Usage, strict=False)
_SPEND = Decoder(Spend, strict=False)
_SLOT_STATE = Decoder(SlotState, strict=False)
_COUNTERS = Decoder(AgentCounters, strict=False)
_SCORE = Decoder(Score)
_TOMBSTONE = Decoder(Tombstone)
# The payloads of each record: texts of users, tools, handlers and models, and digests of them; and what stands there
# while they are sealed.
_PAYLOADS: Mapping[type[Struct], dict[str, Any]] = {
    Job: {"best_answer": "", "result": None, "error": None, "request_digest": "", "scripts": ()},
    CallRecord: {"arguments": {}, "error": None, "approved": "", "memo": {}, "printed": ()},
    WorkItem: {"timeout_result": "", "memo": {}},
    Score: {"comment": ""},
}
_HEAD = '{"sealed":"'
_SEALED = "sealed:"
RECORD = "record"


class Texts(Protocol):
    """Seals and opens the texts of one tree. `seals`: whether new texts are sealed."""

    seals: bool

    def seal(self, text: str, kind: Any = ...) -> str:
        """Return a text as it is kept."""
        ...

    def unsealed(self, text: str, kind: Any = ...) -> str:
        """Return the text that is kept so. Raises UnreadablePayloadError."""
        ...

    def opened(self, text: str) -> str:
        """Return the text that is kept so; where it cannot be opened, as it is."""
        ...


def require_readable(*records: Any) -> None:
    """Refuse records with payloads that could not be opened. Raises UnreadablePayloadError: one of them has such."""
    for record in records:
        if record is not None and record.sealed:
            raise UnreadablePayloadError(key_of(record.sealed))


def require_open(*texts: str) -> None:
    """Refuse texts of a tree that could not be opened: in clear, each is JSON.

    Raises UnreadablePayloadError: one was not.
    """
    for text in texts:
        if text.startswith(_SEALED):
            raise UnreadablePayloadError(key_of(text))


def is_open(text: str) -> bool:
    """Return whether a text of a tree is in clear."""
    return not text.startswith(_SEALED)


def key_of(sealed: str) -> str:
    """Return the id of the key by which a text is sealed."""
    return sealed.split(":", 2)[1]


def _opened(text: str, texts: Texts | None) -> str:
    """Return a record's text with its payloads in clear, as far as they can be opened."""
    if texts is None or not text.startswith(_HEAD):
        return text
    sealed, _, rest = text[len(_HEAD) :].partition('",')
    try:
        opened = [texts.unsealed(each, RECORD) for each in sealed.split(",")]
    except UnreadablePayloadError:
        return text
    return f"{{{rest[:-1]},{','.join(each[1:-1] for each in opened)}}}"


def read_record(decoder: Decoder[_T], text: str, texts: Texts | None = None) -> _T:
    """Read a record from JSON text. Raises NewerVersionError: this version cannot read it."""
    try:
        return decoder.decode(_opened(text, texts))
    except DecodeError as error:
        raise NewerVersionError(
            f"a stored {decoder.type.__name__} cannot be read by this version ({error}): a newer one wrote it, or it is"
            " damaged"
        ) from error


def known(job: Job) -> Job:
    """Return a job that was read. Raises NewerVersionError: a newer version of this code wrote it."""
    if job.version > STATE_VERSION:
        raise NewerVersionError(
            f"the state of job {job.id!r} has version {job.version}, this code reads {STATE_VERSION}: its messages"
            " come again until an instance of the newer version takes them"
        )
    return job


def dump(record: Any, texts: Texts | None = None) -> str:
    """Return a record as JSON text; `texts` seals its payloads."""
    plain = _PAYLOADS.get(type(record)) if texts is not None else None
    if texts is None or plain is None or not (texts.seals or record.sealed):
        return encode(record).decode()
    hidden = plain if texts.seals else {}
    payloads = {name: value for name, none in hidden.items() if (value := getattr(record, name)) != none}
    if not payloads and not record.sealed:
        return encode(record).decode()
    sealed = [record.sealed] if record.sealed else []
    if payloads:
        sealed.append(texts.seal(encode(payloads).decode(), RECORD))
    rest = encode(replace(record, **{name: plain[name] for name in payloads}, sealed="")).decode()
    return f'{_HEAD}{",".join(sealed)}",{rest[1:]}'


def load_job(text: str, texts: Texts | None = None) -> Job:
    """Load a job's state from JSON text. Raises NewerVersionError: a newer version of this code wrote it."""
    return known(read_record(_JOB, text, texts))


def job_from(values: dict[str, Any]) -> Job:
    """Convert a job's state from decoded JSON, as a submission carries it.

    Raises NewerVersionError: a newer version of this code wrote it. msgspec.ValidationError: it is no job's state.
    """
    return known(convert(values, Job, strict=False))


def job_values(job: Job) -> dict[str, Any]:
    """Return a job's state as plain JSON values."""
    values: dict[str, Any] = decode(encode(job))
    return values


# Each loads a record from JSON text; `texts` opens what is sealed of it.
load_item, load_call, load_score = (
    partial(read_record, _ITEM),
    partial(read_record, _CALL),
    partial(read_record, _SCORE),
)
load_slot_state, load_counters = partial(read_record, _SLOT_STATE), partial(read_record, _COUNTERS)
load_usage = partial(read_record, _USAGE)


def load_tombstone(text: str | None) -> Tombstone | None:
    """Load the record of a tree whose data is gone from JSON text."""
    return read_record(_TOMBSTONE, text) if text else None


def load_spend(text: str) -> Spend:
    """Load the usage of the jobs below one from JSON text; empty: none."""
    return read_record(_SPEND, text) if text else NOTHING_SPENT


def load_results(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Load stored results, by call id."""
    return dict(zip(texts, load_values(texts.values()), strict=True))


def load_values(texts: Collection[str]) -> list[Any]:
    """Load the values of JSON texts, read as one text: a turn's history has many.

    Raises ValueError: one of them is not the JSON of one value.
    """
    together = f"[{','.join(texts)}]"
    try:
        values: list[Any] = decode(together)
    except ValueError:  # numbers that it does not read, or no JSON: `json` has the better message
        values = json.loads(together)
    if len(values) != len(texts):
        raise ValueError(f"{len(texts)} JSON texts have {len(values)} values: the stored data is damaged")
    return values
