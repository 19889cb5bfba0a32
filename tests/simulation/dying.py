"""What must hold where processes die, by name, like invariants.py."""

from typing import TYPE_CHECKING

from baton.core.legs import Leg, LegKind
from baton.core.state import Job
from baton.core.told_size import TOO_MUCH_TOLD
from tests.fakes import Tree
from tests.simulation.invariants import Write
from tests.simulation.killing import KILL
from tests.simulation.scripts import ALL_KINDS, STUCK, Died, Script
from tests.simulation.starting import Start
from tests.simulation.watching import at, of

if TYPE_CHECKING:
    from tests.simulation.invocation import Invocation
    from tests.simulation.world import World

DIED = "process_died"


def only_who_died_is_taken_over(write: Write) -> str | None:
    """A death is counted where an invocation died, or met something by which it is as good as dead."""
    for key, leg in write.after.legs.items():
        old = write.before.legs.get(key)
        if old is None or leg.abandoned <= old.abandoned:
            continue
        if leg.kind is LegKind.CALL:
            write.world.actors.deaths[leg.call_id] += 1
        who = write.world.owners.get(old.owner.partition(".")[0])
        if who is not None and not (_is_as_good_as_dead(who) or write.world.memory.struck(leg.job_id, who.began_at)):
            return f"{key} is taken from {who.name}, which lives"
    return None


def a_call_has_the_deaths_of_its_own_attempts(write: Write) -> str | None:
    """What else dies on its way, a result that is taken in or a decision, has a budget of its own."""
    deaths = write.world.actors.deaths
    for key, leg in write.after.legs.items():
        if write.before.legs.get(key) is not leg and leg.kind is LegKind.CALL and leg.deaths > deaths[leg.call_id]:
            return f"{key} has {leg.deaths} deaths; {deaths[leg.call_id]} are those of its call"
    return None


def a_step_keeps_its_deaths(write: Write) -> str | None:
    """Whoever ends an attempt, also one that was overtaken: what goes on with the step has all deaths that were known.

    What goes on with a call is its result, its failure, a wait or a question of it, or its next attempt; of a turn only
    its next attempt has its deaths. A job that begins again does so with none.
    """
    gone = [leg for key, leg in write.before.legs.items() if leg.deaths and key not in write.after.legs]
    for old in gone:
        job = write.after.jobs.get(old.job_id)
        if job is None or job.run != write.before.jobs[old.job_id].run:
            continue
        for key in sorted(write.after.legs.keys() - write.before.legs.keys()):
            leg = write.after.legs[key]
            kept = leg.died if old.kind is LegKind.CALL else leg.abandoned
            if _goes_on_with(leg, old) and kept < old.deaths:
                return f"{key} has {kept} deaths; {old.key} had {old.deaths}"
    return None


def _goes_on_with(leg: Leg, old: Leg) -> bool:
    if old.kind is LegKind.CALL:
        return old.call_id in (leg.call_id, leg.asks_for)
    return old.kind is leg.kind is LegKind.LOOP and (leg.job_id, leg.turn) == (old.job_id, old.turn)


def _is_as_good_as_dead(who: "Invocation") -> bool:
    return who.dead or who.zombie or who.cut or who.stalled or who.faulty


def only_who_holds_a_claim_prolongs_it(write: Write) -> str | None:
    """One that comes late takes nothing from whoever has taken over, and none ends sooner for it."""
    assert write.claim is not None, "a claim is prolonged"
    mine = write.claim.owner.partition(".")[0]
    for key, leg in write.after.legs.items():
        old = write.before.legs.get(key)
        if old is None or old is leg:
            continue
        if old.owner.partition(".")[0] != mine or leg.owner != old.owner or leg.lease_until_ms < old.lease_until_ms:
            return f"{write.claim.owner} makes {old} into {leg}"
    return None


