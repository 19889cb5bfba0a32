"""A schedule: everything that a seed decides before the world begins.

Faults come in mixtures: each kind is on in some schedules and off in others, so that rare stories are not drowned by
frequent ones. They stop at `calm_at`, since what is promised is promised for when the outside world works again.
"""

from dataclasses import dataclass, field
from typing import Literal

from baton.engine.all_jobs.slots import SWEEP_PAGE
from baton.testing.dice import Dice
from tests.simulation.background import with_background
from tests.simulation.constants import USUAL_PROMPT_LIMIT_BYTES
from tests.simulation.families import (
    make_approving_jobs,
    make_planned_jobs,
    make_session_jobs,
    make_streaming_jobs,
    with_blocking_tools,
    with_calls_that_start_once,
    with_two_people,
)
from tests.simulation.jobs import JobPlan, make_jobs, with_large_inputs
from tests.simulation.killing import with_a_killer
from tests.simulation.odd import with_odd_values
from tests.simulation.offloading import with_offloaded_calls
from tests.simulation.outages import Outage, long_outages, usual_outages
from tests.simulation.programs import SCRIPT, WORKFLOW, with_programs
from tests.simulation.returning import with_returns
from tests.simulation.scripts import RESULT_LIMIT_BYTES
from tests.simulation.sessions import with_steering
from tests.simulation.shared_keys import MIXTURES
from tests.simulation.starters import with_app_events, with_keys_of_one_job, with_schedules
from tests.simulation.tenants import with_two_tenants
from tests.simulation.waiting_jobs import longest_seconds, make_waiting_jobs

Continuation = Literal["literal", "queue", "inline"]
_MIX, _RATE, _WORLD, _CUT, _THROTTLE, _KILL, _PLACES, _BLOCKING, _FULL, _STORIES = 1, 2, 4, 5, 6, 8, 9, 10, 11, 12
_OFFLOAD, _CALL_LIMITS = 13, 14
# Of each family, the seeds with such a bit: README.md says what their worlds have besides.
LIMITED_SEEDS = 1 << 36
CUTTING_SEEDS = 1 << 37
DEPLOYING_SEEDS = 1 << 38
RETURNING_SEEDS = 1 << 39
AWAY_SEEDS = 1 << 45
KILLING_SEEDS = 1 << 46
CROWDED_SEEDS = 1 << 47
BLOCKING_SEEDS = 1 << 48
FULL_SEEDS = 1 << 49
CRON_SEEDS = 1 << 50
EVENT_SEEDS = 1 << 51
STEERING_SEEDS = 1 << 52
SMALL_SEEDS = 1 << 53
BACKGROUND_SEEDS = 1 << 54
PEOPLE_SEEDS = 1 << 55
FRONT_END_SEEDS = 1 << 56
OFFLOADING_SEEDS = 1 << 57
AGAIN_SEEDS = 1 << 58
CALL_LIMIT_SEEDS = 1 << 59
TENANT_SEEDS = 1 << 60
ODD_SEEDS = 1 << 61
ONCE_SEEDS = EVENT_SEEDS | 1 << 62
WORKFLOW_SEEDS = 1 << 63
SCRIPT_SEEDS = 1 << 64
SEALED_SEEDS = 1 << 65
OBJECT_SEEDS = 1 << 66
START_SEEDS = 1 << 67
# The first seed of each family: plain worlds are those before.
WAITING_SEEDS = 1 << 40
PLANNING_SEEDS = 1 << 41
STREAMING_SEEDS = 1 << 42
APPROVING_SEEDS = 1 << 43
SESSION_SEEDS = 1 << 44
LONGEST_DEPLOY_SECONDS = 1_800.0
_ONE_ON_SERVER = 9
OTHER_FAMILIES = (WAITING_SEEDS, PLANNING_SEEDS, STREAMING_SEEDS, APPROVING_SEEDS, SESSION_SEEDS)
_WAITING = frozenset({WAITING_SEEDS, PLANNING_SEEDS, APPROVING_SEEDS})
_MAKERS = {
    0: make_jobs,
    WAITING_SEEDS: make_waiting_jobs,
    PLANNING_SEEDS: make_planned_jobs,
    STREAMING_SEEDS: make_streaming_jobs,
    APPROVING_SEEDS: make_approving_jobs,
    SESSION_SEEDS: make_session_jobs,
}

