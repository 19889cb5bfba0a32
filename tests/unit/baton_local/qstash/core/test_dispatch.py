from baton_local.qstash.core.commands.messages import CancelMessages
from baton_local.qstash.core.selection import Selection
from tests.unit.baton_local.qstash.machine_world import USER, World


def test_timers_of_cancelled_messages_do_not_pile_up() -> None:
    """Publishing far ahead and cancelling again and again keeps memory bounded, and loses no other timer."""
    world = World()
    kept = world.publish_id(upstash_delay="9d", upstash_label="kept")
    for _ in range(10):
        for _ in range(500):
            world.publish(upstash_delay="30d", upstash_label="gone")
        world.do(CancelMessages(USER, Selection({"label": frozenset({"gone"})})))
    assert len(world.state.timers) < 2_100
    world.advance(10 * 86_400)
    assert world.delivered_ids() == [kept]
