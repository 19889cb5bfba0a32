"""How many schedules the tests play, and from which seed on."""

# Change it to look at other schedules; a failure names the seed of its own.
BASE_SEED = 1
SCHEDULES = 20_000
# Of these, `make check` plays the first ones only.
FIRST_SCHEDULES = 1_000
