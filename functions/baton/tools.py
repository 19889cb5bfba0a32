"""Tools that are ready to use: re-exports only.

`calculate`, `now`, `time_between`, `time_after`, `query_json` and `query_csv` are tools; `http_fetch`, `file_tools` and
`data_file_tools` make some for the hosts or the folder that you allow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton.sdk.tools.builtin.calculate import calculate
    from baton.sdk.tools.builtin.files import file_tools
    from baton.sdk.tools.builtin.http_fetch import http_fetch
    from baton.sdk.tools.builtin.queries import data_file_tools, query_csv, query_json
    from baton.sdk.tools.builtin.times import now, time_after, time_between

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
    "calculate": "baton.sdk.tools.builtin.calculate",
    "data_file_tools": "baton.sdk.tools.builtin.queries",
    "file_tools": "baton.sdk.tools.builtin.files",
    "http_fetch": "baton.sdk.tools.builtin.http_fetch",
    "now": "baton.sdk.tools.builtin.times",
    "query_csv": "baton.sdk.tools.builtin.queries",
    "query_json": "baton.sdk.tools.builtin.queries",
    "time_after": "baton.sdk.tools.builtin.times",
    "time_between": "baton.sdk.tools.builtin.times",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
