"""What is said under a claim, in memory: who gets a leg, what they append, and what becomes of it once they lose it.

Invariant: a text that is open belongs to the leg that its owner holds; whoever takes or removes the leg closes it.
"""

from collections.abc import Sequence
from operator import attrgetter

from msgspec.structs import replace

from baton.core import abandoned, parts
from baton.core.effects import Changes
from baton.core.going_on import GoOn, is_released, may_go_on, of_one_invocation
from baton.core.legs import Leg, LegKind, given_back_at_ms
from baton.core.state import NOTHING_USED, Failure, State
from baton.core.transitions import JobStatus
from baton.engine.tree import Tree
from baton.ports import Begun, Claim, Committed, Verdict

_APPEND_COMMANDS = 4


def claimed(claim: Claim, tree: Tree, leg: Leg) -> tuple[Tree, Leg]:
    """With the leg held by who asks for it."""
    if leg.owner == claim.owner:
        return tree, leg
    tree = let_go(tree, leg)
    if leg.kind is LegKind.CALL and leg.step and leg.attempt == 1 and not leg.claimed_ms:
        tree = _longer(tree, leg.job_id, (parts.step_started(leg.step, leg.call_id, leg.tool),))
    # A wish is held by nobody: who takes it from another one may have lost its message since it was told of it.
    over = bool(leg.owner) and not of_one_invocation(leg.owner, claim.owner)
    taken = over and leg.kind is LegKind.WISH
    held = replace(
        leg,
        owner=claim.owner,
        carrier=claim.message_id,
        claimed_ms=claim.now_ms,
        appended=0,
        text_id="",
        handed_on=taken or (leg.handed_on and leg.carrier == claim.message_id),
        lost=leg.lost + (1 if leg.owner and leg.kind is LegKind.LOOP else 0),
        abandoned=leg.abandoned + (1 if over and not taken else 0),
        lease_until_ms=claim.now_ms if leg.kind is LegKind.WISH else claim.lease_until_ms,
    )
    return replace(tree, legs={**tree.legs, leg.key: held}), held


def granted(claim: Claim, tree: Tree, leg: Leg) -> tuple[Tree, Begun]:
    """With the leg held by who asks for it, and what they are told; what was said before is not part of it."""
    tree, leg = claimed(claim, tree, leg)
    outcome, job = "", tree.jobs[leg.job_id]
    if leg.kind is LegKind.WAIT:
        known = tree.results.get(job.id, {}).get(leg.call_id)
        outcome = leg.otherwise if known is None else known
        tree = tree.with_result(job.id, leg.call_id, outcome) if known is None else tree
    calls = tree.calls.get(job.id, {})
    record = calls.get(leg.call_id)
    fails = record is not None and leg.kind in (LegKind.FAILED, LegKind.WAIT)
    dependants = tuple(calls[name] for name in record.dependants if name in calls) if record and fails else ()
    usage = tree.usage.get(job.id, NOTHING_USED) if leg.kind is LegKind.WISH else NOTHING_USED
    state = State(job, leg, record, outcome, dependants, tree.levels(leg, claim.now_ms), usage)
    return tree, Begun(Verdict.GRANTED, state=state)


def handed_on(
    tree: Tree, message_id: str, now_ms: int, but: str = "", owner: str = "", *, free: bool = False
) -> tuple[Tree, tuple[Leg, ...]]:
    """The legs that a message must hand on: marked so, but for those that `owner`'s invocation has claimed.

    `free`: also those that nobody has claimed yet.
    """
    told = list[Leg]()
    for leg in tree.carried(message_id, now_ms, but):
        tree, marked = released(tree, leg, owner, free=free)
        told.append(marked)
    for leg in tree.begun_with_slot(message_id, now_ms, but):
        tree, _ = released(tree, leg, owner)
    return tree, tuple(told)


def released(tree: Tree, leg: Leg, owner: str = "", *, free: bool = False) -> tuple[Tree, Leg]:
    """With a claimed leg marked as handed on by somebody else than its owner; `free`: also one without."""
    if not (leg.owner or free) or leg.handed_on or (owner and of_one_invocation(leg.owner, owner)):
        return tree, leg
    leg = replace(leg, handed_on=True)
    return replace(tree, legs={**tree.legs, leg.key: leg}), leg


def going_on(claim: Claim, tree: Tree, go_on: GoOn | None, done: Leg | None) -> tuple[Tree, Committed]:
    """With the legs claimed that the invocation has room for; what it has in hand already is not told.

    `done`: the leg that the COMMIT removed, None where it was not applied.
    """
    rest, taken = list[Leg](), list[Begun]()
    lost = done is not None and go_on is not None and is_released(done, claim.owner)
    at_most = go_on.at_most if go_on and done and not lost else 0
    for leg in tree.carried(claim.message_id, claim.now_ms):
        room = go_on is not None and len(taken) < at_most and _goes_on(claim, tree, leg, go_on)
        if go_on is not None and (room or leg.owner == go_on.owner):
            until_ms = claim.now_ms + go_on.leases_ms.get(leg.kind, 0)
            mine = replace(claim, job_id=leg.job_id, leg_key=leg.key, owner=go_on.owner, lease_until_ms=until_ms)
            tree, begun = granted(mine, tree, leg)
            taken.append(begun)
        elif go_on is None or leg.lease_until_ms <= claim.now_ms or not of_one_invocation(leg.owner, claim.owner):
            tree, told = released(tree, leg, claim.owner, free=lost)
            rest.append(told)
    return tree, Committed(done is not None, tuple(rest), tuple(taken))


