"""What must hold where processes die, by name, like invariants.py."""

from typing import TYPE_CHECKING

from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord, Job
from baton.engine.work_items import ItemKind, WorkItem
from baton.worker.executors.bounded import PROMPT_TOO_LARGE
from tests.simulation.invariants import Write
from tests.simulation.killing import KILL
from tests.simulation.scripts import ALL_KINDS, AT_MOST_ONCE, STUCK, TIMER, Died, Script, place_of
from tests.simulation.starting import Start
from tests.simulation.watching import at, of

if TYPE_CHECKING:
    from tests.simulation.invocation import Invocation
    from tests.simulation.world import World

DIED = "process_died"


def only_who_died_is_taken_over(write: Write) -> str | None:
    """A death is counted where an invocation died, or met something by which it is as good as dead."""
    for key, old, item in write.changed_items():
        if item.abandoned <= old.abandoned:
            continue
        if item.kind is ItemKind.CALL:
            write.world.actors.deaths[item.call_id] += 1
        who = write.world.owners.get(old.owner.partition(".")[0])
        if who is not None and not (_is_as_good_as_dead(who) or write.world.memory.struck(item.job_id, who.began_at)):
            return f"{key} is taken from {who.name}, which lives"
    return None


def a_call_has_the_deaths_of_its_own_attempts(write: Write) -> str | None:
    """What else dies on its way, a result that is taken in or a decision, has a budget of its own."""
    deaths = write.world.actors.deaths
    for key, item in write.after.items.items():
        if (
            write.before.items.get(key) is not item
            and item.kind is ItemKind.CALL
            and item.deaths > deaths[item.call_id]
        ):
            return f"{key} has {item.deaths} deaths; {deaths[item.call_id]} are those of its call"
    return None


def a_step_keeps_its_deaths(write: Write) -> str | None:
    """Whoever ends an attempt, also one that was overtaken: what goes on with the step has all deaths that were known.

    What goes on with a call is its result, its failure, a wait or a question of it, or its next attempt; of a turn only
    its next attempt has its deaths. A job that begins again does so with none.
    """
    gone = [item for key, item in write.before.items.items() if item.deaths and key not in write.after.items]
    for old in gone:
        job = write.after.jobs.get(old.job_id)
        if job is None or job.run != write.before.jobs[old.job_id].run:
            continue
        for key in sorted(write.after.items.keys() - write.before.items.keys()):
            item = write.after.items[key]
            kept = item.died if old.kind is ItemKind.CALL else item.abandoned
            if _goes_on_with(item, old) and kept < old.deaths:
                return f"{key} has {kept} deaths; {old.key} had {old.deaths}"
    return None


def _goes_on_with(item: WorkItem, old: WorkItem) -> bool:
    if old.kind is ItemKind.CALL:
        return old.call_id in (item.call_id, item.approval_of_call)
    return old.kind is item.kind is ItemKind.LOOP and (item.job_id, item.turn) == (old.job_id, old.turn)


def _is_as_good_as_dead(who: "Invocation") -> bool:
    return who.dead or who.zombie or who.cut or who.stalled or who.faulty


def only_who_holds_a_claim_prolongs_it(write: Write) -> str | None:
    """One that comes late takes nothing from whoever has taken over, and none ends sooner for it."""
    assert write.claim is not None, "a claim is prolonged"
    mine = write.claim.owner.partition(".")[0]
    for _, old, item in write.changed_items():
        if old.owner.partition(".")[0] != mine or item.owner != old.owner or item.lease_until_ms < old.lease_until_ms:
            return f"{write.claim.owner} makes {old} into {item}"
    return None


def only_its_owner_gives_a_claim_back(write: Write) -> str | None:
    """What is given back is begun anew without a death, whatever becomes of the process that gave it back."""
    assert write.claim is not None, "a claim is given back"
    for key, old, _ in write.changed_items():
        if (old.owner, key) != (write.claim.owner, write.claim.item_key):
            return f"{write.claim.owner} gives {old} back"
        write.world.actors.given_back(write.claim)
    return None


