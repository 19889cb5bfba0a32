"""Task groups inside of the interpreter, which has none: rewritten code calls them.

Invariant: a group's tasks run in rounds, as the branches of a `gather` do.
"""

# How the failure of a group begins.
OF_GROUP = "unhandled errors in a TaskGroup ("
TASKS = """
class _baton_Task:
    def __init__(self, group, work, name):
        self._baton_group, self._baton_work, self._baton_name = group, work, name
        self._baton_value, self._baton_error, self._baton_state = None, None, "new"

    async def _baton_run(self):
        if self._baton_state != "new":
            return
        self._baton_state = "running"
        try:
            self._baton_value = await self._baton_work
        except Exception as error:
            self._baton_error = error
            self._baton_group._baton_failed.append(error)
            raise
        finally:
            self._baton_state = "done"

    async def _baton_wait(self):
        if self._baton_state == "new":
            await self._baton_group._baton_run()
        self._baton_group._baton_check()
        if self._baton_state != "done":
            raise RuntimeError("a task waits for a task of its own group, which is not possible in a workflow")
        return self._baton_value

    def result(self):
        if self._baton_state != "done":
            raise RuntimeError("Result is not set.")
        if self._baton_error is not None:
            raise self._baton_error
        return self._baton_value

    def exception(self):
        if self._baton_state != "done":
            raise RuntimeError("Exception is not set.")
        return self._baton_error

    def done(self):
        return self._baton_state == "done"

    def cancelled(self):
        return False

    def get_name(self):
        return self._baton_name


class _baton_TaskGroup:
    def __init__(self):
        self._baton_open, self._baton_failed = [], []

    def create_task(self, work, *, name=None, context=None):
        task = _baton_Task(self, work, name)
        self._baton_open.append(task)
        return task

    def _baton_fail(self, error):
        if not self._baton_failed:
            self._baton_failed.append(error)

    def _baton_check(self):
        if self._baton_failed:
            words = [f"{str(type(each))[8:-2]}: {each}" for each in self._baton_failed]
            count = f"{len(words)} sub-exception{'s' if len(words) > 1 else ''}"
            raise Exception(f"unhandled errors in a TaskGroup ({count}): {'; '.join(words)}")

    async def _baton_run(self):
        while self._baton_open and not self._baton_failed:
            started, self._baton_open = self._baton_open, []
            try:
                await _baton_asyncio.gather(*[task._baton_run() for task in started])
            except Exception as error:
                self._baton_fail(error)

    async def _baton_end(self):
        await self._baton_run()
        self._baton_check()


async def _baton_awaited(work):
    return await (work._baton_wait() if isinstance(work, _baton_Task) else work)
"""
