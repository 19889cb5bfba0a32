"""Schedules that once broke an invariant, and what was wrong: tests play them. What is seldom met is in seldom.py.

A change of what a seed means takes these out, or brings other seeds of the same stories: plant the defect again.
"""

from dataclasses import dataclass

from tests.simulation.plan import (
    APPROVING_SEEDS,
    AWAY_SEEDS,
    BACKGROUND_SEEDS,
    CUTTING_SEEDS,
    DEPLOYING_SEEDS,
    LIMITED_SEEDS,
    PLANNING_SEEDS,
    RETURNING_SEEDS,
    SESSION_SEEDS,
    STREAMING_SEEDS,
    WAITING_SEEDS,
)


@dataclass(frozen=True, slots=True)
class Regression:
    """A seed, and what it once broke."""

    seed: int
    story: str


REGRESSIONS = (
    Regression(52, "a repeated submission was answered 404 while a read did not show the job yet"),
    Regression(61, "the admission forgot a request, its backup came too soon to call it lost: it waited for ever"),
    Regression(1098, "a failover forgot what a backup had created, and nobody was left to tell of the job"),
    Regression(1109, "a failover forgot a job's end, which the slot table remembered: its backup did not see that"),
    Regression(1474, "the same, with a job that ended in one turn"),
    Regression(1660, "a cancellation met an old read between two new ones and was answered 500"),
    Regression(1921, "the simulation's own: a word of a forgotten state gives the slot back"),
    Regression(20647, "the simulation's own: the queue's deduplication remembers what the store forgot"),
    Regression(3000472, "the simulation's own: an old read whose reader slept before it answered"),
    Regression(21685, "the simulation's own: work that relied on a forgotten request is left to the sweep"),
    Regression(20007487, "a failover forgot an end that the admission knew: the job's request was not accepted"),
    Regression(20008066, "the same, with a request for a slot: the forgotten one had got it"),
    Regression(
        20006480, "an entry left the slot table before the job's last request was done: no sweep looked any more"
    ),
    Regression(
        20007084, "a sweep requested again what was told since it had read the slot table, and lost it in a crash"
    ),
    Regression(20010720, "the same, while another sweep took the entry off the slot table"),
    Regression(20050464, "a clock behind the queue's found a message early and had it back at once, 46 times"),
    Regression(55000864, "the simulation's own: who gave a slot forgot its word, and whom to tell of it"),
    Regression(AWAY_SEEDS + 13, "a clock behind the queue's ended the looks whether the store is back"),
    Regression(WAITING_SEEDS + 3, "an attempt's error was recorded over an outcome that had come before its wait"),
    Regression(WAITING_SEEDS + 4, "a call was tried again though an outcome that had come early was its result"),
    Regression(WAITING_SEEDS + 131, "each slot that was given dispatched again what was to come later: 1,119 messages"),
    Regression(WAITING_SEEDS + 213, "a failover forgot that a child was started, and nobody gave its slot back"),
    Regression(WAITING_SEEDS + 632, "what was published for later was not dispatched with the slot that it had missed"),
    Regression(
        WAITING_SEEDS + 102231, "two jobs below that found no slot handed each other on, in one run, without end"
    ),
    Regression(WAITING_SEEDS + 100140, "a failover forgot what a wait was begun with, and its end did not record it"),
    Regression(
        PLANNING_SEEDS + 1823, "two requests in line brought each other back in one invocation: 384 messages, no sleep"
    ),
    Regression(30001462, "the simulation's own: a word that was said long ago is no news to a sweep"),
    Regression(
        PLANNING_SEEDS + 80000032, "a step that had begun waited for one before it that a failover had brought back"
    ),
    Regression(PLANNING_SEEDS + 90001043, "two steps that failed at the same time skipped the same step twice"),
    Regression(
        WAITING_SEEDS + 90002932, "the simulation's own: the admission forgot a word, and obeyed one from before it"
    ),
    Regression(
        PLANNING_SEEDS + 90003160, "a cancellation, written twice, met an old read, and its backup was taken back"
    ),
    Regression(
        WAITING_SEEDS + 120003608, "copies of a fact about an unknown job brought back more of them each minute"
    ),
    Regression(
        WAITING_SEEDS + 300007245, "a backup of a root requested anew for the jobs below it, of which it knows nothing"
    ),
    Regression(PLANNING_SEEDS + 300011556, "a step was done though a failover had brought back the one before it"),
    Regression(
        PLANNING_SEEDS + 300013077, "a failover brought back what a run had dispatched, and it was dispatched no more"
    ),
    Regression(
        WAITING_SEEDS + 300013144, "a sweep came back for what it carried, and was not told of those gone lately"
    ),
    Regression(
        WAITING_SEEDS + 310000841, "a failover forgot a call whose outcome had come, and nobody brought its job on"
    ),
    Regression(
        STREAMING_SEEDS + 50047,
        "a sweep that had stood still requested again for a job that had left the slot table meanwhile",
    ),
    Regression(PLANNING_SEEDS + 330004675, "the simulation's own: an answer of the admission that was acted on late"),
    Regression(WAITING_SEEDS + 330004957, "the simulation's own: a slot told to one that was just cancelled"),
    Regression(PLANNING_SEEDS + 5074, "work that had found no slot was to be dispatched with the slot"),
    Regression(
        APPROVING_SEEDS + 400004285, "the simulation's own: a sweep that dies before it tells of a slot comes again"
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 500000318,
        "the simulation's own: a job of which an end was not counted was deleted",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 600000134, "the simulation's own: when a COMMIT claimed was not remembered"
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 500000853,
        "the simulation's own: a failover forgot a word, which so was not said",
    ),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 600000212,
        "a retried job was not in the slot table, and its backup was lost: no sweep saw it",
    ),
    Regression(PLANNING_SEEDS + 88, "a job below that a failover forgot kept its slot"),
    Regression(60016139, "a sweep redrove what had waited long for its slot in the moment in which it got it"),
    Regression(20009080, "a backup was taken back while it was being delivered"),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 400000102,
        "who had stood still told a fact, and took the slot from later work",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 400000200, "the simulation's own: of two looks a sweep goes by the second"
    ),
    Regression(
        APPROVING_SEEDS + 400002286,
        "the simulation's own: what was asked anew after a failover was approved as the same",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 400003633,
        "a submission's backup that stood still took the slot of a retried job",
    ),
    Regression(SESSION_SEEDS + 400003887, "a call that was late took back a backup which was creating its job"),
    Regression(
        PLANNING_SEEDS + 400002939, "the simulation's own: what a failing step dropped had been dispatched before"
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 820000011,
        "the simulation's own: a deploy without an end, whose older instances used up all retries of a backup",
    ),
    Regression(
        APPROVING_SEEDS + 820000761,
        "the simulation's own: a failover forgot arguments that a person had changed, between claim and start",
    ),
    Regression(
        RETURNING_SEEDS + 830001417,
        "the simulation's own: who asked to cancel slept, and saw the next run, before its backup came",
    ),
    Regression(
        RETURNING_SEEDS + DEPLOYING_SEEDS + 830001515,
        "what a backup had brought back to the admission was forgotten there again, and nobody was left to tell",
    ),
    Regression(
        WAITING_SEEDS + 830001187,
        "an outcome of a forgotten call was dropped after a quarter of an hour, while its job waited for a slot",
    ),
    Regression(
        APPROVING_SEEDS + DEPLOYING_SEEDS + 840000349,
        "a deploy and faults used up all tries of a backup and of the callback about it; a failover forgot the job",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 840001915,
        "the simulation's own: a word acted on after a long stand-still, which a failover had restored, was not late",
    ),
    Regression(
        APPROVING_SEEDS + 841000391,
        "the simulation's own: a word that came again, after a failover, gave a slot that nobody told of",
    ),
    Regression(
        STREAMING_SEEDS + 841000757,
        "the simulation's own: a job whose messages are all dead, without a backstop, need not say its text to the end",
    ),
    Regression(
        RETURNING_SEEDS + 842000372,
        "a refused retry took a request along and dropped it: a failover had forgotten the end that it was about",
    ),
    Regression(
        STREAMING_SEEDS + DEPLOYING_SEEDS + 843003514,
        "the simulation's own: a job that failed since its request could not be delivered tells of that request",
    ),
    Regression(
        SESSION_SEEDS + 850001298,
        "an interruption that came again before the admission knew its job was accepted, and cancelled nobody",
    ),
    Regression(
        WAITING_SEEDS + DEPLOYING_SEEDS + 850000657,
        "the simulation's own: of a slot that its job has taken nobody speaks any more, whatever sweep is under way",
    ),
    Regression(
        DEPLOYING_SEEDS + RETURNING_SEEDS + 860000962,
        "the admission forgot all of a retried job's second run, and no backup told it of that run's end",
    ),
    Regression(
        WAITING_SEEDS + 870004928,
        "a turn counted that was told a result which a failover forgot, and which was another one then",
    ),
    Regression(
        WAITING_SEEDS + RETURNING_SEEDS + 880000714,
        "the simulation's own: a sweep tells a job of the slot that it was given just now, and the giver does, too",
    ),
    Regression(
        4673724418094,
        "a job that the admission forgot was in no sweep until its request was delivered, which a dead queue prevented",
    ),
    Regression(
        PLANNING_SEEDS + RETURNING_SEEDS + 890003974,
        "a sweep that came back passed over a job that it carried, which had spoken since that sweep began",
    ),
    Regression(CUTTING_SEEDS + 9, "a function went on in place when its message had come again and was acknowledged"),
    Regression(
        PLANNING_SEEDS + CUTTING_SEEDS + 2165, "the same, with a request which it asked again: the mark was gone"
    ),
    Regression(
        WAITING_SEEDS + CUTTING_SEEDS + 493, "the same, with a wait that its second delivery dispatched before it asked"
    ),
    Regression(APPROVING_SEEDS + CUTTING_SEEDS + 10692, "the same, with what a fact that was told again carried"),
    Regression(
        RETURNING_SEEDS + WAITING_SEEDS + CUTTING_SEEDS + 30295, "the same, with a request that a third one had begun"
    ),
    Regression(SESSION_SEEDS + 910000823, "the same, when its message had found its own item without a slot"),
    Regression(
        CUTTING_SEEDS + 936001706,
        "a function without a connection wrote when its message's next delivery had read, and was about to be over",
    ),
    Regression(
        PLANNING_SEEDS + CUTTING_SEEDS + 950000627,
        "who went on with nothing dispatched what another one worked on, and did not mark it",
    ),
    Regression(APPROVING_SEEDS + CUTTING_SEEDS + 981000105, "who was not told that its message is over went on"),
    Regression(PLANNING_SEEDS + CUTTING_SEEDS + 981000233, "the same, with a wait that was over at once"),
    Regression(CUTTING_SEEDS + 983002004, "a callback's copy redrove what another copy had redriven: it was swallowed"),
    Regression(CUTTING_SEEDS + 933005977, "a submission took a slot minutes after its job was told to wait for one"),
    Regression(LIMITED_SEEDS + 4075681416, "who was overtaken ended an attempt, and dropped the deaths since"),
    Regression(563504645876095, "the simulation's own: who was delivered a message spent from its sender's meter"),
    Regression(87965866863049, "the simulation's own: who died while a claim was on its way began to work"),
    Regression(72572704074300, "the same, with a call that waits for an outcome"),
    Regression(
        4677861059049, "the simulation's own: a look that had asked for its sweep came again, and asked for none"
    ),
    Regression(
        2753715710562, "the simulation's own: a job below that a failover forgot for good was taken to be there"
    ),
    Regression(571773229261837, "the simulation's own: a failover forgot the end of a job whose call still runs"),
    Regression(285882689101441, "the simulation's own: nobody needs a dead look's word of a job that is gone"),
    Regression(563499709236202, "the same, of a look for which the queue no longer waited"),
    Regression(1127050653038333, "the simulation's own: a schedule's message was taken for one about no job"),
    Regression(580569322284107, "a client was refused for want of room where a replica did not show its job"),
    Regression(2299158658869, "a call's record was not told where others were told much besides: a 500"),
    Regression(8964947902216, "copies of sweeps told a job of its slot each, and their messages died in turn"),
    Regression(290311193189693, "a call was taken for absent for want of a result, and read once it was over: 500"),
    Regression(281665133946058, "who was to wait for its turn had been overtaken, and left what its message carried"),
    Regression(571798764725597, "what calls said that an end had dropped was stored, and counted for no tenant"),
    Regression(327596188820, "the late word of an end that was forgotten took a job out of the line"),
    Regression(
        281612825664141, "a lease whose COMMIT had been slow was prolonged as late as a whole one, and was over"
    ),
    Regression(
        17592191195570, "an attempt waited for an earlier one in its process, and ran on when its claim was over"
    ),
    Regression(
        12391831626, "an attempt that had waited for an earlier one had too little time left, and ended as slow"
    ),
    Regression(
        STREAMING_SEEDS + LIMITED_SEEDS + 77_000_002,
        "such an attempt was refused, which cost its message one of its tries",
    ),
    Regression(
        46146768479,
        "the simulation's own: what a dead callback had left was taken for that of a sweep that was past it",
    ),
    Regression(
        BACKGROUND_SEEDS + WAITING_SEEDS + 1033,
        "a job whose creation was sent twice lost its backup, as if it had been there before; a failover forgot it",
    ),
    Regression(
        18015498028409900,
        "the simulation's own: a failover forgot a call, and the operation that it starts was to be known still",
    ),
    Regression(
        18018796556880089,
        "a continuation was over before the look whether its message was rolled back, which its end had overlooked",
    ),
    Regression(
        8808509403299,
        "the simulation's own: copies of a submission and of a claim came after the failover that forgot their slot",
    ),
)


def seeds_of(stories: tuple[Regression, ...] = REGRESSIONS) -> list[int]:
    """Their seeds."""
    return [regression.seed for regression in stories]
