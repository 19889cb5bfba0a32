"""Schedules that once broke an invariant, and what was wrong (`own`: in the simulation; what others show is gone).

A change of what a seed means takes these out, or brings other seeds of the same stories: plant the defect again.
"""

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

REGRESSIONS = {
    52: "a repeated submission was answered 404 while a read did not show the job yet",
    61: "the admission forgot a request, its backup came too soon to call it lost: it waited for ever",
    1098: "a failover forgot what a backup had created, and nobody was left to tell of the job",
    1109: "a failover forgot a job's end, which the slot table remembered: its backup did not see that",
    1474: "the same, with a job that ended in one turn",
    1660: "a cancellation met an old read between two new ones and was answered 500",
    20007487: "a failover forgot an end that the admission knew: the job's request was not accepted",
    20008066: "the same, with a request for a slot: the forgotten one had got it",
    20006480: "an entry left the slot table before the job's last request was done: no sweep looked any more",
    20007084: "a sweep requested again what was told since it had read the slot table, and lost it in a crash",
    20010720: "the same, while another sweep took the entry off the slot table",
    20050464: "a clock behind the queue's found a message early and had it back at once, 46 times",
    AWAY_SEEDS + 13: "a clock behind the queue's ended the looks whether the store is back",
    WAITING_SEEDS + 3: "an attempt's error was recorded over an outcome that had come before its wait",
    WAITING_SEEDS + 4: "a call was tried again though an outcome that had come early was its result",
    WAITING_SEEDS + 131: "each slot that was given dispatched again what was to come later: 1,119 messages",
    WAITING_SEEDS + 213: "a failover forgot that a child was started, and nobody gave its slot back",
    WAITING_SEEDS + 632: "what was published for later was not dispatched with the slot that it had missed",
    WAITING_SEEDS + 102231: "two jobs below that found no slot handed each other on, in one run, without end",
    WAITING_SEEDS + 100140: "a failover forgot what a wait was begun with, and its end did not record it",
    PLANNING_SEEDS + 1823: "two requests in line brought each other back in one invocation: 384 messages, no sleep",
    PLANNING_SEEDS + 80000032: "a step that had begun waited for one before it that a failover had brought back",
    PLANNING_SEEDS + 90001043: "two steps that failed at the same time skipped the same step twice",
    PLANNING_SEEDS + 90003160: "a cancellation, written twice, met an old read, and its backup was taken back",
    WAITING_SEEDS + 120003608: "copies of a fact about an unknown job brought back more of them each minute",
    WAITING_SEEDS + 300007245: "a backup of a root requested anew for the jobs below it, of which it knows nothing",
    PLANNING_SEEDS + 300011556: "a step was done though a failover had brought back the one before it",
    PLANNING_SEEDS + 300013077: "a failover brought back what a run had dispatched, and it was dispatched no more",
    WAITING_SEEDS + 300013144: "a sweep came back for what it carried, and was not told of those gone lately",
    WAITING_SEEDS + 310000841: "a failover forgot a call whose outcome had come, and nobody brought its job on",
    4398046561151: "a sweep that had stood still requested again for a job that had left the slot table meanwhile",
    PLANNING_SEEDS + 5074: "work that had found no slot was to be dispatched with the slot",
    WAITING_SEEDS
    + RETURNING_SEEDS
    + 600000212: "a retried job was not in the slot table, and its backup was lost: no sweep saw it",
    PLANNING_SEEDS + 88: "a job below that a failover forgot kept its slot",
    60016139: "a sweep replayed what had waited long for its slot in the moment in which it got it",
    20009080: "a backup was taken back while it was being delivered",
    WAITING_SEEDS + RETURNING_SEEDS + 400000102: "who had stood still told a fact, and took the slot from later work",
    PLANNING_SEEDS
    + RETURNING_SEEDS
    + 400003633: "a submission's backup that stood still took the slot of a retried job",
    SESSION_SEEDS + 400003887: "a call that was late took back a backup which was creating its job",
    RETURNING_SEEDS
    + DEPLOYING_SEEDS
    + 830001515: "what a backup brought back to the admission was forgotten again, with nobody left",
    WAITING_SEEDS + 830001187: "an outcome of a forgotten call was dropped while its job waited for a slot",
    APPROVING_SEEDS
    + DEPLOYING_SEEDS
    + 840000349: "a deploy and faults used up all tries of a backup and its callback; the job was forgotten",
    RETURNING_SEEDS + 842000372: "a refused retry took a request along and dropped it: its end was forgotten",
    SESSION_SEEDS + 850001298: "an interruption that came again before its job was known cancelled nobody",
    DEPLOYING_SEEDS
    + RETURNING_SEEDS
    + 860000962: "the admission forgot all of a retried job's second run, and no backup told it of that run's end",
    WAITING_SEEDS
    + 870004928: "a turn counted that was told a result which a failover forgot, and which was another one then",
    4673724418094: "a job that the admission forgot was in no sweep until its request was delivered, by a dead queue",
    PLANNING_SEEDS
    + RETURNING_SEEDS
    + 890003974: "a sweep that came back passed over a job that it carried, which had spoken since that sweep began",
    CUTTING_SEEDS + 9: "a function went on in place when its message had come again and was acknowledged",
    PLANNING_SEEDS + CUTTING_SEEDS + 2165: "the same, with a request which it asked again: the mark was gone",
    WAITING_SEEDS + CUTTING_SEEDS + 493: "the same, with a wait that its second delivery dispatched before it asked",
    APPROVING_SEEDS + CUTTING_SEEDS + 10692: "the same, with what a fact that was told again carried",
    RETURNING_SEEDS + WAITING_SEEDS + CUTTING_SEEDS + 30295: "the same, with a request that a third one had begun",
    SESSION_SEEDS + 910000823: "the same, when its message had found its own item without a slot",
    CUTTING_SEEDS
    + 936001706: "a function that was cut wrote when its message's next delivery had read, and was about to end",
    PLANNING_SEEDS
    + CUTTING_SEEDS
    + 950000627: "who went on with nothing dispatched what another one worked on, and did not mark it",
    APPROVING_SEEDS + CUTTING_SEEDS + 981000105: "who was not told that its message is over went on",
    PLANNING_SEEDS + CUTTING_SEEDS + 981000233: "the same, with a wait that was over at once",
    CUTTING_SEEDS + 983002004: "a callback's copy replayed what another copy had replayed: it was swallowed",
    CUTTING_SEEDS + 933005977: "a submission took a slot minutes after its job was told to wait for one",
    LIMITED_SEEDS + 4075681416: "who was overtaken ended an attempt, and dropped the deaths since",
    580569322284107: "a client was refused for want of room where a replica did not show its job",
    2299158658869: "a call's record was not told where others were told much besides: a 500",
    8964947902216: "copies of sweeps told a job of its slot each, and their messages died in turn",
    576469548491445704: "a call got a place beside one that asks no more, and was to wait all the same",
    8864813498971: "a first turn was told more of its session than a turn may read",
    290311193189693: "a call was taken for absent for want of a result, and read once it was over: 500",
    281665133946058: "who was to wait for its turn had been overtaken, and left what its message carried",
    571798764725597: "what calls said that an end had dropped was stored, and counted for no tenant",
    327596188820: "the late word of an end that was forgotten took a job out of the line",
    281612825664141: "a lease whose COMMIT had been slow was prolonged as late as a whole one, and was over",
    17592191195570: "an attempt waited for an earlier one in its process, and ran on when its claim was over",
    12391831626: "an attempt that had waited for an earlier one had too little time left, and ended as slow",
    STREAMING_SEEDS
    + LIMITED_SEEDS
    + 77_000_002: "such an attempt was refused, which cost its message one of its tries",
    46146768479: "own: what a dead callback had left was taken for that of a sweep that was past it",
    18015498021110793: "a job whose creation was sent twice lost its backup; a failover forgot it",
    18015498028409900: "own: a failover forgot a call, whose operation was to be known still",
    18014398619482019: "a continuation behind a job of higher priority began before it was taken back",
    18018796556880089: "a continuation was over before the look if its message was rolled back, as its end had not",
    8807020458808: "a COMMIT came twice, and a command between had added to its ledger: it was billed twice",
    8796170145671: "the same, with a COMMIT that only claimed what its invocation went on with",
    2199023260553: "the same, with a COMMIT whose new work item another one had ended in between",
    283674129966237: "a step of a plan that a failover forgot was committed into another plan",
    576460752433423513: "a late claim took back when a call that waits comes by itself: a sweep brought it, too",
    77123477: "two attempts of one refused write were both taken for what came twice",
    44877881664: "a write that came twice was billed twice, since the read behind its refusal failed",
    40378063056: "the same, in another world",
    4466842987842: "what a refused write gave back was paid by another one, and then taken again: a ledger shrank",
    8933532626180: "a sweep asked anew for a young job, a failover forgot its entry, and the sweep's repeats missed it",
    824642320850: "a backup created a forgotten job with a slot, and died: its first message began without one",
    17729633597901: "the same, with a job that starts later",
    9223373136367313608: "own: a workflow's timer that died was taken for the call that has its place",
    1130297961753737: "own: a renewal crashed that led another one's request, and its invocation waited for that",
    8796093099375: "a claim came when its message was over, and nobody asked whether its wait's timer was published",
}
