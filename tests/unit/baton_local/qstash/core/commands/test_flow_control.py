from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from baton_local.qstash.core.message import AttemptResult
from baton_local.qstash.core.state import Deliver
from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, START_MS, URL, World, refused


def publish(
    world: World, value: str, key: str = "k", destination: str = URL, queue: str | None = None, **headers: str
) -> str:
    own = {"queue": queue} | headers
    return world.publish_id(destination, b"", **own, upstash_flow_control_key=key, upstash_flow_control_value=value)


def view(world: World, key: str = "k") -> dict[str, Any]:
    body: dict[str, Any] = world.call(f"GET /v2/flowControl/{key}").body
    return body


def test_parallelism_holds_across_destinations(world: World) -> None:
    """Those who wait go in order, unless they are cancelled; the latest message sets the limit for them, too."""
    ids = [publish(world, "parallelism=2", destination=f"https://h{number}/") for number in range(6)]
    assert [effect.message.id for effect in world.in_flight] == ids[:2]
    assert world.states(ids[2]) == ["CREATED"]
    assert (view(world)["waitListSize"], view(world)["parallelismCount"]) == (4, 2)
    world.cancel(ids[3])
    assert view(world)["waitListSize"] == 3
    world.finish(world.in_flight[0], OK)
    assert [effect.message.id for effect in world.in_flight] == ids[1:3]
    last = publish(world, "parallelism=4")
    assert [effect.message.id for effect in world.in_flight] == [*ids[1:3], *ids[4:]]
    world.settle()
    assert world.delivered_ids() == [*ids[:3], *ids[4:], last]


def test_rate_bounds_starts_per_period(world: World) -> None:
    """The window begins with its first start; who waits for the next one may start when the rate is reset."""
    for _ in range(7):
        publish(world, "rate=3,period=10s")
    world.settle()
    for seconds, delivered in ((0, 3), (9.999, 3), (0.001, 6)):
        world.advance(seconds)
        assert len(world.delivered) == delivered
    assert view(world)["waitListSize"] == 1
    world.call("POST /v2/flowControl/k/resetRate")
    assert view(world)["waitListSize"] == 0
    world.settle()
    assert len(world.delivered) == 7


def test_retries_count_as_starts_and_hold_no_slot() -> None:
    """While a message waits for its retry another one may go."""
    world = World()
    world.answer = lambda _effect: FAILURE
    publish(world, "parallelism=1", upstash_retry_delay="60000")
    second = publish(world, "parallelism=1")
    world.settle()
    assert world.delivered_ids()[1] == second
    world = World()
    world.answer = lambda _effect: FAILURE
    publish(world, "rate=1,period=60s", upstash_retry_delay="1000")
    world.advance(59)
    assert len(world.delivered) == 1
    world.advance(1)
    assert len(world.delivered) == 2


def test_view_has_every_field(world: World) -> None:
    publish(world, "rate=5,period=1m")
    assert view(world) == {
        "flowControlKey": "k",
        "waitListSize": 0,
        "parallelismMax": 0,
        "parallelismCount": 1,
        "rateMax": 5,
        "rateCount": 1,
        "ratePeriod": 60,
        "ratePeriodStart": START_MS // 1_000,
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }
    assert world.call("GET /v2/globalParallelism").body == {"parallelismMax": 512, "parallelismCount": 1}


def test_pinned_limits_override_messages(world: World) -> None:
    """Until unpinned; only the named ones."""
    world.call("POST /v2/flowControl/k/pin?parallelism=1")
    for _ in range(3):
        publish(world, "parallelism=9,rate=7")
    assert len(world.in_flight) == 1
    shown = view(world)
    assert (shown["parallelismMax"], shown["isPinnedParallelism"]) == (1, True)
    assert (shown["rateMax"], shown["isPinnedRate"]) == (7, False)
    world.call("POST /v2/flowControl/k/pin?rate=2&period=60")
    world.call("POST /v2/flowControl/k/unpin?parallelism=true")
    publish(world, "parallelism=9,rate=7")
    shown = view(world)
    assert (shown["parallelismMax"], shown["rateMax"], shown["ratePeriod"], shown["isPinnedRate"]) == (9, 2, 60, True)


def test_a_period_pins_the_rate_as_well(world: World) -> None:
    """Messages bring their own no more."""
    world.call("POST /v2/flowControl/k/pin?period=60")
    publish(world, "rate=7")
    shown = view(world)
    assert (shown["ratePeriod"], shown["isPinnedRate"], shown["isPinnedParallelism"]) == (60, True, False)