# Kind of fault → the rates among which a schedule chooses when it has the kind at all.
FAULTS = {
    "crash": (0.01, 0.04, 0.1),
    "error": (0.01, 0.04, 0.1),
    "repeat": (0.03, 0.1, 0.3),
    "slow": (0.03, 0.1),
    "pause": (0.02, 0.08),
    "refuse": (0.01, 0.05, 0.1),
    "duplicate": (0.03, 0.1, 0.3),
    "lost-ack": (0.03, 0.1),
    "lag": (0.1, 0.5),
    "store-down": (1.0,),
    "queue-down": (1.0,),
    "skew": (1.0,),
    "failover": (0.003, 0.02),
    "stale": (0.1, 0.5),
    "slow-admission": (0.1, 0.5),
    "mixed": (1.0,),
    "list-gap": (0.1, 1.0),
}
_HALF_AS_OFTEN = frozenset({"store-down", "queue-down", "failover"})
OUTAGES = frozenset({"store-down", "queue-down"})
# What worlds with long outages have besides: nothing that leaves a step to the hourly sweep.
FAULTS_BEFORE_OUTAGES = frozenset({"repeat", "duplicate", "lag", "skew"})
# What worlds have besides in which work kills its process: nothing else of which a process dies.
FAULTS_BESIDE_KILLERS = frozenset({"repeat", "duplicate", "lag", "skew", "lost-ack"})
NO_FAULTS = frozenset[str]()
ALL_FAULTS = frozenset({*FAULTS, "cut", "throttle", "offload"})


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule. Times are in seconds from the world's beginning.

    `one_slot_until`: the setting was one slot until then; 0: it was `slots` from the beginning. No seed has that.
    `stops`: when an operator stops the admission, and starts it again. No seed has that, either (operators.py).
    `waits`: its jobs also wait and start others; `waits_seconds`: for so long in sum, at most.
    `deploying`: the instances of odd numbers run another version, in the other mode.
    `places`: so many of each function run at once, and its host refuses beyond (places.py); 0: any number.
    `flows`: messages say so, and the queue holds the others back.
    `limited`: the hosted parts have limits: functions are ended at theirs, and what is too large is refused.
    `away`: it has outages of any length (outages.py), and what must hold after them is looked at.
    `processes`: so many, and work kills them with all that is in them; 0: nothing does.
    `most_hung`: so many calls may hang in a process, before it is replaced; 0: none of its tools blocks. `probed`: by
    who asks for its health; else it ends after an answer.
    `streams`: its models say their texts piece by piece, and somebody reads the streams.
    `dies_at`: the first invocation of such a kind dies before or after such a call of it. No seed has that.
    `page`: so many jobs has a page of a sweep. No seed has less than the product.
    """

    seed: int
    jobs: tuple[JobPlan, ...]
    inline: bool = False
    deploying: bool = False
    limited: bool = False
    away: bool = False
    processes: int = 0
    by_topic: bool = False
    work_timeout_seconds: int = 120
    message_timeout_seconds: int = 300
    slots: int = 3
    one_slot_until: float = 0.0
    backstop: bool = True
    places: int = 0
    flows: bool = False
    most_hung: int = 0
    probed: bool = False
    calm_at: float = 0.0
    rates: dict[str, float] = field(default_factory=dict[str, float])
    outages: tuple[Outage, ...] = ()
    skew_ms: int = 0
    stops: tuple[tuple[float, float], ...] = ()
    waits: bool = False
    streams: bool = False
    waits_seconds: float = 0.0
    dies_at: tuple[str, str, str] = ("", "", "")
    page: int = SWEEP_PAGE

    @property
    def modes(self) -> tuple[Continuation, ...]:
        """Those of its versions: by messages each second world has an event for a tool's result, too."""
        by_messages: Continuation = "literal" if self.seed & 2 else "queue"
        both: tuple[Continuation, ...] = ("inline", by_messages) if self.inline else (by_messages, "inline")
        return both if self.deploying else both[:1]

    @property
    def again(self) -> bool:
        return bool(self.seed & AGAIN_SEEDS)

    @property
    def odd(self) -> bool:
        return bool(self.seed & ODD_SEEDS)

    @property
    def sealed(self) -> bool:
        return bool(self.seed & SEALED_SEEDS)

    @property
    def apart(self) -> bool:
        """Whether each task and each result is an object."""
        return bool(self.seed & OBJECT_SEEDS)

    @property
    def front_ends(self) -> bool:
        return bool(self.seed & FRONT_END_SEEDS)

    @property
    def call_limits(self) -> int:
        """Which mixture of limits its calls share; 0: that of no limits."""
        return Dice(self.seed).whole(1, len(MIXTURES) - 1, _CALL_LIMITS) if self.seed & CALL_LIMIT_SEEDS else 0

    @property
    def bytes_kept(self) -> int:
        return Dice(self.seed).whole(1_000, 9_000, _FULL) if self.seed & FULL_SEEDS else 0

    @property
    def on_server(self) -> bool:
        """Whether it plays on the real server, with the real script, besides: one in nine does."""
        return self.seed % _ONE_ON_SERVER == 0

    @property
    def prompt_limit_bytes(self) -> int:
        """So much may a turn be told at once: in some worlds with limits less than a large input has."""
        dice = Dice(self.seed)
        small = self.limited and dice.chance(0.3, _STORIES)
        return dice.whole(RESULT_LIMIT_BYTES, 6_000, _STORIES, 1) if small else USUAL_PROMPT_LIMIT_BYTES

    @property
    def deployed_at(self) -> float:
        """From when on there is no instance any more that leaves a newer version's events to others.

        A deploy that takes longer than half an hour may use up all retries of an event, those of its failure callback
        included: then the event is a dead letter, and what it was to bring back stays forgotten.
        """
        return min(self.calm_at, LONGEST_DEPLOY_SECONDS)

    @property
    def faultless(self) -> bool:
        return not self.rates and not self.places and not self.outages and not self.processes