def _goes_on(claim: Claim, tree: Tree, leg: Leg, go_on: GoOn) -> bool:
    free = leg.key not in go_on.but and leg.free_at_ms() <= claim.now_ms
    near = leg.job_id == claim.job_id or leg.kind is LegKind.WISH
    return free and near and may_go_on(tree.jobs[leg.job_id], leg, go_on.leases_ms)


def appended(claim: Claim, tree: Tree, sequence: int, more: Sequence[str], text_id: str) -> Tree | None:
    """With these parts, unless they are there; None: the claim does not hold the leg, or what came before is gone."""
    leg = tree.legs.get(claim.leg_key)
    if leg is None or leg.owner != claim.owner or (text_id and leg.appended < sequence - 1):
        return None
    if not more or leg.appended >= sequence:
        return tree
    leg = replace(leg, appended=sequence, text_id=text_id or leg.text_id)
    return _longer(replace(tree, legs={**tree.legs, leg.key: leg}), claim.job_id, tuple(more))


def let_go(tree: Tree, leg: Leg, rest: tuple[str, ...] | None = None) -> Tree:
    """With what was appended under the leg's claim counted, and its open text closed: by `rest`, or as abandoned."""
    job_id = leg.job_id
    if rest is None:
        rest = parts.abandoned(leg.text_id) if leg.text_id else ()
    tree = _longer(tree, job_id, rest)
    if not leg.appended:
        return tree
    used = tree.usage.get(job_id, NOTHING_USED)
    used = replace(
        used,
        appends=used.appends + leg.appended,
        redis_requests=used.redis_requests + leg.appended,
        redis_commands=used.redis_commands + _APPEND_COMMANDS * leg.appended,
    )
    return replace(tree, usage={**tree.usage, job_id: used})


def is_anew(leg: Leg, claim: Claim) -> bool:
    """Whether a turn was added anew since it was claimed: a failover forgot the results that it was told."""
    return claim.since_ms not in (0, leg.since_ms) and leg.owner != claim.owner


def ends_otherwise(tree: Tree, claim: Claim, changes: Changes) -> bool:
    """Whether a wait would end with something else than is recorded, or before anything has come.

    What it ends with was recorded when it was begun. Where a failover forgot that, something else may have come, or
    nothing yet: then whoever told it tells it again.
    """
    leg, results = tree.legs[claim.leg_key], tree.results.get(claim.job_id, {})
    if leg.kind is not LegKind.WAIT:
        return False
    known = results.get(leg.call_id)
    open_still = known is None and leg.not_before_ms > claim.now_ms
    return bool(changes.results) and (open_still or known not in (None, changes.results.get(leg.call_id)))


def done(tree: Tree, claim: Claim, changes: Changes) -> tuple[Tree, Changes]:
    """Without the leg that was done; a text that is there as its owner left it goes on, another one is said anew.

    What follows has the deaths that the leg had, also where its owner was overtaken and does not know of them.
    """
    leg, talk = tree.legs[claim.leg_key], changes.talk
    if leg.deaths:
        changes = replace(changes, legs=tuple([abandoned.with_deaths(following, leg) for following in changes.legs]))
    goes_on = talk and (leg.owner, leg.text_id, leg.appended) == (claim.owner, talk.text_id, talk.appended)
    if talk and not goes_on:
        changes = replace(changes, parts=(*talk.anew, *changes.parts))
    tree = let_go(tree, leg, talk.rest if talk and goes_on else None)
    legs = {key: other for key, other in tree.legs.items() if key != leg.key}
    return replace(tree, legs=legs), changes


def without_legs(tree: Tree, job_id: str) -> Tree:
    """Without any leg of the job."""
    for leg in sorted((leg for leg in tree.legs.values() if leg.job_id == job_id), key=attrgetter("key")):
        tree = let_go(tree, leg)
    return replace(tree, legs={key: leg for key, leg in tree.legs.items() if leg.job_id != job_id})


def without_children(tree: Tree, job_id: str, closing: tuple[str, ...], message_id: str, now_ms: int) -> Tree:
    """With the jobs below this one ended."""
    error = Failure("cancelled", "the job that started it has ended")
    for name in sorted(tree.jobs):
        if not name.startswith(f"{job_id}.") or tree.jobs[name].ended:
            continue
        job = replace(tree.jobs[name], status=JobStatus.CANCELLED, finished_at_ms=now_ms, error=error)
        tree = without_legs(replace(tree, jobs={**tree.jobs, name: job}), name)
        tree = _longer(tree.settled(name, message_id, now_ms), name, closing)
    return tree


def _longer(tree: Tree, job_id: str, more: tuple[str, ...]) -> Tree:
    if not more:
        return tree
    return replace(tree, parts={**tree.parts, job_id: (*tree.parts.get(job_id, ()), *more)})


def prolonged(tree: Tree, claims: Sequence[Claim], until_ms: int) -> tuple[Tree, list[str]]:
    """With these leases lasting until then, and the keys of the legs that their owners do not hold."""
    legs, lost = dict(tree.legs), list[str]()
    for claim in claims:
        leg = legs.get(claim.leg_key)
        if leg is None or leg.owner != claim.owner:
            lost.append(claim.leg_key)
        elif leg.lease_until_ms < until_ms:
            legs[leg.key] = replace(leg, lease_until_ms=until_ms)
    return (replace(tree, legs=legs) if legs != tree.legs else tree), lost


def given_back(tree: Tree, claim: Claim, now_ms: int, *, begun: bool) -> Tree:
    """With the leg free for anybody."""
    leg = tree.legs.get(claim.leg_key)
    if leg is None or leg.owner != claim.owner:
        return tree
    lost = leg.lost + (1 if begun and leg.kind is LegKind.LOOP else 0)
    free = replace(leg, owner="", lease_until_ms=given_back_at_ms(now_ms), lost=lost)
    return replace(tree, legs={**tree.legs, leg.key: free})