def test_reset_also_frees_parallelism(world: World) -> None:
    """Deliveries that never came back no longer count."""
    for _ in range(2):
        publish(world, "parallelism=1")
    world.call("POST /v2/flowControl/k/reset")
    assert len(world.in_flight) == 2
    world.settle()
    assert view(world)["parallelismCount"] == 0


def test_unknown_keys_are_404_and_search_finds_parts(world: World) -> None:
    publish(world, "rate=1", key="tenant-a")
    publish(world, "rate=1", key="tenant-b")
    found = world.call("GET /v2/flowControl?search=-b").body
    assert [each["flowControlKey"] for each in found] == ["tenant-b"]
    for what in ("resume", "unpin", "resetRate"):
        assert refused(world.call, f"POST /v2/flowControl/x/{what}") == 404
    assert refused(world.call, "POST /v2/flowControl/x/pin") == 400


def test_key_is_forgotten_only_when_nothing_needs_it() -> None:
    """It outlives its last message by the retention time, and a delayed message keeps it."""
    world = World(flow_key_retention_ms=60_000)
    publish(world, "rate=1", upstash_delay="10m")
    world.advance(600)
    assert view(world)["rateMax"] == 1
    world.advance(121)
    assert not world.tenant.flows
    world.call("POST /v2/flowControl/pinned/pin?rate=1")
    world.advance(600)
    assert list(world.tenant.flows) == ["pinned"]


def test_wait_list_keeps_its_order_behind_a_full_destination() -> None:
    """A message that the key let through and that found no slot goes back to the place it had."""
    world = World(max_in_flight=4)
    others = [world.publish_id(body=b"") for _ in range(2)]  # half of the slots: this destination is full
    ids = [publish(world, "parallelism=1") for _ in range(5)]
    assert [effect.message.id for effect in world.in_flight] == others
    world.settle()
    assert world.delivered_ids() == others + ids


def test_paused_queue_holds_what_waited_for_its_key(world: World) -> None:
    """A message that waits for a flow key when its queue is paused does not start when the key is free."""
    first = publish(world, "parallelism=1")
    second = publish(world, "parallelism=1", queue="q")
    world.call("POST /v2/queues/q/pause")
    third = publish(world, "parallelism=1")
    world.settle()
    assert world.delivered_ids() == [first, third]
    world.call("POST /v2/queues/q/resume")
    world.settle()
    assert world.delivered_ids() == [first, third, second]


def test_paused_queue_holds_what_waited_for_a_slot() -> None:
    world = World(max_in_flight=2)
    first = world.publish_id()
    second = world.publish_id(queue="q")
    world.call("POST /v2/queues/q/pause")
    world.settle()
    assert world.delivered_ids() == [first]
    world.call("POST /v2/queues/q/resume")
    world.settle()
    assert world.delivered_ids() == [first, second]


def fails_first(effect: Deliver) -> AttemptResult:
    return FAILURE if effect.retried == 0 else OK


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 3), st.booleans(), st.integers(0, 3)),
        max_size=25,
    )
)
def test_limits_hold_and_everything_is_delivered(plan: list[tuple[str, int, int, bool, int]]) -> None:
    """For any mixture of keys, failures and pauses in time: never too many in flight, nothing is left behind."""
    world = World(max_in_flight=8)
    for key, wait_seconds, delay_seconds, fails, finish in plan:
        publish(
            world, "parallelism=2,rate=3,period=5s", key, upstash_delay=f"{delay_seconds}s", upstash_retry_delay="1000"
        )
        world.answer = fails_first if fails else lambda _effect: OK
        for _ in range(min(finish, len(world.in_flight))):
            world.finish(world.in_flight[0], world.answer(world.in_flight[0]))
        for flow_key in "ab":
            assert sum(each.message.flow.key == flow_key for each in world.in_flight if each.message.flow) <= 2
        if wait_seconds:
            world.advance(wait_seconds)
    world.answer = lambda _effect: OK
    world.advance(10_000)
    assert not world.tenant.live
    assert world.state.capacity.in_flight == 0
    starts: dict[str, list[int]] = {}
    for event in world.events:
        if event.state == "ACTIVE" and event.message.flow:
            starts.setdefault(event.message.flow.key, []).append(event.time_ms)
    for times in starts.values():  # two whole windows of three starts cannot lie within one period
        assert all(later - earlier >= 5_000 for earlier, later in zip(times, times[6:], strict=False))
