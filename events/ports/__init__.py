"""What the product needs of the outside world: protocols declared here, implemented in adapters.

Each method says what it promises under repetition: every call may be made twice, since clients repeat.
"""

from events.ports.admission import Admission, AdmissionState, Heard, Operating, Started, SweepTurn, Told
from events.ports.alerts import Alerts, Notice
from events.ports.archive import Archive, Recalled, Removed, Tombstone, Untold
from events.ports.audit_log import AuditEntry, AuditLog
from events.ports.claims import Begun, Claim, Committed, History, Verdict
from events.ports.environment import Clock, Randomness, Verifier
from events.ports.facts import (
    Carried,
    Created,
    Heeded,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    Recorded,
    Undelivered,
)
from events.ports.figures import Figures
from events.ports.kept_events import KeptEvents
from events.ports.key_book import KeyBook, StoredKey
from events.ports.listing import Listing, Scanned
from events.ports.memory import LongTermMemory, MemoryEntry, MemoryHit, SessionMemory
from events.ports.model_cache import ModelCache
from events.ports.operation_stream import OperationStream, StreamEntry
from events.ports.queue import Flow, Outgoing, Queue
from events.ports.queue_records import (
    DeadLetter,
    DeadLetters,
    LogEntry,
    LogPage,
    QueuedMessage,
    QueueRecords,
)
from events.ports.rate_limit import RateLimit
from events.ports.reader import Reader, Snapshot, StoredParts
from events.ports.schedules import QueueSchedule, Schedules
from events.ports.spending import Meter, Spent, charge, give_back, is_metered, metered, share, take, write
from events.ports.store import Store
from events.ports.store_check import StoreCheck
from events.ports.stored_bytes import StoredBytes
from events.ports.tool_statistics import ToolStatistics
from events.ports.tracer import Span, Tracer

__all__ = [
    "Admission",
    "AdmissionState",
    "Alerts",
    "Archive",
    "AuditEntry",
    "AuditLog",
    "Begun",
    "Carried",
    "Claim",
    "Clock",
    "Committed",
    "Created",
    "DeadLetter",
    "DeadLetters",
    "Figures",
    "Flow",
    "Heard",
    "Heeded",
    "History",
    "KeptEvents",
    "KeyBook",
    "Listing",
    "Loaded",
    "LogEntry",
    "LogPage",
    "LongTermMemory",
    "Looked",
    "MemoryEntry",
    "MemoryHit",
    "Meter",
    "ModelCache",
    "Notice",
    "Operating",
    "OperationStream",
    "Outgoing",
    "Outside",
    "OutsideFact",
    "Queue",
    "QueueRecords",
    "QueueSchedule",
    "QueuedMessage",
    "Randomness",
    "RateLimit",
    "Reader",
    "Recalled",
    "Recorded",
    "Removed",
    "Scanned",
    "Schedules",
    "SessionMemory",
    "Snapshot",
    "Span",
    "Spent",
    "Started",
    "Store",
    "StoreCheck",
    "StoredBytes",
    "StoredKey",
    "StoredParts",
    "StreamEntry",
    "SweepTurn",
    "Told",
    "Tombstone",
    "ToolStatistics",
    "Tracer",
    "Undelivered",
    "Untold",
    "Verdict",
    "Verifier",
    "charge",
    "give_back",
    "is_metered",
    "metered",
    "share",
    "take",
    "write",
]
