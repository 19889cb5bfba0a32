"""The product's numbers that the simulated world needs, read once: no other file of the simulation repeats them.

Invariant: they are those of the product as it is, also while a defect is planted, since they are read when this file is
imported. What a deployment sets has the default of the settings.
"""

from baton.engine.all_jobs.slots import KEEP_SLOT_MS, STALLED_AFTER_MS
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.sdk.records.limits import Limits
from baton.settings.limits import TASK_BYTES
from baton.settings.settings import Settings
from baton.worker.recovery.outage import CHECKS_EVERY_MS
from baton.worker.runtime.policy import LEASE_MARGIN_MS, LEASE_MS
from baton_local.qstash.core import limits as queue_limits
from baton_local.qstash.core.schedules import parse_cron
from baton_local.setup.wanted import EVERY_HOUR

_SETTINGS, _QUEUE = Settings(), queue_limits.Limits()
_HOUR_MS = 3_600_000

# A request of a function to the store or the queue that has no answer by then is given up.
STORE_TIMEOUT_SECONDS = float(_SETTINGS.store_timeout_seconds)
QUEUE_TIMEOUT_SECONDS = float(_SETTINGS.queue_timeout_seconds)
MESSAGE_RETRY_DELAY_SECONDS = _SETTINGS.message_retry_delay_ms / 1000
# The longest delay of the queue's smallest plan, which is what the product goes by; its bounds are those of any plan.
LONGEST_DELAY_SECONDS = float(_SETTINGS.message_max_delay_seconds)
DEDUPLICATION_SECONDS = _QUEUE.dedup_window_ms / 1000
# What the API takes of a submission, without what is said beside its input.
LARGEST_INPUT_BYTES = TASK_BYTES - 10_000
LEASE_SECONDS, LEASE_MARGIN_SECONDS = LEASE_MS / 1000, LEASE_MARGIN_MS / 1000
# After an outage: somebody looks whether the store is back, and what is without progress then is replayed.
BACK_SECONDS = (CHECKS_EVERY_MS + STALLED_AFTER_MS) / 1000
SWEEP_INTERVAL_MS = _SETTINGS.sweep_interval_seconds * 1000
KEEP_SLOT_SECONDS = KEEP_SLOT_MS / 1000
# How often in a row the queue gives up on an event before its job fails
# (decisions/0009-failures-are-recorded: a budget measured in progress).
DELIVERY_BUDGET = UNDELIVERED_BUDGET
USUAL_LIMITS = Limits()
# So many calls may hang in a process before it is replaced.
USUAL_MOST_HUNG = _SETTINGS.hung_tools_limit
USUAL_PROMPT_LIMIT_BYTES = _SETTINGS.prompt_limit_bytes


def _interval_seconds(cron: str) -> float:
    first_ms = parse_cron(cron).next_after_ms(_HOUR_MS) or 0
    second_ms = parse_cron(cron).next_after_ms(first_ms) or 0
    return (second_ms - first_ms) / 1000


# How often the scheduled sweep looks at everything.
BACKSTOP_SECONDS = _interval_seconds(EVERY_HOUR)
