"""Names that stored states and messages keep: what a running job, or a version before, wrote under them is still read.

Each table maps a field's name in code to its stored name. A Struct takes its table as `rename`.
"""

WORK_ITEM = {
    "timeout_result": "otherwise",
    "approval_of_call": "asks_for",
    "relay_id": "carrier",
    "redelivered": "handed_on",
    "redriven": "driven",
}
SLOT_STATE = {"epoch": "lap"}
