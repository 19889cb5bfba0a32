from baton_local.qstash.core.changes import UserForgotten
from baton_local.qstash.core.commands.tenants import Reset, RotateKeys
from tests.unit.baton_local.qstash.machine_world import OK, USER, World


def test_everything_of_the_user_is_gone() -> None:
    world = World()
    keys = world.tenant.keys
    world.publish(queue="q", upstash_flow_control_key="f", upstash_flow_control_value="rate=1")
    world.publish(upstash_delay="5s", upstash_deduplication_id="d")
    world.do(RotateKeys(USER, "k3"))
    world.do(Reset(USER))
    tenant = world.tenant
    assert not any((tenant.live, tenant.queues, tenant.flows, tenant.dlq, len(tenant.dedup)))
    assert tenant.keys == keys
    assert not any(tenant.counters.as_dict().values())
    assert world.changes[-1] == UserForgotten(USER)


def test_what_comes_back_afterwards_changes_nothing() -> None:
    world = World(max_in_flight=2)
    world.publish()
    (effect,) = world.in_flight
    world.do(Reset(USER))
    assert world.state.capacity.in_flight == 0
    world.finish(effect, OK)
    world.advance(100_000)
    assert world.state.capacity.in_flight == 0
    assert not world.events[2:]


def test_others_go_on() -> None:
    world = World(max_in_flight=2)
    world.publish()
    world.publish(user="other")
    assert len(world.in_flight) == 1
    world.do(Reset(USER))
    assert [effect.message.user for effect in world.in_flight] == [USER, "other"]
