"""What the job scripts answer, as records."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from events.adapters.known_histories import KnownHistory, as_told
from events.adapters.redis import Asked
from events.core.legs import Leg, LegKind
from events.core.records import load_call, load_job, load_leg, load_results, load_spend, load_usage, load_values
from events.core.state import NOTHING_USED, Job, Level, State
from events.core.transcript import calls_in, still_told
from events.ports import Begun, History, Verdict

_NO_HISTORY = History()
_AS_KNOWN = ""


def granted(told: Sequence[Any], known: KnownHistory | None) -> tuple[Begun, KnownHistory | None]:
    """A claimed leg, as the scripts tell it (claiming.lua), and the history that is known from now on.

    `known`: the history whose tag the script was told.
    """
    job, leg, call, transcript, results, outcome, after, levels, usage, tag, size_bytes, _ = told
    loaded, record = load_job(job), load_call(call) if call else None
    if transcript != _AS_KNOWN:
        known = as_told(tag, transcript, results) if transcript or results else None
    state = State(
        loaded,
        load_leg(leg),
        record,
        outcome,
        tuple([load_call(text) for text in after if text]) if after else (),
        _levels(loaded, levels) if levels else (),
        load_usage(usage) if usage else NOTHING_USED,
    )
    # What is too much is not told, but for how much it is.
    history = _history(known, loaded.untold) if known else History(size_bytes=size_bytes)
    return Begun(Verdict.GRANTED, state=state, history=history), known if tag else None


def granted_to(job: Job, leg: Leg, call: str, known: KnownHistory | None) -> Begun:
    """A claimed leg, as a COMMIT that knows all of it tells it by itself.

    `call`: its record, as it is stored. `known`: the history, if it is told that.
    """
    levels = (Level(job),) if leg.kind is LegKind.LOOP else ()
    state = State(job, leg, load_call(call) if call else None, levels=levels)
    return Begun(Verdict.GRANTED, state=state, history=_history(known, job.untold) if known else _NO_HISTORY)


def may_be_short(told: Sequence[Any]) -> bool:
    """Whether a claimed leg may be ended by a short COMMIT."""
    return bool(told[-1])


def _history(texts: KnownHistory, untold: tuple[int, int]) -> History:
    """As it is told: what has a tag is all that was ever said, the rest what was asked for."""
    if not texts.tag or untold == (0, 0):
        told = untold if texts.transcript else (0, 0)
        return History(tuple(load_values(texts.transcript)), load_results(texts.results), told, texts.size_chars)
    told_texts = still_told(texts.transcript, untold)
    entries = tuple(load_values(told_texts))
    named = frozenset(calls_in(entries))
    results = {name: result for name, result in texts.results.items() if name in named}
    size = sum(map(len, told_texts)) + sum(map(len, results.values()))
    return History(entries, load_results(results), untold, size)


def with_commit(begun: Begun, asked: Asked) -> Begun:
    """What a COMMIT tells of the books was read before it knew its own cost."""
    state = begun.state
    if state is None or state.leg.kind is not LegKind.WISH:
        return begun
    commands, size_bytes = state.usage.redis_commands + asked.commands, state.usage.redis_bytes + asked.size_bytes
    usage = replace(state.usage, redis_commands=commands, redis_bytes=size_bytes)
    return replace(begun, state=replace(state, usage=usage))


def _levels(own: Job, flat: Sequence[Any]) -> tuple[Level, ...]:
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return tuple([Level(load_job(job) if job else own, load_spend(below), int(tokens)) for job, below, tokens in rows])


def legs(texts: Sequence[str]) -> tuple[Leg, ...]:
    """The legs that a message carries."""
    return tuple([load_leg(text) for text in texts]) if texts else ()
