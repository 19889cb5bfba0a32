"""English words that say nothing about what a question is about."""

_TEXT = """
    a about above after again all almost also although always am an and another answer any are around as at be
    because been before being below best better between both but by came can cannot change changed come could
    describe did different do does doing done down during each else even ever every explain few file files find
    first for from gave get give given go goes good had happen happened has have having he her here hers him his
    how however i if in into is it its itself just kind know known last let like little long made make makes many
    may me mean might more most much must my near need never no nor not nothing now of off often on once one only
    onto or other our out over own part people please question say says see she should since so some something
    sort still such summarise summarize tell than that the their theirs them then there these they thing things
    this those though through time times to today together told too toward type under until up upon us use used
    uses using very want was way we well went were what whatever when where whether which while who whole whom
    whose why will with within without work would write year years yes yet you your
"""

STOP_WORDS = frozenset(_TEXT.split())
