from tests.contract.coverage.qstash_cases.scene import UNAUTHORISED, QStashCase, Scene
from tests.contract.qstash.either_client import EitherClient


async def get_keys(sdk: EitherClient, _scene: Scene) -> None:
    """Two, of the vendor's form."""
    keys = await sdk.signing_key.get()
    assert keys.current.startswith("sig_")
    assert keys.current != keys.next


async def rotate_keys(sdk: EitherClient, _scene: Scene) -> None:
    """The next becomes the current one."""
    before = await sdk.signing_key.get()
    after = await sdk.signing_key.rotate()
    assert after.current == before.next != after.next


async def list_logs(sdk: EitherClient, scene: Scene) -> None:
    """Newest first."""
    await sdk.message.publish(url=scene.url, delay="1h", label=scene.name)
    (log,) = (await sdk.log.list(filter={"label": scene.name})).logs
    assert (log.state.value, log.url) == ("CREATED", scene.url)


async def list_dead_letters(sdk: EitherClient, scene: Scene) -> None:
    """With the response."""
    entry = await scene.dead_letter(sdk)
    assert (entry.url, entry.response_status, entry.response_body) == (scene.url, 500, "broken")


async def get_dead_letter(sdk: EitherClient, scene: Scene) -> None:
    """The same as in the list."""
    entry = await scene.dead_letter(sdk)
    assert await sdk.dlq.get(entry.dlq_id) == entry


async def delete_dead_letter(sdk: EitherClient, scene: Scene) -> None:
    """It is gone."""
    await sdk.dlq.delete((await scene.dead_letter(sdk)).dlq_id)
    assert (await sdk.dlq.list(filter={"label": scene.name})).messages == []


async def delete_dead_letters(sdk: EitherClient, scene: Scene) -> None:
    """Unknown ids do not count."""
    entry = await scene.dead_letter(sdk)
    assert await sdk.dlq.delete_many([entry.dlq_id, "1-1"]) == 1


async def get_flow(sdk: EitherClient, scene: Scene) -> None:
    """Visible with the first message."""
    await sdk.message.publish(url=scene.url, delay="1h", flow_control={"key": scene.name, "rate": 7, "period": "1m"})
    flow = await sdk.flow_control.get(scene.name)
    assert (flow.rate_max, flow.rate_period, flow.is_paused) == (7, 60, False)


async def global_parallelism(sdk: EitherClient, _scene: Scene) -> None:
    """Room for some."""
    found = await sdk.flow_control.get_global_parallelism()
    assert 0 <= found.parallelism_count < found.parallelism_max


async def pause_flow(sdk: EitherClient, scene: Scene) -> None:
    """Messages wait."""
    await sdk.flow_control.pause(scene.name)
    await sdk.message.publish(url=scene.url, flow_control={"key": scene.name, "parallelism": 1})
    flow = await sdk.flow_control.get(scene.name)
    assert (flow.is_paused, flow.wait_list_size) == (True, 1)


async def resume_flow(sdk: EitherClient, scene: Scene) -> None:
    """What waited goes."""
    await pause_flow(sdk, scene)
    await sdk.flow_control.resume(scene.name)
    await scene.received()


async def pin_flow(sdk: EitherClient, scene: Scene) -> None:
    """Messages change it no more."""
    await sdk.flow_control.pin(scene.name, {"parallelism": 4})
    await sdk.message.publish(url=scene.url, flow_control={"key": scene.name, "parallelism": 9})
    flow = await sdk.flow_control.get(scene.name)
    assert (flow.parallelism_max, flow.is_pinned_parallelism, flow.is_pinned_rate) == (4, True, False)


async def unpin_flow(sdk: EitherClient, scene: Scene) -> None:
    """Messages change it again."""
    await sdk.flow_control.pin(scene.name, {"parallelism": 4})
    await sdk.flow_control.unpin(scene.name, {"parallelism": True})
    assert not (await sdk.flow_control.get(scene.name)).is_pinned_parallelism


async def reset_rate(sdk: EitherClient, scene: Scene) -> None:
    """Counting begins anew."""
    await sdk.message.publish(url=scene.url, flow_control={"key": scene.name, "rate": 7, "period": "1h"})
    assert (await sdk.flow_control.get(scene.name)).rate_count == 1
    await sdk.flow_control.reset_rate(scene.name)
    assert (await sdk.flow_control.get(scene.name)).rate_count == 0


CASES = {
    "SigningKeyApi.get": QStashCase(get_keys, lambda sdk, _: sdk.signing_key.get(), UNAUTHORISED),
    "SigningKeyApi.rotate": QStashCase(rotate_keys, lambda sdk, _: sdk.signing_key.rotate(), UNAUTHORISED),
    "LogApi.list": QStashCase(list_logs, lambda sdk, _: sdk.log.list(count=0), "400"),
    "DlqApi.list": QStashCase(list_dead_letters, lambda sdk, _: sdk.dlq.list(count=0), "400"),
    "DlqApi.get": QStashCase(get_dead_letter, lambda sdk, _: sdk.dlq.get("1-1")),
    "DlqApi.delete": QStashCase(delete_dead_letter, lambda sdk, _: sdk.dlq.delete("1-1")),
    "DlqApi.delete_many": QStashCase(delete_dead_letters, lambda sdk, _: sdk.dlq.delete_many(["1-1"]), UNAUTHORISED),
    "FlowControlApi.get": QStashCase(get_flow, lambda sdk, s: sdk.flow_control.get(s.name)),
    "FlowControlApi.get_global_parallelism": QStashCase(
        global_parallelism, lambda sdk, _: sdk.flow_control.get_global_parallelism(), UNAUTHORISED
    ),
    "FlowControlApi.pause": QStashCase(pause_flow, lambda sdk, s: sdk.flow_control.pause(s.name), UNAUTHORISED),
    "FlowControlApi.resume": QStashCase(resume_flow, lambda sdk, s: sdk.flow_control.resume(s.name)),
    "FlowControlApi.pin": QStashCase(pin_flow, lambda sdk, s: sdk.flow_control.pin(s.name, {"rate": -1}), "400"),
    "FlowControlApi.unpin": QStashCase(unpin_flow, lambda sdk, s: sdk.flow_control.unpin(s.name, {"rate": True})),
    "FlowControlApi.reset_rate": QStashCase(reset_rate, lambda sdk, s: sdk.flow_control.reset_rate(s.name)),
}
