from itertools import pairwise
from typing import Any

import pytest

from baton_local.qstash.core.commands.publishing import Publish, create_schedule
from baton_local.qstash.core.destinations import parse_destination
from tests.unit.baton_local.qstash.machine_world import FAILURE, START_MS, URL, World, refused

TO_NEXT_MINUTE_SECONDS = 40  # the virtual clock starts at 22:13:20


def create(world: World, destination: str = URL, body: bytes | None = b"tick", **headers: str) -> str:
    """A schedule, each minute unless another cron is given."""
    lower = {name.replace("_", "-"): [value] for name, value in {"upstash_cron": "* * * * *", **headers}.items()}
    given = Publish(parse_destination(destination), lower, body, "10.0.0.9")
    return str(world.do(create_schedule, given).body["scheduleId"])


def view(world: World, schedule_id: str) -> dict[str, Any]:
    body: dict[str, Any] = world.call(f"GET /v2/schedules/{schedule_id}").body
    return body


def test_each_tick_makes_a_message_in_the_schedules_name(world: World) -> None:
    """With the creator's address, on the minute; a deduplication id does not silence it."""
    schedule_id = create(world, upstash_deduplication_id="d")
    world.advance(TO_NEXT_MINUTE_SECONDS - 1)
    assert not world.delivered
    world.advance(1 + 120)
    assert [effect.message.created_at_ms - START_MS for effect in world.delivered] == [40_000, 100_000, 160_000]
    message = world.delivered[0].message
    assert (message.schedule_id, message.caller_ip, message.body) == (schedule_id, "10.0.0.9", b"tick")


def test_publish_with_cron_makes_a_schedule(world: World) -> None:
    answer = world.publish(upstash_cron=" * * * * * ")
    world.settle()
    assert not world.delivered
    assert view(world, answer.body["scheduleId"])["cron"] == "* * * * *"


def test_view_leaves_out_what_is_unset(world: World) -> None:
    """Header maps hold the forwarded headers and nothing else."""
    schedule_id = create(world, body=None, upstash_forward_test_header="v", authorization="Bearer secret")
    assert view(world, schedule_id) == {
        "scheduleId": schedule_id,
        "cron": "* * * * *",
        "destination": URL,
        "createdAt": START_MS,
        "method": "POST",
        "retries": 3,
        "isPaused": False,
        "header": {"Test-Header": ["v"]},
        "callerIP": "10.0.0.9",
        "callerIp": "10.0.0.9",
        "nextScheduleTime": START_MS + 40_000,
    }
    assert "secret" not in str(world.tenant.schedules)


def test_view_shows_all_options_and_digests_of_what_is_redacted(world: World) -> None:
    expected = {
        "delay": 90,
        "retries": 0,
        "label": "a",
        "labels": ["a", "b"],
        "queueName": "q",
        "callback": "https://h/cb",
        "flowControlKey": "k",
        "parallelism": 2,
        "period": 1,
        "retryDelayExpression": "1000",
        "body": "tick",
    }
    options = {
        "upstash_delay": "1m30s",
        "upstash_retries": "0",
        "upstash_label": "a,b",
        "upstash_queue_name": "q",
        "upstash_callback": "https://h/cb",
        "upstash_flow_control_key": "k",
        "upstash_flow_control_value": "parallelism=2",
        "upstash_retry_delay": "1000",
    }
    shown = view(world, create(world, URL, b"tick", **options))
    assert {name: shown[name] for name in expected} == expected
    shown = view(world, create(world, upstash_forward_x="secret", upstash_redact_fields="body,headers"))
    assert shown["body"].startswith("REDACTED:")
    assert shown["header"]["X"][0].startswith("REDACTED:")


def test_same_id_replaces_entirely() -> None:
    """An old body disappears; the old rhythm, too; that is possible at the limit as well."""
    world = World(max_schedules=1)
    create(world, upstash_schedule_id="s", upstash_label="old")
    create(world, body=None, upstash_schedule_id="s", upstash_cron="0 0 * * *")
    shown = view(world, "s")
    assert "body" not in shown
    assert "label" not in shown
    world.advance(3_600)
    assert not world.delivered
    assert len(world.call("GET /v2/schedules").body) == 1
    assert refused(create, world) == 412


def test_paused_schedule_makes_nothing_and_goes_on_from_now(world: World) -> None:
    """Ticks missed in a pause are not made up for."""
    schedule_id = create(world)
    world.call(f"PATCH /v2/schedules/{schedule_id}/pause")
    world.advance(600)
    assert not world.delivered
    assert view(world, schedule_id)["isPaused"] is True
    assert "nextScheduleTime" not in view(world, schedule_id)
    world.call(f"POST /v2/schedules/{schedule_id}/resume")
    world.advance(60)
    assert len(world.delivered) == 1


def test_deleted_schedule_stops_but_its_messages_go(world: World) -> None:
    schedule_id = create(world, upstash_delay="30s")
    world.advance(TO_NEXT_MINUTE_SECONDS)
    world.call(f"DELETE /v2/schedules/{schedule_id}")
    world.advance(600)
    assert len(world.delivered) == 1
    assert refused(world.call, f"DELETE /v2/schedules/{schedule_id}") == 404


def test_last_states_follow_the_messages(world: World) -> None:
    world.answer = lambda _effect: FAILURE
    schedule_id = create(world, upstash_retries="1", upstash_retry_delay="10000")
    world.advance(TO_NEXT_MINUTE_SECONDS)
    message_id = world.delivered[0].message.id
    assert view(world, schedule_id)["lastScheduleStates"] == {message_id: "IN_PROGRESS"}
    assert view(world, schedule_id)["lastScheduleTime"] == START_MS + 40_000
    world.advance(10)
    assert view(world, schedule_id)["lastScheduleStates"] == {message_id: "FAIL"}


def test_group_is_resolved_at_each_tick(world: World) -> None:
    """A group that is gone shows as the schedule's error until it is back."""
    schedule_id = create(world, "g")
    world.advance(TO_NEXT_MINUTE_SECONDS)
    assert "does not exist" in view(world, schedule_id)["error"]
    world.group({"url": "https://a/"}, {"url": "https://b/"})
    world.advance(60)
    assert [effect.message.url for effect in world.delivered] == ["https://a/", "https://b/"]
    assert "error" not in view(world, schedule_id)


def test_schedule_may_enqueue(world: World) -> None:
    """The queue keeps its parallelism."""
    world.call("POST /v2/queues", {"queueName": "q", "parallelism": 3})
    create(world, upstash_queue_name="q")
    world.advance(TO_NEXT_MINUTE_SECONDS)
    assert world.delivered[0].message.queue == "q"
    assert world.tenant.queues["q"].parallelism == 3


def test_time_scale_speeds_up_the_rhythm_evenly() -> None:
    """With scale 60 a tick each second, none twice and none lost."""
    world = World(time_scale=60)
    create(world)
    world.advance(30)
    times = [effect.message.created_at_ms for effect in world.delivered]
    assert len(times) == 30
    assert {later - earlier for earlier, later in pairwise(times)} <= {999, 1_000, 1_001}


@pytest.mark.parametrize(
    "headers",
    [
        {"upstash_cron": "nonsense"},
        {"upstash_cron": ""},
        {"upstash_schedule_id": "a b"},
        {"upstash_not_before": "2000000000"},
        {"upstash_retries": "x"},
    ],
)
def test_bad_schedules_are_refused(headers: dict[str, str]) -> None:
    """At creation, not at the first tick."""
    assert refused(create, World(), URL, b"", **headers) == 400
