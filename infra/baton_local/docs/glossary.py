"""The words of this project: docs/glossary.md is made of this table; a test keeps the retired words out of the code.

Add a word here before you use it. A word of the field comes first; one of our own needs a reason.
"""

from typing import NamedTuple


class Term(NamedTuple):
    """A word: what it means here, in one line, and what the field calls it."""

    word: str
    meaning: str
    elsewhere: str


TERMS = (
    Term("admission", "decides which jobs may use compute now", "concurrency limiter; a leased semaphore's owner"),
    Term("API key store", "the keys that callers authenticate with, by digest", "credential store"),
    Term("app event", "an event of your own: a program publishes it by name, handlers take it", "custom event"),
    Term("backup message", "a delayed copy of an API call, published before it commits", "outbox relay of last resort"),
    Term("budget", "what calls with one key may spend in a day, a month, or ever", "spend limit, quota"),
    Term("budget scope", "a job whose limits a turn is held to: its own, or one above it", "quota scope"),
    Term("callback", "what the queue sends when it gives up on a message", "dead-letter hook"),
    Term(
        "changed code", "a workflow's code that asks for other steps than its job has recorded", "non-determinism error"
    ),
    Term("claim", "the exclusive, expiring right to work on a work item", "visibility timeout (SQS), lease"),
    Term("command", "what an API call does to a job; its backup message has it, too", "request"),
    Term("commit", "one write that removes a work item and adds what follows; the first one wins", "compare-and-set"),
    Term("continuation", "the job by which a session answers an operation's outcome", "callback turn"),
    Term("counters", "the deployment's sums, kept in Redis for Prometheus", "metrics"),
    Term("cut answer", "a model's answer that its length limit ended, so it is not whole", "truncated completion"),
    Term("dispatch", "publish a work item's event, or continue it inline", "enqueue"),
    Term("executor", "does the work that a step asks for: a model call, a tool run", "activity worker (Temporal)"),
    Term("extra usage", "what helper model calls of a turn used besides its answer", "overhead tokens"),
    Term("follow-up", "a work item that outlives its job's end: remember, send out, release", "completion hook"),
    Term("generation", "counts a job's runs: each retry begins one; `run` in code and on the wire", "attempt number"),
    Term("handler", "starts a job for each app event of a name: a function or an agent", "subscriber, consumer"),
    Term("inline continuation", "going on with the next work item in the same invocation", "local activity (Temporal)"),
    Term("invocation", "one delivery of one message, from its request to its answer", "function invocation"),
    Term("object", "a large payload in the object store, named by a record", "claim check, blob"),
    Term("offloaded call", "a model call whose request the queue sends while the job waits", "async completion"),
    Term("operation", "a call that waits for an outcome; in the background it is a job of its own", "async task"),
    Term("patch", "a named change of a workflow's code, which jobs from before it pass over", "patch, version marker"),
    Term("pending", "of a message: the work items that it still guarantees", "outbox entries"),
    Term("post-commit effects", "what is done after a commit: statistics, alerts, remembering", "after-commit hooks"),
    Term("pruning", "removing rows and keys whose time is over", "garbage collection"),
    Term("queue entry", "a live job in the slot table: whose it is, what it wants, whether it has a slot", "waiter"),
    Term("reconcile", "compare one job with the slot table; a sweep does so with all, page by page", "anti-entropy"),
    Term("redelivered", "of a work item: its message came again while somebody worked on it", "duplicate delivery"),
    Term("relay message", "the message whose missing acknowledgement guarantees a work item", "outbox relay"),
    Term("replay", "publish an event again on purpose: a sweep's, a person's", "redrive (SQS)"),
    Term("request epoch", "numbers a job's slot requests; a lower one changes nothing", "fencing token"),
    Term("runner", "runs an agent of another library, piece by piece", "framework adapter"),
    Term("script", "Python that a model writes over its tools, in code mode", "code interpreter call"),
    Term("signal", "what reaches a job from outside, that it may wait for", "signal (Temporal), event (Inngest)"),
    Term("slot", "the right of one job to use compute", "permit of a semaphore"),
    Term("slot request", "the work item by which a job asks for a slot, or gives it back", "acquire, release"),
    Term("slot state", "what a job wants of the admission, and whether it holds a slot", "semaphore state"),
    Term("slot table", "the admission's entries of all live jobs", "semaphore holders and queue"),
    Term("step result", "what a model call, a tool run or a wait ended with", "activity result"),
    Term("stretch", "what a workflow or script does between two waits; a turn that calls no model", "workflow task"),
    Term("sweep", "looks for work items that nobody works on, replays them, and reconciles jobs", "reconciler, reaper"),
    Term("text stream", "a model's answer, sent part by part while it is made", "token stream"),
    Term("timeout result", "the result of a wait whose time is up", "default value"),
    Term("usage ledger", "what a job has used of queue, store, functions and models", "metering record"),
    Term("work item", "one step of a job that must still happen, stored with its state", "task, outbox entry"),
)

# What these words have replaced: no name in the code has one. What is stored or sent keeps its name
# (functions/baton/engine/work_items.py).
RETIRED = frozenset({
    "leg", "legs", "carrier", "carriers", "wish", "wishes", "lap", "laps", "standing", "standings",
    "witness", "witnesses", "performer", "performers", "happening", "happenings", "heeded", "tending", "tidying",
    "untouchable", "aftermath", "unheeded", "redrive", "redrives", "redriven", "redrove",
})  # fmt: skip
# Words of plain English which names had in a meaning of our own: a page may have them, a name may not.
RETIRED_IN_NAMES = RETIRED | {
    "ask", "asker", "askers", "book", "booked", "books", "carried", "carries", "carry", "fact", "facts", "happened",
    "hear", "heard", "hears", "room", "said", "say", "says", "tell", "telling", "tells", "told",
    "untold", "whoever",
}  # fmt: skip
# No page has these either: data is sent, passed, recorded or returned, and people read pages in standard terms.
RETIRED_IN_PROSE = RETIRED | {
    "tell", "tells", "telling", "told", "untold", "hear", "hears", "heard", "hand on", "hands on", "handed on",
    "on in place", "key book",
}  # fmt: skip


def glossary() -> str:
    """Return a line for each word, by the alphabet; in parentheses what others call it."""
    return "\n".join(f"- **{term.word}**: {term.meaning}. ({term.elsewhere})" for term in TERMS)
