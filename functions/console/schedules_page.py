"""The queue's schedules; each can be paused."""

from starlette.responses import Response

from events.errors import MessageNotFoundError
from functions.api.problem import ApiError
from functions.console.gate import Visit
from functions.container import Container

HOME = "/console/schedules"


class SchedulesPage:
    """Shows schedules."""

    def __init__(self, container: Container) -> None:
        self._schedules = container.ports.schedules

    async def show(self, visit: Visit) -> Response:
        """All of them."""
        return visit.page("schedules.html", schedules=await self._schedules.all())

    async def pause(self, visit: Visit) -> Response:
        """No more ticks until it is resumed."""
        return await self._set(visit, paused=True)

    async def resume(self, visit: Visit) -> Response:
        """It goes on."""
        return await self._set(visit, paused=False)

    async def _set(self, visit: Visit, *, paused: bool) -> Response:
        schedule_id = visit.request.path_params["schedule_id"]
        try:
            await self._schedules.pause(schedule_id, paused=paused)
        except MessageNotFoundError as error:
            raise ApiError(404, f"there is no schedule {schedule_id!r}") from error
        return visit.go(HOME, f"Schedule {schedule_id} {'is paused' if paused else 'goes on'}.")
