"""The end of a Lambda process that needs a restart: after its answer, so that the next invocation gets a fresh process.

Lambda takes an answer at its Runtime API, whoever sends it, and starts a new process where the old one has ended.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import logging
import os
from http.client import HTTPConnection, HTTPException
from typing import Any

_log = logging.getLogger("baton.lambda")

_TIMEOUT_SECONDS = 5.0


def answer_and_end(runtime_api: str, request_id: str, answer: Any, reason: str) -> None:
    """Answer the invocation and end the process. Return only where the answer is not accepted."""
    _log.error("this process ends after its answer: %s", reason)
    if _is_accepted(runtime_api, request_id, json.dumps(answer).encode()):
        logging.shutdown()
        os._exit(1)  # nothing else ends a process in which threads hang


def _is_accepted(runtime_api: str, request_id: str, body: bytes) -> bool:
    connection = HTTPConnection(runtime_api, timeout=_TIMEOUT_SECONDS)
    try:
        path = f"/2018-06-01/runtime/invocation/{request_id}/response"
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        _log.warning("the process continues: Lambda did not accept its answer: %s", error)
        return False
    finally:
        connection.close()
    if status != 202:  # noqa: PLR2004 - "Accepted", the one that Lambda's page names
        _log.warning("the process continues: Lambda answered %d to its answer", status)
        return False
    return True
