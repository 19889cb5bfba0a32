"""Dead letters: messages that failed for good, with the last response (qstash.md 13).

Invariant: an entry keeps the original message, so a retry sends what the caller published, not what is shown.
"""

from dataclasses import dataclass

from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.message import Message


@dataclass(frozen=True, slots=True)
class DlqEntry:
    """One dead letter; `seq` orders entries by the time of failure."""

    seq: int
    id: str
    message: Message
    failed_at_ms: int
    result: AttemptResult
