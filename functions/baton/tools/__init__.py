"""Tools that are ready to use: re-exports only.

`calculate`, `now`, `time_between`, `time_after`, `query_json` and `query_csv` are tools; `http_fetch`, `file_tools` and
`data_file_tools` make some for the hosts or the folder that you allow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton.tools.builtin.calculate import calculate
    from baton.tools.builtin.files import file_tools
    from baton.tools.builtin.http_fetch import http_fetch
    from baton.tools.builtin.queries import data_file_tools, query_csv, query_json
    from baton.tools.builtin.times import now, time_after, time_between

__all__ = [
    "calculate",
    "data_file_tools",
    "file_tools",
    "http_fetch",
    "now",
    "query_csv",
    "query_json",
    "time_after",
    "time_between",
]
_WHERE = {
    "calculate": "baton.tools.builtin.calculate",
    "data_file_tools": "baton.tools.builtin.queries",
    "file_tools": "baton.tools.builtin.files",
    "http_fetch": "baton.tools.builtin.http_fetch",
    "now": "baton.tools.builtin.times",
    "query_csv": "baton.tools.builtin.queries",
    "query_json": "baton.tools.builtin.queries",
    "time_after": "baton.tools.builtin.times",
    "time_between": "baton.tools.builtin.times",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
