"""Schedules that once broke an invariant, and what was wrong: tests play them. What is seldom met is in seldom.py.

A seed means a schedule of one version of the generator (`PLAN_VERSION`): who changes what a seed means raises the
number, and looks for other seeds of the same stories by planting the defect again, or takes them out.
"""

from dataclasses import dataclass

from tests.simulation.plan import (
    APPROVING_SEEDS,
    AWAY_SEEDS,
    CUTTING_SEEDS,
    DEPLOYING_SEEDS,
    LIMITED_SEEDS,
    PLANNING_SEEDS,
    RETURNING_SEEDS,
    SESSION_SEEDS,
    STREAMING_SEEDS,
    WAITING_SEEDS,
)

PLAN_VERSION = 2


@dataclass(frozen=True, slots=True)
class Regression:
    """A seed, the version of the generator in which it had the story, and what it once broke."""

    seed: int
    plan_version: int
    story: str


REGRESSIONS = (
    Regression(52, 2, "a repeated submission was answered 404 while a read did not show the job yet"),
    Regression(61, 2, "the admission forgot a wish, its witness came too soon to call it lost: it waited for ever"),
    Regression(1098, 2, "a failover forgot what a witness had created, and nobody was left to tell of the job"),
    Regression(1109, 2, "a failover forgot a job's end, which the book remembered: its witness did not see that"),
    Regression(1474, 2, "the same, with a job that ended in one turn"),
    Regression(1660, 2, "a cancellation met an old read between two new ones and was answered 500"),
    Regression(1921, 2, "the simulation's own: a word of a forgotten state gives the slot back"),
    Regression(20647, 2, "the simulation's own: the queue's deduplication remembers what the store forgot"),
    Regression(3000472, 2, "the simulation's own: an old read whose reader slept before it answered"),
    Regression(21685, 2, "the simulation's own: work that relied on a forgotten wish is left to the sweep"),
    Regression(20007487, 2, "a failover forgot an end that the admission knew: the job's wish was not heeded"),
    Regression(20008066, 2, "the same, with a wish for a slot: the forgotten one had got it"),
    Regression(20006480, 2, "an entry left the book before the job's last wish was done: no sweep looked any more"),
    Regression(20007084, 2, "a sweep wished again what was told since it had read the book, and lost it in a crash"),
    Regression(20010720, 2, "the same, while another sweep took the entry off the book"),
    Regression(20050464, 2, "a clock behind the queue's found a message early and had it back at once, 46 times"),
    Regression(55000864, 2, "the simulation's own: who gave a slot forgot its word, and whom to tell of it"),
    Regression(AWAY_SEEDS + 13, 2, "a clock behind the queue's ended the looks whether the store is back"),
    Regression(WAITING_SEEDS + 3, 2, "an attempt's error was recorded over an outcome that had come before its wait"),
    Regression(WAITING_SEEDS + 4, 2, "a call was tried again though an outcome that had come early was its result"),
    Regression(
        WAITING_SEEDS + 131, 2, "each slot that was given handed on again what was to come later: 1,119 messages"
    ),
    Regression(WAITING_SEEDS + 213, 2, "a failover forgot that a child was started, and nobody gave its slot back"),
    Regression(
        WAITING_SEEDS + 632, 2, "what was published for later was not handed on with the slot that it had missed"
    ),
    Regression(
        WAITING_SEEDS + 102231, 2, "two jobs below that found no slot handed each other on, in one run, without end"
    ),
    Regression(
        WAITING_SEEDS + 100140, 2, "a failover forgot what a wait was begun with, and its end did not record it"
    ),
    Regression(
        PLANNING_SEEDS + 1823, 2, "two wishes in line brought each other back in one invocation: 384 messages, no sleep"
    ),
    Regression(30001462, 2, "the simulation's own: a word that was said long ago is no news to a sweep"),
    Regression(
        PLANNING_SEEDS + 80000032, 2, "a step that had begun waited for one before it that a failover had brought back"
    ),
    Regression(PLANNING_SEEDS + 90001043, 2, "two steps that failed at the same time skipped the same step twice"),
    Regression(
        WAITING_SEEDS + 90002932, 2, "the simulation's own: the admission forgot a word, and obeyed one from before it"
    ),
    Regression(
        PLANNING_SEEDS + 90003160, 2, "a cancellation, written twice, met an old read, and its witness was taken back"
    ),
    Regression(
        WAITING_SEEDS + 120003608, 2, "copies of a fact about an unknown job brought back more of them each minute"
    ),
    Regression(
        WAITING_SEEDS + 300007245, 2, "a witness of a root wished anew for the jobs below it, of which it knows nothing"
    ),
    Regression(PLANNING_SEEDS + 300011556, 2, "a step was done though a failover had brought back the one before it"),
    Regression(
        PLANNING_SEEDS + 300013077, 2, "a failover brought back what a run had handed on, and it was handed on no more"
    ),
    Regression(
        WAITING_SEEDS + 300013144, 2, "a sweep came back for what it carried, and was not told of those gone lately"
    ),
    Regression(
        WAITING_SEEDS + 310000841, 2, "a failover forgot a call whose outcome had come, and nobody brought its job on"
    ),
    Regression(
        STREAMING_SEEDS + 50047,
        2,
        "a sweep that had stood still wished again for a job that had left the book meanwhile",
    ),
    Regression(
        PLANNING_SEEDS + 330004675, 2, "the simulation's own: an answer of the admission that was acted on late"
    ),
    Regression(WAITING_SEEDS + 330004957, 2, "the simulation's own: a slot told to one that was just cancelled"),
    Regression(PLANNING_SEEDS + 5074, 2, "work that had found no slot was to be handed on with the slot"),
    Regression(
        APPROVING_SEEDS + 400004285, 2, "the simulation's own: a sweep that dies before it tells of a slot comes again"
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 500000318,
        2,
        "the simulation's own: a job of which an end was not counted was deleted",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 600000134, 2, "the simulation's own: when a COMMIT claimed was not remembered"
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 500000853,
        2,
        "the simulation's own: a failover forgot a word, which so was not said",
    ),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 600000212,
        2,
        "a retried job was not in the book, and its witness was lost: no sweep saw it",
    ),
    Regression(PLANNING_SEEDS + 88, 2, "a job below that a failover forgot kept its slot"),
    Regression(60016139, 2, "a sweep drove what had waited long for its slot in the moment in which it got it"),
    Regression(20009080, 2, "a witness was taken back while it was being delivered"),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 400000102,
        2,
        "who had stood still told a fact, and took the slot from later work",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 400000200, 2, "the simulation's own: of two looks a sweep goes by the second"
    ),
    Regression(
        APPROVING_SEEDS + 400002286,
        2,
        "the simulation's own: what was asked anew after a failover was approved as the same",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 400003633,
        2,
        "a submission's witness that stood still took the slot of a retried job",
    ),
    Regression(SESSION_SEEDS + 400003887, 2, "a call that was late took back a witness which was creating its job"),
    Regression(
        PLANNING_SEEDS + 400002939, 2, "the simulation's own: what a failing step dropped had been handed on before"
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 820000011,
        2,
        "the simulation's own: a deploy without an end, whose older instances used up all retries of a witness",
    ),
    Regression(
        APPROVING_SEEDS + 820000761,
        2,
        "the simulation's own: a failover forgot arguments that a person had changed, between claim and start",
    ),
    Regression(
        RETURNING_SEEDS + 830001417,
        2,
        "the simulation's own: who asked to cancel slept, and saw the next run, before its witness came",
    ),
    Regression(
        RETURNING_SEEDS + DEPLOYING_SEEDS + 830001515,
        2,
        "what a witness had brought back to the admission was forgotten there again, and nobody was left to tell",
    ),
    Regression(
        WAITING_SEEDS + 830001187,
        2,
        "an outcome of a forgotten call was dropped after a quarter of an hour, while its job waited for a slot",
    ),
    Regression(
        APPROVING_SEEDS + DEPLOYING_SEEDS + 840000349,
        2,
        "a deploy and faults used up all tries of a witness and of the callback about it; a failover forgot the job",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 840001915,
        2,
        "the simulation's own: a word acted on after a long stand-still, which a failover had restored, was not late",
    ),
    Regression(
        APPROVING_SEEDS + 841000391,
        2,
        "the simulation's own: a word that came again, after a failover, gave a slot that nobody told of",
    ),
    Regression(
        STREAMING_SEEDS + 841000757,
        2,
        "the simulation's own: a job whose messages are all dead, without a backstop, need not say its text to the end",
    ),
    Regression(
        RETURNING_SEEDS + 842000372,
        2,
        "a refused retry took a wish along and dropped it: a failover had forgotten the end that it was about",
    ),
    Regression(
        STREAMING_SEEDS + DEPLOYING_SEEDS + 843003514,
        2,
        "the simulation's own: a job that failed since its wish could not be delivered tells of that wish",
    ),
    Regression(
        SESSION_SEEDS + 850001298,
        2,
        "an interruption that came again before the admission knew its job was accepted, and cancelled nobody",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 850000657,
        2,
        "the simulation's own: of a slot that its job has taken nobody speaks any more, whatever sweep is under way",
    ),
    Regression(
        DEPLOYING_SEEDS + RETURNING_SEEDS + 860000962,
        2,
        "the admission forgot all of a retried job's second run, and no witness told it of that run's end",
    ),
    Regression(
        WAITING_SEEDS + 870004928,
        2,
        "a turn counted that was told a result which a failover forgot, and which was another one then",
    ),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 880000714,
        2,
        "the simulation's own: a sweep tells a job of the slot that it was given just now, and the giver does, too",
    ),
    Regression(
        4673724418094,
        2,
        "a job that the admission forgot was in no sweep until its wish was delivered, which a dead queue prevented",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 890003974,
        2,
        "a sweep that came back passed over a job that it carried, which had spoken since that sweep began",
    ),
    Regression(
        CUTTING_SEEDS + 9, 2, "a function went on in place when its message had come again and was acknowledged"
    ),
    Regression(
        PLANNING_SEEDS + CUTTING_SEEDS + 2165, 2, "the same, with a wish for which it asked again: the mark was gone"
    ),
    Regression(
        WAITING_SEEDS + CUTTING_SEEDS + 493,
        2,
        "the same, with a wait that its second delivery handed on before it asked",
    ),
    Regression(APPROVING_SEEDS + CUTTING_SEEDS + 10692, 2, "the same, with what a fact that was told again carried"),
    Regression(
        RETURNING_SEEDS + WAITING_SEEDS + CUTTING_SEEDS + 30295, 2, "the same, with a wish that a third one had begun"
    ),
    Regression(SESSION_SEEDS + 910000823, 2, "the same, when its message had found its own leg without a slot"),
    Regression(
        CUTTING_SEEDS + 936001706,
        2,
        "a function without a connection wrote when its message's next delivery had read, and was about to be over",
    ),
    Regression(
        PLANNING_SEEDS + CUTTING_SEEDS + 950000627,
        2,
        "who went on with nothing handed on what another one worked on, and did not mark it",
    ),
    Regression(APPROVING_SEEDS + CUTTING_SEEDS + 981000105, 2, "who was not told that its message is over went on"),
    Regression(PLANNING_SEEDS + CUTTING_SEEDS + 981000233, 2, "the same, with a wait that was over at once"),
    Regression(CUTTING_SEEDS + 983002004, 2, "a callback's copy drove what another copy had driven: it was swallowed"),
    Regression(CUTTING_SEEDS + 933005977, 2, "a submission took a slot minutes after its job was told to wait for one"),
    Regression(LIMITED_SEEDS + 4075681416, 2, "who was overtaken ended an attempt, and dropped the deaths since"),
    Regression(563504645876095, 2, "the simulation's own: who was delivered a message spent from its sender's meter"),
    Regression(87965866863049, 2, "the simulation's own: who died while a claim was on its way began to work"),
    Regression(72572704074300, 2, "the same, with a call that waits for an outcome"),
    Regression(
        4677861059049, 2, "the simulation's own: a look that had asked for its sweep came again, and asked for none"
    ),
    Regression(
        2753715710562, 2, "the simulation's own: a job below that a failover forgot for good was taken to be there"
    ),
    Regression(571773229261837, 2, "the simulation's own: a failover forgot the end of a job whose call still runs"),
    Regression(285882689101441, 2, "the simulation's own: nobody needs a dead look's word of a job that is gone"),
    Regression(563499709236202, 2, "the same, of a look for which the queue no longer waited"),
    Regression(1127050653038333, 2, "the simulation's own: a schedule's message was taken for one about no job"),
    Regression(580569322284107, 2, "a client was refused for want of room where a replica did not show its job"),
    Regression(2299158658869, 2, "a call's record was not told where others were told much besides: a 500"),
    Regression(8964947902216, 2, "copies of sweeps told a job of its slot each, and their messages died in turn"),
    Regression(290311193189693, 2, "a call was taken for absent for want of a result, and read once it was over: 500"),
    Regression(281665133946058, 2, "who was to wait for its turn was overtaken, and left what its message carried"),
    Regression(571798764725597, 2, "what calls said that an end had dropped was stored, and counted for no tenant"),
    Regression(327596188820, 2, "the late word of an end that was forgotten took a job out of the line"),
)


def playable(stories: tuple[Regression, ...] = REGRESSIONS) -> list[int]:
    """The seeds that still have their stories."""
    return [regression.seed for regression in stories if regression.plan_version == PLAN_VERSION]