def only_its_owner_gives_a_claim_back(write: Write) -> str | None:
    """What is given back is begun anew without a death, whatever becomes of the process that gave it back."""
    assert write.claim is not None, "a claim is given back"
    for key, leg in write.after.legs.items():
        old = write.before.legs.get(key)
        if old is None or old is leg:
            continue
        if (old.owner, key) != (write.claim.owner, write.claim.leg_key):
            return f"{write.claim.owner} gives {old} back"
        write.world.actors.given_back(write.claim)
    return None


def a_call_that_kills_is_not_started_for_ever(start: Start) -> str | None:
    """A call is started once more than it may be tried, if each of its starts ends with its process.

    One that was broken off because the store failed is no death, though its process may die after it has said so.
    """
    world, call_id = start.world, start.context.call_id
    runs = [run for run in world.actors.runs.get(call_id, ()) if run.of == start.run.of]
    deaths = sum(run.who.dead and not run.given_back for run in runs)
    most = ALL_KINDS[start.tool].retries + 2
    if deaths < most or world.memory.struck(start.context.job_id):
        return None
    return f"{call_id} starts after {deaths} starts that ended with their process; {most} are enough"


def died_in(world: "World", tree: Tree, job: Job) -> Died:
    """What of a job its processes died in: each such death is an attempt, and leaves one less for what else fails.

    And what may be stuck: a later attempt of that waits for the one before it in its process, and takes its result.
    """
    calls = [
        call
        for call in tree.calls.get(job.id, {}).values()
        if world.actors.deaths[call.id] or call.arguments.get("how") == STUCK
    ]
    died = {(call.turn, call.position): (call.attempts, call.error.type if call.error else "") for call in calls}
    turn = job.turn - job.first_turn + 1  # of its run, as its script counts them
    error = job.error.type if job.error else ""
    return Died(died, turn if error in (DIED, TOO_MUCH_TOLD) else 0, error)


def a_death_counts_once_for_who_was_only_there(write: Write) -> str | None:
    """Where one piece of work kills its processes, each other step that is at work there dies of it once at most.

    In a crowd several jobs kill: whoever has died of one may yet die of another, whose first death it is.
    One that was only being claimed, or waited for its turn and was being given back, is not at work yet. Who lives and
    could not prolong its claim, since the store was away, is taken over, too: that is no process's death.
    """
    world = write.world
    for key, leg in write.after.legs.items():
        old = write.before.legs.get(key)
        if old is None or leg.abandoned <= old.abandoned or not world.plan.processes:
            continue
        who = world.owners.get(old.owner.partition(".")[0])
        if who is None or not who.dead or (who, key) not in world.actors.at_work:
            continue
        about = leg.call_id or f"turn {leg.turn} of {leg.job_id}"
        killer = world.processes.killers.get(who, "")
        world.actors.died_at_work[about, killer] += 1
        agent = write.after.jobs[leg.job_id].agent
        if world.actors.died_at_work[about, killer] > 1 and not _kills(write.after, leg, _script(world, agent)):
            return f"{about} kills nobody, and has died more than once of {killer or 'nobody'}"
    return None


def _script(world: "World", agent: str) -> Script:
    return world.outside.plan_of(agent).scripts()[agent]


def _kills(tree: Tree, leg: Leg, script: Script) -> bool:
    if leg.call_id:
        return bool(tree.calls[leg.job_id][leg.call_id].arguments.get("how") == KILL)
    return script.turns[leg.turn - 1].how == KILL


def a_turn_that_kills_is_not_asked_for_ever(world: "World", about: str, asked: int, retries: int) -> None:
    """A model is asked once more than its turn may be tried, if each time its process dies of it."""
    if asked > retries + 2:
        world.broken("a_turn_that_kills_is_not_asked_for_ever", f"{about} is asked for the {asked}th time")


ON_DEATHS = (
    of("legs", only_who_died_is_taken_over),
    of("legs", a_call_has_the_deaths_of_its_own_attempts),
    of("legs", a_step_keeps_its_deaths),
    of("legs", a_death_counts_once_for_who_was_only_there),
    at("renew", only_who_holds_a_claim_prolongs_it),
    at("give_back", only_its_owner_gives_a_claim_back),
)
ON_DYING_START = (a_call_that_kills_is_not_started_for_ever,)
