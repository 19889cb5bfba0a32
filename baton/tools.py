"""Tools that are ready to use: re-exports only.

`calculate`, `now`, `time_between`, `time_after`, `query_json` and `query_csv` are tools; `http_fetch`, `file_tools` and
`data_file_tools` make some for the hosts or the folder that you allow.
"""

from functions.tools.builtin.calculate import calculate
from functions.tools.builtin.data_files import data_file_tools
from functions.tools.builtin.http_fetch import http_fetch
from functions.tools.builtin.query_csv import query_csv
from functions.tools.builtin.query_json import query_json
from functions.tools.builtin.times import now, time_after, time_between
from functions.tools.files import file_tools

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
