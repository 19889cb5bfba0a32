"""What holds for all tests: no timed asserts, so no time limits of Hypothesis, which a busy machine breaks."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
