"""How many schedules the tests play, from which seed on, and for how long at most."""

# Change it to look at other schedules; a failure names the seed of its own.
BASE_SEED = 1
SCHEDULES = 20_000
# Of these, `make check` plays the first ones only; they are always played, whatever it takes.
FIRST_SCHEDULES = 1_000
# Of the others no more are begun after so long: a machine that is too slow for all says how many it has played.
MOST_SECONDS = 360.0
