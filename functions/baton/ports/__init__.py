"""What the product needs of the outside world: protocols declared here, implemented in adapters.

Each method says what it promises under repetition: every call may be made twice, since clients repeat.
"""

from baton.ports.admission import Admission, AdmissionControl, AdmissionState, SlotAnswer, Started, SweepTurn, Told
from baton.ports.alerts import Alerts, Notice
from baton.ports.api_key_store import ApiKeyStore, StoredKey
from baton.ports.archive import Archive, Recalled, Removed, Tombstone, Untold
from baton.ports.audit_log import AuditEntry, AuditLog
from baton.ports.claims import Claim, ClaimResult, Committed, History, Verdict
from baton.ports.counters import Counters
from baton.ports.environment import Clock, Randomness, Verifier
from baton.ports.facts import (
    Created,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    PendingItems,
    Recorded,
    SignalResult,
    Undelivered,
)
from baton.ports.kept_events import KeptEvents
from baton.ports.listing import Listing, Scanned
from baton.ports.memory import LongTermMemory, MemoryEntry, MemoryHit, SessionMemory
from baton.ports.model_cache import ModelCache
from baton.ports.operation_stream import OperationStream, StreamEntry
from baton.ports.queue_records import DeadLetter, DeadLetters, LogEntry, LogPage, QueuedMessage, QueueRecords
from baton.ports.rate_limit import RateLimit
from baton.ports.reader import Reader, Snapshot, StoredParts
from baton.ports.schedules import QueueSchedule, Schedules
from baton.ports.spending import Meter, Spent, charge, give_back, is_metered, metered, share, take, write, written
from baton.ports.store import Store
from baton.ports.store_check import StoreCheck
from baton.ports.stored_bytes import StoredBytes
from baton.ports.tool_statistics import ToolStatistics
from baton.ports.tracer import Span, Tracer
from baton_events.messages import Flow, Outgoing, Queue

__all__ = [
    "Admission",
    "AdmissionControl",
    "AdmissionState",
    "Alerts",
    "ApiKeyStore",
    "Archive",
    "AuditEntry",
    "AuditLog",
    "Claim",
    "ClaimResult",
    "Clock",
    "Committed",
    "Counters",
    "Created",
    "DeadLetter",
    "DeadLetters",
    "Flow",
    "History",
    "KeptEvents",
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
    "OperationStream",
    "Outgoing",
    "Outside",
    "OutsideFact",
    "PendingItems",
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
    "SignalResult",
    "SlotAnswer",
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
    "written",
]
