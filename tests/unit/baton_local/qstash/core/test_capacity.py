from baton_local.qstash.core.queues import Capacity, Line
from tests.unit.baton_local.qstash.machine_world import OK, World


def test_one_destination_never_takes_more_than_half_of_the_slots() -> None:
    """Whoever never answers leaves room for others: n silent ones share n/(n+1) of the slots."""
    world = World(max_in_flight=12)
    for number, destination in enumerate(("https://a/", "https://b/", "https://c/")):
        for _ in range(20):
            world.publish(destination)
        assert len(world.in_flight) == (6, 9, 11)[number]
    lively = world.publish_id("https://lively/")
    assert world.in_flight[-1].message.id == lively


def test_parked_messages_go_on_in_order_when_slots_are_free() -> None:
    """Each end of a delivery lets the next one start; those cancelled meanwhile are never sent."""
    world = World(max_in_flight=4)
    ids = [world.publish_id() for _ in range(20)]
    for _ in range(5):
        world.publish(upstash_label="gone")
    world.call("DELETE /v2/messages?label=gone")
    world.finish(world.in_flight[0], OK)
    world.settle()
    assert world.delivered_ids() == ids
    assert world.state.capacity.in_flight == 0


def test_nothing_is_remembered_about_idle_destinations() -> None:
    """Memory does not grow with the number of destinations ever used."""
    capacity = Capacity(2)
    for number in range(100):
        capacity.take(f"o{number}")
        capacity.park(f"o{number}", ("u", "m"), number)
        capacity.unpark(f"o{number}", ("u", "m"))
        capacity.give_back(f"o{number}")
    assert capacity._origins == {}
    assert capacity.next_parked() is None


def test_timers_of_cancelled_messages_do_not_pile_up(world: World) -> None:
    """Publishing far ahead and cancelling again and again keeps memory bounded, and loses no other timer."""
    kept = world.publish_id(upstash_delay="9d", upstash_label="kept")
    for _ in range(10):
        for _ in range(500):
            world.publish(upstash_delay="30d", upstash_label="gone")
        world.call("DELETE /v2/messages?label=gone")
    assert len(world.state.timers) < 2_100
    world.advance(10 * 86_400)
    assert world.delivered_ids() == [kept]


def test_those_who_left_take_no_room() -> None:
    line = Line[int]()
    for number in range(10_000):
        line.join(number, number)
        line.leave(number)
    assert len(line._heap) < 2_000