def a_call_that_kills_is_not_started_for_ever(start: Start) -> str | None:
    """A call is started once more than it may be tried, if each of its starts ends with its process.

    A run after which it runs again shows that it does not kill.
    One that was broken off because the store failed is no death, though its process may die after it has said so.
    """
    world, call_id = start.world, start.context.call_id
    runs = [run for run in world.actors.runs.get(call_id, ()) if run.of == start.run.of]
    deaths = sum(run.who.dead and not run.given_back for run in runs if run.look == start.run.look)
    most = ALL_KINDS[start.tool].retries + 2
    if deaths < most or world.memory.struck(start.context.job_id):
        return None
    return f"{call_id} starts after {deaths} starts that ended with their process; {most} are enough"


def a_call_of_a_tool_that_starts_at_most_once_has_begun_at_most_once(start: Start) -> str | None:
    """Its pauses of its own apart, and where a failover has forgotten that it began."""
    world, call_id = start.world, start.context.call_id
    before = [run for run in world.actors.runs.get(call_id, ()) if run.look == start.run.look]
    if start.tool != AT_MOST_ONCE or not before or world.memory.struck(start.context.job_id):
        return None
    return f"{call_id} starts again, after {before[-1].item_key} began at {before[-1].started_at:.3f}"


def died_in(world: "World", tree: Tree, job: Job) -> Died:
    """What of a job its processes died in: each such death is an attempt, and leaves one less for what else fails.

    And what may be stuck: a later attempt of that waits for the one before it in its process, and takes its result.
    A workflow's timer is no call of its script: a death of it is nobody's attempt.
    """
    calls = [
        call
        for call in tree.calls.get(job.id, {}).values()
        if call.tool != TIMER
        if world.actors.deaths[call.id] or call.arguments.get("how") == STUCK or _may_have_run(world, call)
    ]
    script = _script(world, job.agent)
    died = {place_of(script, call): (call.attempts, call.error.type if call.error else "") for call in calls}
    turn = job.turn - job.first_turn + 1  # of its run, as its script counts them
    error = job.error.type if job.error else ""
    return Died(died, turn if error in (DIED, PROMPT_TOO_LARGE) else 0, error)


def a_death_counts_once_for_who_was_only_there(write: Write) -> str | None:
    """Where one piece of work kills its processes, each other step that is at work there dies of it once at most.

    In a crowd several jobs kill: whoever has died of one may yet die of another, whose first death it is.
    One that was only being claimed, or waited for its turn and was being given back, is not at work yet. Who lives and
    could not prolong its claim, since the store was away, is taken over, too: that is no process's death.
    """
    world = write.world
    for key, old, item in write.changed_items():
        if item.abandoned <= old.abandoned or not world.plan.processes:
            continue
        who = world.owners.get(old.owner.partition(".")[0])
        if who is None or not who.dead or (who, key) not in world.actors.at_work:
            continue
        about = item.call_id or f"turn {item.turn} of {item.job_id}"
        killer = world.processes.killers.get(who, "")
        world.actors.died_at_work[about, killer] += 1
        agent = write.after.jobs[item.job_id].agent
        if world.actors.died_at_work[about, killer] > 1 and not _kills(write.after, item, _script(world, agent)):
            return f"{about} kills nobody, and has died more than once of {killer or 'nobody'}"
    return None


def _may_have_run(world: "World", call: CallRecord) -> bool:
    return bool(call.error and call.error.type == "may_have_run" and call.id in world.actors.runs)


def _script(world: "World", agent: str) -> Script:
    return world.outside.plan_of(agent).scripts()[agent]


def _kills(tree: Tree, item: WorkItem, script: Script) -> bool:
    if item.call_id:
        return bool(tree.calls[item.job_id][item.call_id].arguments.get("how") == KILL)
    return script.turns[item.turn - 1].how == KILL


def a_turn_that_kills_is_not_run_for_ever(world: "World", about: str, requested: int, retries: int) -> None:
    """A model is asked once more than its turn may be tried, if each time its process dies of it."""
    if requested > retries + 2:
        world.broken("a_turn_that_kills_is_not_run_for_ever", f"{about} is asked for the {requested}th time")


ON_DEATHS = (
    of("items", only_who_died_is_taken_over),
    of("items", a_call_has_the_deaths_of_its_own_attempts),
    of("items", a_step_keeps_its_deaths),
    of("items", a_death_counts_once_for_who_was_only_there),
    at("renew", only_who_holds_a_claim_prolongs_it),
    at("give_back", only_its_owner_gives_a_claim_back),
)
ON_DYING_START = (
    a_call_that_kills_is_not_started_for_ever,
    a_call_of_a_tool_that_starts_at_most_once_has_begun_at_most_once,
)
