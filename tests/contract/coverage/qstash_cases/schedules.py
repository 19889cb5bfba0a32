from tests.contract.coverage.qstash_cases.scene import UNAUTHORISED, QStashCase, Scene
from tests.contract.qstash.either_client import EitherClient

YEARLY = "1 1 1 1 1"


async def made(sdk: EitherClient, scene: Scene) -> str:
    """A schedule that does not run during a test."""
    return str(await sdk.schedule.create(destination=scene.url, cron=YEARLY, schedule_id=scene.name))


async def create(sdk: EitherClient, scene: Scene) -> None:
    """Under the id that was asked for, replacing the one before."""
    await sdk.schedule.create(destination=scene.url, cron="*/5 * * * *", schedule_id=scene.name, body="old")
    assert await made(sdk, scene) == scene.name
    schedule = await sdk.schedule.get(scene.name)
    assert (schedule.cron, schedule.body, schedule.retries) == (YEARLY, None, 3)


async def create_json(sdk: EitherClient, scene: Scene) -> None:
    """As JSON."""
    schedule_id = await sdk.schedule.create_json(destination=scene.url, cron=YEARLY, body={"a": 1})
    schedule = await sdk.schedule.get(schedule_id)
    assert (schedule.body, schedule.headers) == ('{"a": 1}', {"Content-Type": ["application/json"]})


async def get(sdk: EitherClient, scene: Scene) -> None:
    """As created."""
    schedule = await sdk.schedule.get(await made(sdk, scene))
    assert (schedule.schedule_id, schedule.destination, schedule.paused) == (scene.name, scene.url, False)


async def list_all(sdk: EitherClient, scene: Scene) -> None:
    """Among others."""
    assert await made(sdk, scene) in [schedule.schedule_id for schedule in await sdk.schedule.list()]


async def delete(sdk: EitherClient, scene: Scene) -> None:
    """It is gone."""
    await sdk.schedule.delete(await made(sdk, scene))
    assert scene.name not in [schedule.schedule_id for schedule in await sdk.schedule.list()]


async def pause(sdk: EitherClient, scene: Scene) -> None:
    """It says so."""
    await sdk.schedule.pause(await made(sdk, scene))
    assert (await sdk.schedule.get(scene.name)).paused


async def resume(sdk: EitherClient, scene: Scene) -> None:
    """It says so."""
    await sdk.schedule.pause(await made(sdk, scene))
    await sdk.schedule.resume(scene.name)
    assert not (await sdk.schedule.get(scene.name)).paused


CASES = {
    "ScheduleApi.create": QStashCase(create, lambda sdk, s: sdk.schedule.create(destination=s.url, cron="x"), "400"),
    "ScheduleApi.create_json": QStashCase(
        create_json, lambda sdk, s: sdk.schedule.create_json(destination=s.url, cron="99 * * * *"), "400"
    ),
    "ScheduleApi.get": QStashCase(get, lambda sdk, s: sdk.schedule.get(s.name)),
    "ScheduleApi.list": QStashCase(list_all, lambda sdk, _: sdk.schedule.list(), UNAUTHORISED),
    "ScheduleApi.delete": QStashCase(delete, lambda sdk, s: sdk.schedule.delete(s.name)),
    "ScheduleApi.pause": QStashCase(pause, lambda sdk, s: sdk.schedule.pause(s.name)),
    "ScheduleApi.resume": QStashCase(resume, lambda sdk, s: sdk.schedule.resume(s.name)),
}