def make_plan(seed: int, faults: frozenset[str] = ALL_FAULTS) -> Plan:
    dice = Dice(seed)
    short, deploying = dice.chance(0.3, _WORLD, 1), bool(seed & DEPLOYING_SEEDS)
    rates = _rates(dice, faults) | _rates_of_family(dice, seed, faults)
    calm_at = dice.between(150, 1500, _WORLD, 2) * (6 if dice.chance(0.15, _WORLD, 8) else 1)
    work_timeout_seconds = 20 if short else 120
    jobs, waits = _jobs(dice, seed, work_timeout_seconds), family_of(seed) in _WAITING
    waits_seconds = longest_seconds(jobs) if waits else 0.0
    away, outages = bool(seed & AWAY_SEEDS), usual_outages(dice, rates, calm_at)
    if seed & (AWAY_SEEDS | KILLING_SEEDS | CROWDED_SEEDS):
        few = FAULTS_BESIDE_KILLERS if seed & KILLING_SEEDS else FAULTS_BEFORE_OUTAGES
        rates = {kind: rate for kind, rate in rates.items() if kind in few}
        outages = long_outages(dice, waits_seconds) if away and faults >= OUTAGES else ()
        calm_at = max((outage.ends for outage in outages), default=calm_at)
    places = dice.one_of((1, 1, 2), _PLACES) if seed & CROWDED_SEEDS else 0
    return Plan(
        seed=seed,
        jobs=jobs,
        inline=seed % 2 == 1,
        deploying=deploying,
        limited=bool(seed & LIMITED_SEEDS),
        away=away,
        processes=dice.one_of((1, 1, 2), _KILL) if seed & KILLING_SEEDS else 0,
        places=places,
        flows=places > 0 and dice.chance(0.5, _PLACES, 1),
        most_hung=dice.whole(1, 3, _BLOCKING) if seed & BLOCKING_SEEDS else 0,
        probed=dice.chance(0.5, _BLOCKING, 1),
        by_topic=dice.chance(0.2, _WORLD, 4) and not seed & LIMITED_SEEDS,  # the smallest plan has one topic, not four
        work_timeout_seconds=work_timeout_seconds,
        message_timeout_seconds=30 if short else 300,
        slots=6 if places else dice.one_of((1, 2, 3, 6), _WORLD, 7),
        backstop=dice.chance(0.7, _WORLD, 5) or "failover" in rates or deploying,
        calm_at=calm_at,
        rates=rates,
        outages=outages,
        skew_ms=dice.one_of((100, 900, 2500), _WORLD, 6) if "skew" in rates else 0,
        waits=waits,
        streams=family_of(seed) == STREAMING_SEEDS,
        waits_seconds=waits_seconds,
    )


