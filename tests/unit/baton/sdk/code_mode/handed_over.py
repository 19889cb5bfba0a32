"""Scripts whose values are small inside and would be huge outside, and all doors by which they try to leave.

Run as a program it plays those that it is given, one a line: what goes wrong takes this process, and no other.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from baton.sdk.code_mode.interpreter import Stretch, WorkerDiedError
from baton.sdk.records.limits import CodeMode

# Values `v` that are over each limit, once they are written out.
VALUES = {
    "a text many times": "a = 'x' * 1_000_000\nv = [a] * 4_000",
    "a list many times": "a = [0] * 1_000\nv = [a] * 10_000",
    "lists of lists": "v = []\nfor i in range(60): v = [v, v]",
    "tuples": "v = ()\nfor i in range(60): v = (v, v)",
    "objects": "v = {}\nfor i in range(60): v = {'a': v, 'b': v}",
    "lists in objects": "v = 0\nfor i in range(60): v = {'a': [v, v]}",
    "keys": "v = ()\nfor i in range(60): v = (v, v)\nv = {v: 1}",
    "keys many times": "v = ()\nfor i in range(22): v = (v, v)\nv = {v: 1}\nv = [v.copy() for i in range(1_000)]",
    "sets": "v = ()\nfor i in range(60): v = (v, v)\nv = {v}",
    "frozen sets": "v = frozenset()\nfor i in range(60): v = frozenset([v, (v,)])",
    "deques": "import collections\nv = 0\nfor i in range(60): v = collections.deque([v, v])",
    "named tuples": "import collections as c\nP = c.namedtuple('P', 'x y')\nv = 0\nfor i in range(60): v = P(v, v)",
    "counters": "import collections\nv = collections.Counter()\nfor i in range(60): v = {'a': v, 'b': v}",
    "instances": "class P:\n    pass\nv = 0\nfor i in range(60):\n    p = P()\n    p.a = p.b = v\n    v = p",
    "data classes": (
        "import dataclasses as d\n@d.dataclass\nclass P:\n    a: object\n    b: object\n"
        "v = 0\nfor i in range(60): v = P(v, v)"
    ),
    "a long text": "v = 'x' * 20_000_000",
    "a text of wide characters": "v = 'x' * 20_000_000 + '\\U0001F600'",
    "bytes": "v = b'x' * 20_000_000",
    "many numbers": "v = [0] * 400_000",
    "many lists": "v = [[] for i in range(400_000)]",
    "long keys": "v = {'x' * 100_000 + str(i): i for i in range(100)}",
    "many keys": "v = {str(i): i for i in range(100_000)}",
    "a long number": "v = 7 ** 2_000_000",
    "a deep list": "v = []\nfor i in range(100_000): v = [v]",
    "a deep object": "v = {}\nfor i in range(100_000): v = {'a': v}",
    "a list in itself": "v = []\nv.append(v)",
    "a range": "v = range(10 ** 12)",
    "a product": "import itertools\nv = itertools.repeat('x' * 1_000_000)",
}
# What a script does with it. Of these none may be more than an error of the script.
REFUSED = {
    "value": "v",
    "returned": "if True:\n    return v",
    "inside a value": "{'a': (1, [v])}",
    "argument": "await look(v)",
    "named argument": "await look(n=[v])",
    "one of several calls": "await asyncio.gather(look(1), look(v))",
    "in a text": "f'{await look(v)}'",
    "by a text of code": "await eval('look(v)')",
    "by a function as value": "async def of(f, x):\n    return await f(x)\nawait of(look, v)",
}
# What the interpreter may refuse, or do in its own memory and time.
BOUNDED = {
    "printed": "print(v)",
    "printed in pieces": "print(*[v] * 100, sep=str(v))",
    "a text of it": "str(v)[:10]",
    "exception": "raise ValueError(v)",
    "exception's text": "raise ValueError(str(v))",
    "group of texts": "raise ValueError('x' * 25_000_000 + '\\U0001F600')",
    "missing key": "{}[v]",
    "an unknown function": "eval('nobody(v)')",
    "a builtin that is not there": "input(v)",
    "again and again": "while True:\n    try:\n        eval('nobody(v, v)')\n    except NameError:\n        pass",
    "a long name": "eval('x' * 10_000_000)",
    "the door": "eval('baton_door(v)')",
    "what made the door": "eval('_baton_made(v)')",
    "ours with another length": "len = id = str = type = isinstance = lambda *x: 0\nawait look(v)",
    "ours as another function": "baton_tool = baton_result = lambda *x: v\nv",
    "ours with another list": "_baton.clear()\nbaton_tool(v, v, v)\nv",
    "ours in another line": "await baton_tool(look, 'look', v)(1)",
    "a file": "open(v)",
    "a variable": "import os\nos.getenv(v)",
    "the time": "import datetime\ndatetime.datetime.now(v)",
    "kept": "await look(1)",
    "never awaited": "a = [look(1) for i in range(50)]\nv",
}
STUBS = "from typing import Any\nasync def look(n: Any = 0) -> Any: ...\n"
BOUNDS = CodeMode(seconds=0.7)


def _memory_mb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


class _Ticking(threading.Thread):
    """Notes for how long no other thread of the process could run. `worst`: in seconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.worst, self._before = 0.0, time.monotonic()

    def run(self) -> None:
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            self.worst, self._before = max(self.worst, now - self._before), now


def play(value: str, door: str) -> dict[str, Any]:
    """Run a script that hands this value to this door; return what came of it, and what it took."""
    code = f"import asyncio\n{VALUES[value]}\n{(REFUSED | BOUNDED)[door]}"
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before_mb, began = _memory_mb("VmRSS"), time.monotonic()
    try:
        found: Any = Stretch("call", 0, BOUNDS, {"look": ("look", ("n",))}, code).begin(STUBS)
        kind, said = type(found).__name__, getattr(found, "shown", "")
    except WorkerDiedError as error:
        kind, said = "died", str(error)
    return {
        "kind": kind,
        "said": said[-300:],
        "grown_mb": _memory_mb("VmHWM") - before_mb,
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    Stretch("call", 0, BOUNDS, {}, "1").begin("")  # its process starts
    (ticking := _Ticking()).start()
    for line in sys.stdin:
        ticking.worst = 0.0
        outcome = play(*json.loads(line))
        sys.stdout.write(json.dumps({**outcome, "stalled": round(ticking.worst, 1)}) + "\n")
        sys.stdout.flush()
