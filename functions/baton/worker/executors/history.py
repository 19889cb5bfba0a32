"""The part of a job's history that the model gets in this turn, by the agent's policy; a summary is written where due.

Invariant: a summary that fails does not fail the turn: then the oldest turns are left out, this once. Must not: record
anything; entries to record are returned (`ExtraUsage`), for the turn's COMMIT.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import History
from baton.engine.step_results import NO_EXTRA_USAGE, ExtraUsage
from baton.engine.transcript import refuse_newer
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.history import DropOldest, KeepAll, Summarize
from baton.sdk.models.model import CUT_CAUSE, Model, ModelAnswer, ModelError, ToolSpec
from baton.sdk.planning.plan import rounds_in
from baton.sdk.records.foreign_text import ForeignText
from baton.worker.conversation import fitting
from baton.worker.conversation.conversation import (
    Conversation,
    capacity_bytes,
    compacted,
    conversation_of,
    fixed_bytes,
    sent_from,
    summarized,
    tokens_of,
)
from baton.worker.conversation.fitting import fit
from baton.worker.executors.model_call import ModelCalls, step_result, usage_of, usage_of_spent
from baton_events.values.text import storable, text_of

if TYPE_CHECKING:
    from baton.worker.conversation.sent_files import Weighing

_log = logging.getLogger("baton.models")

# The summary's share of the turn's time: the answer needs the rest.
_SUMMARY_SHARE = 0.5


class Prompt(Struct, frozen=True):
    """The history to send, and its estimated tokens together with the fixed part (0: not estimated).

    `sent_from`: the first turn that is sent, and the first one of whose files all are; 0: all of them.
    """

    history: History
    estimated_tokens: int = 0
    extra_usage: ExtraUsage = NO_EXTRA_USAGE
    sent_from: tuple[int, int] = (0, 0)


async def build_prompt(
    agent: Agent,
    history: History,
    tools: tuple[ToolSpec, ...],
    calls: ModelCalls,
    writer: Callable[[], Model],
    weigh: "Weighing | None" = None,
) -> Prompt:
    """Choose the history to send.

    `agent`: the agent whose model gets it. `history`: the stored one. `tools`: sent besides, with the agent's
    instructions. `calls`: the turn's calls of models. `writer`: gives the model that writes summaries. `weigh`: gives
    what a file takes of the model's window; None: it is sent none.
    """
    policy = agent.history
    if isinstance(policy, KeepAll):
        return Prompt(_everything(history))
    fixed, extra_usage = _fixed_bytes(agent, tools), NO_EXTRA_USAGE
    sent, limit_bytes = _with_capacity(policy, history, fixed, weigh)
    conversation = conversation_of(sent)
    if isinstance(policy, Summarize):
        conversation, extra_usage = await _with_summary(policy, conversation, limit_bytes, calls, writer())
        if extra_usage.entries:
            extra_usage = replace(extra_usage, compacted=compacted(history, extra_usage.entries[0]["upTo"]))
    fitted = fit(conversation, limit_bytes, sent_from(history)[0])
    first_turn = fitted.turns[0].number if fitted.left_out and fitted.turns else 0
    prompt, size_bytes, first_with_files = fitted.history(), fitted.size_bytes + fixed, 0
    if weigh is not None:
        from baton.worker.conversation import sent_files  # noqa: PLC0415 - few models take files

        size_bytes += sent_files.files_bytes(prompt, weigh)
        first_with_files = sent_files.first_turn_with_files(sent)
    return Prompt(prompt, tokens_of(size_bytes), extra_usage, (first_turn, first_with_files))


def _with_capacity(
    policy: DropOldest | Summarize, history: History, fixed: int, weigh: "Weighing | None"
) -> tuple[History, int]:
    """Return the history without the files that have no room, and the room that is left for its texts."""
    limit_bytes = capacity_bytes(policy.max_tokens, history, fixed)
    if weigh is None:
        return history, limit_bytes
    from baton.worker.conversation import sent_files  # noqa: PLC0415 - as above

    sent = sent_files.with_files_that_fit(history, weigh, limit_bytes)
    return sent, max(0, limit_bytes - sent_files.files_bytes(sent, weigh))


def prompt_again(
    agent: Agent, history: History, tools: tuple[ToolSpec, ...], weigh: "Weighing | None" = None
) -> History:
    """Choose the history that was sent in an earlier turn, from the records up to its answer, its summary included."""
    policy = agent.history
    if isinstance(policy, KeepAll):
        return _everything(history)
    sent, limit_bytes = _with_capacity(policy, history, _fixed_bytes(agent, tools), weigh)
    return fit(conversation_of(sent), limit_bytes, sent_from(history)[0]).history()


def _fixed_bytes(agent: Agent, tools: tuple[ToolSpec, ...]) -> int:
    return fixed_bytes(agent.instructions, (*tools, agent.output.spec) if agent.output else tools)


def _everything(history: History) -> History:
    """Return the loaded history; if a policy before a deploy has compacted some of it, with the summary."""
    if history.compacted != (0, 0):
        return conversation_of(history).history()
    if "summary" not in kinds_of(history):
        return history
    entries = tuple([entry for entry in history.transcript if entry["role"] != "summary"])
    return History(entries, history.results)


def kinds_of(history: History) -> frozenset[str]:
    """Return the roles of the history's entries, and `files` where one names files of a task.

    Raises NewerEntryError: a newer version wrote one of them.
    """
    nothing: frozenset[str] = frozenset()
    return history.of_entries("kinds", nothing, _and_kinds)


def _and_kinds(known: frozenset[str], entries: Sequence[dict[str, Any]]) -> frozenset[str]:
    refuse_newer(entries)
    return known.union([entry["role"] for entry in entries], ["files" for entry in entries if "files" in entry])


async def _with_summary(
    policy: Summarize, conversation: Conversation, limit_bytes: int, calls: ModelCalls, writer: Model
) -> tuple[Conversation, ExtraUsage]:
    old = fitting.due(conversation, policy, limit_bytes)
    if not old:
        return conversation, ExtraUsage()
    request, used = fitting.request_of(conversation, old, limit_bytes), ExtraUsage()
    try:
        answer = await calls.call(writer, request, _SUMMARY_SHARE)
        used = usage_of(answer)
        usage = {**_usage(answer), "cached": answer.cached}
        text = "" if answer.is_cut else storable(answer.text).strip()
    except Exception as error:  # noqa: BLE001 - a model is foreign code, and the turn can do without its summary
        _log.warning(
            "no summary of turns up to %d: %s: %s", old[-1].number, type(error).__name__, ForeignText(text_of(error))
        )
        return conversation, usage_of_spent(error.spent) if isinstance(error, ModelError) else used
    if answer.is_cut:
        _log.warning("no summary of turns up to %d: %s", old[-1].number, CUT_CAUSE)
    if not text:
        return conversation, used
    before = (conversation.summary,) if conversation.summary else ()
    plans = rounds_in([*before, *(entry for turn in old for entry in turn.entries)])
    counted = {"plans": plans} if plans else {}
    entry = {**fitting.entry_of(text, old, limit_bytes), **counted, "usage": usage}
    return summarized(conversation, entry), replace(used, entries=(entry,))


def _usage(answer: ModelAnswer) -> dict[str, Any]:
    """Return what the summary has cost; from the cache, what it cost the first time."""
    taken = step_result(answer, "", ())
    return {"inputTokens": taken.input_tokens, "outputTokens": taken.output_tokens, "costUsd": taken.cost_usd}
