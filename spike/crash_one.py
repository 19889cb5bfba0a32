import asyncio, json, sys, tempfile, shutil
from pathlib import Path
from spike.rows import Row
from tests.bench.peers.crash import crash
Row.crash_seconds = 100.0
store, mode = sys.argv[1:]
class R(Row):
    async def close(self):
        shutil.copy(self.folder / "stack.log", f"/tmp/crash-{store}-{mode}.log")
        await super().close()
with tempfile.TemporaryDirectory() as folder:
    print(json.dumps(asyncio.run(crash(lambda: R(store, mode), "fan10", Path(folder) / "notes"))))
