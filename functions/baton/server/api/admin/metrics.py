"""The deployment's counters as Prometheus reads them (text format 0.0.4): names, help and labels of every metric.

Pure, and the one place that names metrics; docs/operations.md lists them, and a test holds it to that. Invariant: a
metric is there from the first scrape on, with 0 if nothing was counted yet and its labels are known in advance.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from baton.engine import effects
from baton.engine.all_jobs.ends import DURATION_BOUNDS_SECONDS, AgentCounters
from baton.engine.all_jobs.scores import SCORES, SCORES_MICRO
from baton.engine.all_jobs.tool_use import ToolCounters
from baton.engine.transitions import END_STATUSES
from baton.store.records.all_jobs import AdmissionState
from baton.worker.runtime.metering import OVERHEAD

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHECKPOINT_STATUSES = ("recorded", "pending", "approved", "rejected", "expired")


@dataclass(frozen=True, slots=True)
class Measured:
    """The data of one scrape.

    `sums`: the counters, by name. `tools`: how tools are used. `ends`: sums over ended jobs, by agent. `admission`:
    its state. waiting: live jobs that neither run nor are in line. `pending_approvals`: decisions that wait for a
    person now. `operations`: those that wait for their outcome. `dead_messages`: messages that the queue has given up
    on; None: the queue does not report them.
    """

    sums: Mapping[str, int] = field(default_factory=dict[str, int])
    tools: Sequence[ToolCounters] = ()
    ends: Mapping[str, AgentCounters] = field(default_factory=dict[str, AgentCounters])
    admission: AdmissionState = field(default_factory=lambda: AdmissionState(0, 0, 0))
    waiting: int = 0
    pending_approvals: int = 0
    operations: int = 0
    dead_messages: int | None = None


def exposition(measured: Measured) -> bytes:
    return generate_latest(_Families(measured))


@dataclass(frozen=True, slots=True)
class _Families:
    measured: Measured

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of one scrape; the library fixes this method's name."""
        yield from _jobs(self.measured.ends)
        yield from _checkpoints(self.measured)
        yield from _worker(self.measured)
        yield from _models(self.measured)
        yield _scores(self.measured.sums)
        yield from _tools(self.measured)
        yield from _operations(self.measured)
        for name, (text, counter, units) in _OVERHEAD.items():
            much = self.measured.sums.get(f"{OVERHEAD}:{counter}", 0) / units
            yield CounterMetricFamily(f"agent_overhead_{name}", text, value=much)


def _checkpoints(measured: Measured) -> Iterator[Metric]:
    known: list[list[str]] = [["info", "recorded"], *(["approval", status] for status in CHECKPOINT_STATUSES[1:])]
    yield _counter("agent_checkpoints", "Checkpoints by type and status", ["type", "status"], measured, known)
    yield GaugeMetricFamily(
        "agent_checkpoints_pending", "Approvals that a person has to decide on", measured.pending_approvals
    )


def _jobs(ends: Mapping[str, AgentCounters]) -> Iterator[Metric]:
    total = CounterMetricFamily("agent_jobs", "Ended jobs by status", labels=["job_type", "status"])
    took = HistogramMetricFamily("agent_jobs_duration_seconds", "From first turn to end", labels=["job_type"])
    tokens = CounterMetricFamily("agent_tokens", "Tokens of ended jobs", labels=["job_type", "direction"])
    cost = CounterMetricFamily("agent_cost_usd", "Model cost of ended jobs, in US dollars", labels=["job_type"])
    for agent, sums in sorted(ends.items()):
        for status in sorted(END_STATUSES):
            total.add_metric([agent, status], getattr(sums, status))
        counts = itertools.accumulate(sums.durations)
        bounds = (*map(str, DURATION_BOUNDS_SECONDS), "+Inf")
        took.add_metric([agent], list(zip(bounds, counts, strict=True)), sums.duration_ms / 1000)
        tokens.add_metric([agent, "input"], sums.input_tokens)
        tokens.add_metric([agent, "output"], sums.output_tokens)
        cost.add_metric([agent], sums.micro_usd / 1_000_000)
    yield from (total, took, tokens, cost)


def _worker(measured: Measured) -> Iterator[Metric]:
    admission = measured.admission
    gauges = {
        "active_jobs": ("Jobs that hold a slot", admission.active),
        "pending_jobs": ("Jobs in line for a slot", admission.pending),
        "waiting_jobs": (
            "Jobs that wait for a person, an operation, a timer or a child, without a slot",
            measured.waiting,
        ),
        "max_concurrent_jobs": ("Slots (MAX_CONCURRENT_JOBS)", admission.slots),
        "running": ("1 while jobs start, 0 while that is stopped", int(not admission.stopped_ms)),
        "last_sweep_timestamp_seconds": ("Time of the last sweep; 0: never", admission.swept_ms / 1000),
    }
    for name, (text, value) in gauges.items():
        yield GaugeMetricFamily(f"agent_worker_{name}", text, value)
    yield _plain("agent_sweeps", "Finished sweeps", measured, effects.SWEPT_PAGES)
    yield _plain(
        "agent_sweep_driven_events",
        "Events that a sweep replayed after a minute without progress",
        measured,
        effects.REPLAYED,
    )
    yield _plain("agent_list_gaps", "Writes of a job into the lists of jobs that failed", measured, effects.LIST_GAPS)
    sealed = "Deliveries and requests that met a text whose key was not there, or that did not open"
    yield _plain("baton_payloads_unreadable", sealed, measured, effects.PAYLOADS_UNREADABLE)
    gone = "Reads of large payloads that are not in the object store, or are not what was written"
    yield _counter("baton_payloads_gone", gone, ["what"], measured, [["missing"], ["damaged"]])


