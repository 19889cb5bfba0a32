"""kill -9 of the app in a fan-out of ten, ten jobs: `python -m spike.crashes`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from spike.rows import Row
from tests.bench.peers.crash import crash

for mode in sys.argv[1:] or ("inline", "queue"):
    for store in ("spike", "today"):
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(crash(lambda: Row(store, mode), "fan10", Path(folder) / "notes"))  # type: ignore[arg-type] # noqa: B023
            found.pop("note")
            print(json.dumps(found), flush=True)
