"""Which worker runs what: a file's tests share its stack, and a folder's what is made once for all of it."""

from xdist.scheduler import LoadScopeScheduling

# Their session makes bundles, or a stack and a browser, or parses all files, or imports the libraries of all providers:
# more than the tests themselves take.
TOGETHER = ("tests/deploy", "tests/browser", "tests/architecture", "tests/unit/baton/sdk/models/through_pydantic_ai")


class Scheduling(LoadScopeScheduling):
    """Gives out files and folders in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        """Name what stays on one worker with this test."""
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)
