from baton_local.qstash.core.commands.messages import CancelMessages
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.selection import Selection
from tests.unit.baton_local.qstash.machine_world import OK, USER, World


def test_one_destination_never_takes_more_than_half_of_the_slots() -> None:
    world = World(max_in_flight=10)
    for _ in range(50):
        world.publish("https://silent/")
    assert len(world.in_flight) == 5
    lively = world.publish_id("https://lively/")
    assert world.in_flight[-1].message.id == lively


def test_several_silent_destinations_still_leave_room() -> None:
    world = World(max_in_flight=12)
    for destination in ("https://a/", "https://b/", "https://c/"):
        for _ in range(20):
            world.publish(destination)
    in_flight = len(world.in_flight)
    assert in_flight < 12
    world.publish("https://lively/")
    assert len(world.in_flight) == in_flight + 1


def test_parked_messages_go_on_in_order_when_slots_are_free() -> None:
    """Each end of a delivery lets the next one start; all are delivered."""
    world = World(max_in_flight=4)
    ids = [world.publish_id() for _ in range(20)]
    world.settle()
    assert world.delivered_ids() == ids
    assert world.state.capacity.in_flight == 0


def test_cancelled_parked_messages_are_never_sent() -> None:
    world = World(max_in_flight=2)
    first = world.publish_id()
    for _ in range(5):
        world.publish()
    world.do(CancelMessages(USER, Selection()))
    world.finish(world.in_flight[0], OK)
    world.settle()
    assert world.delivered_ids() == [first]


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
