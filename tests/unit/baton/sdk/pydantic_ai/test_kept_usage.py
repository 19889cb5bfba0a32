"""What is kept of a run's usage is what the library's own adapter makes of it, and is read as that reads it."""

from decimal import Decimal
from typing import Any

import pydantic_ai as ai
import pytest
from pydantic import TypeAdapter

from baton.sdk.pydantic_ai.run_state import usage_from, usage_json

OF_LIBRARY = TypeAdapter(ai.RunUsage)


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"requests": 1},
        {"requests": 2, "input_tokens": 30, "output_tokens": 4, "cache_read_tokens": 5, "tool_calls": 1},
        {"requests": 1, "details": {"reasoning_tokens": 7}},
        {"requests": 1, "cost": Decimal("0.0123")},
        {"requests": 1, "web_searches": 3},
        {"input_tokens": -2},
    ],
)
def test_usage_is_kept_and_read_as_the_library_does_it(counts: dict[str, Any]) -> None:
    usage = ai.RunUsage(**counts)
    for each in (usage, usage - ai.RunUsage(requests=1), usage + ai.RunUsage(requests=1)):
        kept = usage_json(each)
        assert kept == OF_LIBRARY.dump_python(each, mode="json", exclude_defaults=True)
        read, expected = usage_from(kept), OF_LIBRARY.validate_python(kept)
        assert (type(read), read) == (ai.RunUsage, expected)
        assert read - ai.RunUsage(requests=1) == expected - ai.RunUsage(requests=1)
        read.incr(ai.RunUsage(requests=1, input_tokens=2))
        assert read == expected + ai.RunUsage(requests=1, input_tokens=2)


@pytest.mark.parametrize("stored", [{"requests": "x"}, {"requests": [1]}])
def test_what_is_no_usage_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="requests"):
        usage_from(stored)
