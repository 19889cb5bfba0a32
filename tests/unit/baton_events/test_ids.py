"""Ids that follow from content, times on the wire, and which addresses are this machine's own."""

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_events import ids
from baton_events.ids import (
    call_id,
    canonical_json,
    digest,
    event_id,
    job_id_from_key,
    random_job_id,
    root_of,
    sorted_json,
)
from baton_events.setting import is_loopback
from baton_events.timestamps import milliseconds, moment, rfc3339

SAFE = re.compile(r"[A-Za-z0-9._-]{1,200}")


def test_the_same_key_of_the_same_tenant_is_the_same_job() -> None:
    """Another tenant's is another; neither key nor tenant can imitate the other by where they are divided."""
    assert job_id_from_key("a", "k") == job_id_from_key("a", "k")
    assert len({job_id_from_key(*pair) for pair in [("a", "k"), ("b", "k"), ("a", "k2"), ("ak", ""), ("", "ak")]}) == 5


OF_TENANTS = [
    each for each in vars(ids).values() if inspect.isfunction(each) and "tenant" in inspect.signature(each).parameters
]


@pytest.mark.parametrize("made", OF_TENANTS, ids=lambda made: made.__name__)
def test_whatever_is_made_of_a_tenants_texts_is_the_tenants_alone(made: Callable[..., str]) -> None:
    """By 128 bits: nobody finds texts of their own that share it, and none are another tenant's by their borders."""
    names = [name for name in inspect.signature(made).parameters if name != "tenant"]
    texts = [("acme", "x"), ("other", "x"), ("acme", "y"), ("acmex", "z"), ("acme", "xz")]
    found = {made(tenant=tenant, **dict.fromkeys(names, text)) for tenant, text in texts}
    assert len(found) == len(texts)
    assert all(re.search("[0-9a-f]{32}$", each) for each in found)


@given(st.text(), st.text())
def test_a_job_id_is_safe_whatever_the_key_is(tenant: str, key: str) -> None:
    """In paths, headers, labels and keys; a dot would make it a child."""
    job_id = job_id_from_key(tenant, key)
    assert SAFE.fullmatch(job_id)
    assert root_of(job_id) == job_id


@pytest.mark.parametrize(("job_id", "root"), [("job_1", "job_1"), ("job_1.2.3", "job_1"), ("a-b_c", "a-b_c")])
def test_a_childs_root_stands_before_its_first_dot(job_id: str, root: str) -> None:
    assert root_of(job_id) == root
    assert random_job_id("abc123") == "job_abc123"


def test_a_call_id_has_turn_and_position_and_a_digest_of_what_is_called() -> None:
    """A model that answers differently the second time never meets an old result; the order of arguments is nothing."""
    arguments = {"path": "a", "b": 1}
    first = call_id("job_1", 2, 0, "read", arguments)
    assert first.startswith("job_1-2-0-")
    assert first == call_id("job_1", 2, 0, "read", {"b": 1, "path": "a"})
    others = [
        call_id("job_2", 2, 0, "read", arguments),
        call_id("job_1", 3, 0, "read", arguments),
        call_id("job_1", 2, 1, "read", arguments),
        call_id("job_1", 2, 0, "write", arguments),
        call_id("job_1", 2, 0, "read", {"path": "b", "b": 1}),
        call_id("job_1", 2, 0, "read", {**arguments, "c": None}),
    ]
    assert len({first, *others}) == 7


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_a_call_id_is_safe_whatever_is_asked(tool: str, arguments: dict[str, str]) -> None:
    assert SAFE.fullmatch(call_id("job_1", 1, 0, tool, arguments))


def test_an_event_id_follows_from_the_item_it_carries() -> None:
    """So that the same step always has the same id, and another attempt another one."""
    assert event_id("loop:job_1:1:1") == event_id("loop:job_1:1:1")
    assert event_id("loop:job_1:1:1") != event_id("loop:job_1:1:2")
    assert re.fullmatch(r"evt_[0-9a-f]{32}", event_id("loop:job_1:1:1"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.just("\ud800"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(), inner, max_size=3).map(lambda value: dict(sorted(value.items())))
        ),
        max_leaves=10,
    )
)
def test_what_stands_in_order_has_the_same_text_either_way(value: Any) -> None:
    assert sorted_json(value) == canonical_json(value)


def test_a_digest_shows_where_parts_are_divided() -> None:
    """And takes any text, one that UTF-8 cannot carry, too; JSON has sorted keys, no spaces and plain letters."""
    assert digest("ab", "c") != digest("a", "bc")
    assert len(digest("\ud800")) == 64
    assert canonical_json({"b": [1, None], "a": "é/"}) == '{"a":"é/","b":[1,null]}'


def test_a_time_is_shown_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_795_165_405_120) == "2026-11-20T09:03:25.120Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_795_165_405_007).endswith("25.007Z")


@pytest.mark.parametrize("hours", [-12, 0, 2, 14])
def test_the_zone_of_a_moment_does_not_matter(hours: int) -> None:
    at = datetime(2026, 11, 20, 9, 3, 25, 120_000, tzinfo=UTC)
    assert milliseconds(at.astimezone(timezone(timedelta(hours=hours)))) == 1_795_165_405_120


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_comes_back_exactly(at_ms: int) -> None:
    assert milliseconds(moment(at_ms)) == at_ms
    assert milliseconds(datetime.fromisoformat(rfc3339(at_ms))) == at_ms


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        *(
            (url, True)
            for url in ("http://127.8.0.1:8090", "http://localhost", "http://[::1]:1/x", "https://a.localhost")
        ),
        # A private network may be reached by a queue that is in it.
        *((url, False) for url in ("https://fn.example.com", "http://10.0.0.1", "https://localhost.example.com", "")),
    ],
)
def test_this_machine_is_known_by_its_names(url: str, is_own: bool) -> None:
    assert is_loopback(url) is is_own