def family_of(seed: int) -> int:
    """The first seed of the family of worlds to which this one belongs."""
    return max(first for first in (0, *OTHER_FAMILIES) if first <= seed % AWAY_SEEDS)


def _jobs(dice: Dice, seed: int, work_timeout_seconds: int) -> tuple[JobPlan, ...]:
    family = family_of(seed)
    most = 2 if seed & SMALL_SEEDS else (4 if family in _WAITING else 6) * (2 if seed & CROWDED_SEEDS else 1)
    jobs = _MAKERS[family](dice, dice.whole(most // 2, most, _WORLD, 3), work_timeout_seconds)
    jobs = with_returns(dice, jobs) if seed & RETURNING_SEEDS else jobs
    jobs = with_blocking_tools(dice, jobs, work_timeout_seconds) if seed & BLOCKING_SEEDS else jobs
    jobs = with_schedules(dice, jobs) if seed & CRON_SEEDS else jobs
    jobs = with_steering(dice, jobs) if seed & STEERING_SEEDS else jobs
    jobs = with_two_tenants(jobs) if seed & TENANT_SEEDS else jobs
    jobs = with_app_events(dice, jobs) if seed & EVENT_SEEDS else jobs
    jobs = with_keys_of_one_job(dice, jobs) if seed & ONCE_SEEDS == ONCE_SEEDS else jobs
    jobs = with_background(dice, jobs) if seed & BACKGROUND_SEEDS else jobs
    jobs = with_two_people(dice, jobs) if seed & PEOPLE_SEEDS else jobs
    jobs = with_a_killer(dice, jobs) if seed & KILLING_SEEDS else jobs
    jobs = with_calls_that_start_once(dice, jobs) if seed & START_SEEDS else jobs
    jobs = with_offloaded_calls(dice, jobs) if seed & OFFLOADING_SEEDS else jobs
    jobs = with_programs(jobs, WORKFLOW) if seed & WORKFLOW_SEEDS else jobs
    jobs = with_programs(jobs, SCRIPT) if seed & SCRIPT_SEEDS else jobs
    jobs = with_large_inputs(dice, jobs) if seed & LIMITED_SEEDS else jobs
    return with_odd_values(dice, jobs) if seed & ODD_SEEDS else jobs


def _rates(dice: Dice, faults: frozenset[str]) -> dict[str, float]:
    if dice.chance(0.08, _MIX):
        return {}
    likely = dice.one_of((0.2, 0.5), _MIX, 1)
    return {
        kind: dice.one_of(rates, _RATE, which)
        for which, (kind, rates) in enumerate(FAULTS.items())
        if kind in faults and dice.chance(likely * (0.5 if kind in _HALF_AS_OFTEN else 1), _MIX, 2, which)
    }


def _rates_of_family(dice: Dice, seed: int, faults: frozenset[str]) -> dict[str, float]:
    rates = {"mixed": 1.0} if seed & DEPLOYING_SEEDS else {}
    rates |= {"cut": dice.one_of((0.1, 0.4), _CUT)} if seed & CUTTING_SEEDS else {}
    rates |= {"offload": dice.one_of((0.05, 0.1, 0.2), _OFFLOAD)} if seed & OFFLOADING_SEEDS else {}
    rates |= {"throttle": dice.one_of((0.02, 0.1, 0.3), _THROTTLE)} if seed & LIMITED_SEEDS else {}
    return {kind: rate for kind, rate in rates.items() if kind in faults}
