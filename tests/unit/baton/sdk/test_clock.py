"""The real clock and the real randomness: the ports' promises, nothing of their values."""

import re

from baton.sdk.clock import SystemClock, SystemRandomness
from baton.store.redis.keys import calls_key, parts_key, state_key


def test_the_clock_reports_milliseconds_and_goes_on() -> None:
    clock = SystemClock()
    first, second = clock.now_ms(), clock.now_ms()
    assert 1_704_067_200_000 < first <= second < 4_102_444_800_000


def test_random_tokens_are_of_the_promised_form_and_differ() -> None:
    tokens = [SystemRandomness().token() for _ in range(100)]
    assert all(re.fullmatch(r"[0-9a-z]{24}", token) for token in tokens)
    assert len(set(tokens)) == 100


def test_all_keys_of_a_tree_share_its_roots_hash_tag_and_each_is_another() -> None:
    """A clustered Redis keeps them together."""
    makers = (state_key, calls_key, parts_key)
    keys = {make(job_id) for make in makers for job_id in ("job_1", "job_1.2", "job_1.2.3")}
    assert all("{job_1}" in key for key in keys)
    assert len(keys) == 1 + 2 * 3  # the state is one hash for the whole tree