def _models(measured: Measured) -> Iterator[Metric]:
    yield _counter("agent_model_failures", "Model calls that failed", ["job_type", "type"], measured)
    waits = "Model calls that waited for a budget's next period"
    yield _plain("baton_budget_waits", waits, measured, effects.BUDGET_WAITS)
    refusals = "Model calls that a budget refused: their jobs failed, or asked for more"
    yield _plain("baton_budget_refusals", refusals, measured, effects.BUDGET_REFUSALS)


def _scores(sums: Mapping[str, int]) -> Metric:
    family = SummaryMetricFamily("agent_scores", "Scores of jobs, by agent and name", labels=["job_type", "name"])
    for counter, number in sorted(sums.items()):
        kind, _, labels = counter.partition(":")
        if kind == SCORES:
            micro = sums.get(f"{SCORES_MICRO}:{labels}", 0)
            family.add_metric(labels.split(":", 1), count_value=number, sum_value=micro / 1_000_000)
    return family


def _tools(measured: Measured) -> Iterator[Metric]:
    calls = CounterMetricFamily("agent_tool_calls", "Attempts of tool calls", labels=["tool", "outcome"])
    durations = SummaryMetricFamily("agent_tool_duration_seconds", "How long attempts took", labels=["tool"])
    for used in measured.tools:
        calls.add_metric([used.tool, "returned"], used.calls - used.failures)
        calls.add_metric([used.tool, "failed"], used.failures)
        for quantile, duration_ms in (("0.5", used.p50_ms), ("0.95", used.p95_ms)):
            labels = {"tool": used.tool, "quantile": quantile}
            durations.add_sample("agent_tool_duration_seconds", labels, duration_ms / 1000)
        durations.add_sample("agent_tool_duration_seconds_count", {"tool": used.tool}, used.calls)
    yield calls
    yield durations
    yield _counter("agent_tool_hung_calls", "Tool calls that ran on after their time limit", ["tool"], measured)


def _operations(measured: Measured) -> Iterator[Metric]:
    yield _counter(
        "agent_operation_completions", "Outcomes of operations, by their way in", ["way", "heeded"], measured
    )
    yield _counter("agent_undelivered_messages", "Messages that the queue gave up on, by event", ["event"], measured)
    yield GaugeMetricFamily("agent_operations_pending", "Operations that wait for their outcome", measured.operations)
    if measured.dead_messages is not None:
        yield GaugeMetricFamily(
            "agent_queue_dead_messages",
            "Messages in the queue's dead letter queue (100: as many or more)",
            measured.dead_messages,
        )


# Overhead that belongs to no job (docs/ledger.md): the metric → its help, the counter, and the divisor of its unit.
_OVERHEAD = {
    "messages": ("Messages of the queue that are no job's", "messages", 1),
    "deliveries": ("Delivery attempts without a commit of a job", "deliveries", 1),
    "redis_requests": ("Asks of the store that are no job's", "requests", 1),
    "redis_shared_requests": ("Asks of the store that shared an HTTP request with others", "shared", 1),
    "redis_commands": ("Commands of the store that are no job's", "commands", 1),
    "redis_bytes": ("Bytes to and from the store that are no job's", "size_bytes", 1),
    "function_seconds": ("Time of functions that is no job's", "function_ms", 1_000),
    "function_gb_seconds": ("Time of functions that is no job's, times their memory", "mb_ms", 1_024_000),
}


_NAMED = {
    "agent_checkpoints": effects.CHECKPOINTS,
    "agent_model_failures": effects.MODEL_FAILURES,
    "agent_operation_completions": effects.COMPLETIONS,
    "agent_tool_hung_calls": effects.HUNG_TOOLS,
    "agent_undelivered_messages": effects.UNDELIVERED,
    "baton_payloads_gone": effects.PAYLOADS_GONE,
}


def _counter(
    name: str, text: str, labels: Sequence[str], measured: Measured, known: Iterable[Sequence[str]] = ()
) -> Metric:
    """Make a counter whose sums differ by labels; sums of another form (a newer version's) are left out."""
    found: dict[tuple[str, ...], int] = {tuple(values): 0 for values in known}
    for counter, much in measured.sums.items():
        kind, *values = counter.split(":", len(labels))
        if kind == _NAMED[name] and len(values) == len(labels):
            found[tuple(values)] = much
    family = CounterMetricFamily(name, text, labels=labels)
    for labelled in sorted(found):
        family.add_metric(labelled, found[labelled])
    return family


def _plain(name: str, text: str, measured: Measured, counter: str) -> Metric:
    return CounterMetricFamily(name, text, value=measured.sums.get(counter, 0))
