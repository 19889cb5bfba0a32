"""Which worker runs what: a file's tests share its stack, a folder's what is made once, and others share nothing."""

from xdist.scheduler import LoadScopeScheduling

# Their session makes bundles, or a stack and a browser, or parses all files, or imports the libraries of all providers:
# more than the tests themselves take.
TOGETHER = ("tests/deploy", "tests/browser", "tests/architecture", "tests/unit/baton/sdk/models/through_pydantic_ai")
# Their tests take seconds each and share nothing: else one worker has them all when the others are done.
_UNIT = "tests/unit/baton"
APART = (
    *(f"{_UNIT}/sdk/workflows/test_{name}.py" for name in ("branches", "ported", "random_programs", "workflow")),
    *(f"{_UNIT}/sdk/{name}.py" for name in ("libraries/test_crash_points", "pydantic_ai/test_forks")),
    *(f"{_UNIT}/testing/test_planted.py", f"{_UNIT}/worker/executors/test_script_run.py", "tests/values/test_mends.py"),
)
# But for those that play the promised schedules: what they have met is told together.
_PLAYED = ("tests/simulation/test_simulation.py", "test_no_")


class Scheduling(LoadScopeScheduling):
    """Gives out files and folders in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        """Name what stays on one worker with this test."""
        file, _, test = nodeid.partition("::")
        if file in APART or (file == _PLAYED[0] and not test.startswith(_PLAYED[1])):
            return nodeid
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)
