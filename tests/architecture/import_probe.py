"""Run in a fresh interpreter: imports modules and prints, as JSON, what that loaded, opened and read.

Arguments: a JSON object with `modules` (what to import), `missing` (top-level modules that are to be as if they were
not installed) and `counts`: whether to print how many functions were called instead. Standard library only, so that it
adds nothing to what it measures.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator, MutableMapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

OURS = ("baton", "baton_events", "baton_local")
FORBIDDEN_AUDITS = ("socket.", "subprocess.", "os.system", "os.fork", "os.exec", "sqlite3.", "os.mkdir", "os.remove")
WRITING = os.O_WRONLY | os.O_RDWR


class NotInstalled(MetaPathFinder):
    def __init__(self, names: list[str]) -> None:
        self._names = set(names)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Refuse the named ones, leave the others to the finders that follow."""
        del path, target
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


class WatchedEnvironment(MutableMapping[str, str]):
    def __init__(self, real: MutableMapping[str, str]) -> None:
        self._real = real
        self.readers: list[str] = []

    def _note(self) -> None:
        frame = sys._getframe(2)  # the one way to learn who reads
        while frame is not None:
            name = str(frame.f_globals.get("__name__"))
            if name.partition(".")[0] in OURS:
                self.readers.append(name)
                return
            if name not in ("os", "_collections_abc", "collections.abc"):
                return
            assert frame.f_back is not None
            frame = frame.f_back

    def __getitem__(self, key: str) -> str:
        self._note()
        return self._real[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._real[key] = value

    def __delitem__(self, key: str) -> None:
        del self._real[key]

    def __iter__(self) -> Iterator[str]:
        self._note()
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)


def probe(modules: list[str], missing: list[str]) -> dict[str, list[str]]:
    audits: list[str] = []
    watched = WatchedEnvironment(os.environ)  # noqa: TID251 - it is what this test is about

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN_AUDITS) or (event == "open" and arguments[2] & WRITING):
            audits.append(f"{event} {arguments[:1]}")

    sys.meta_path.insert(0, NotInstalled(missing))
    sys.dont_write_bytecode = True
    os.environ = watched  # type: ignore[assignment] # noqa: B003, TID251 - a mapping, as everybody uses it
    sys.addaudithook(hook)
    for module in modules:
        importlib.import_module(module)
    tops = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    return {
        "loaded": sorted(name for name in tops if not name.startswith("_")),
        "ours": sorted(name for name in sys.modules if name.partition(".")[0] in OURS),
        "audits": audits,
        "readers": watched.readers,
    }


def calls(modules: list[str], missing: list[str]) -> int:
    """Import, and count the functions that were called: what imports cost on any machine, however busy."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.meta_path.insert(0, NotInstalled(missing))
    sys.dont_write_bytecode = True
    sys.setprofile(count)
    for module in modules:
        importlib.import_module(module)
    sys.setprofile(None)
    return counted


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    measure = calls if request.get("counts") else probe
    sys.stdout.write(json.dumps(measure(request["modules"], request["missing"])))
