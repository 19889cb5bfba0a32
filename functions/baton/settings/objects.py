"""The settings of large payloads: where objects are kept, and from which size on. Pure.

Invariant: an address has no credentials in it, since it is shown.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from baton_events.setting import EVERYWHERE, Setting, is_loopback, read_by, whole

_ADDRESS = {
    "s3": r"s3://[A-Za-z0-9.-]+(/[\w./-]*)?",
    "gs": r"gs://[A-Za-z0-9._-]+(/[\w./-]*)?",
    "az": r"az://[a-z0-9-]+(/[\w./-]*)?",
    "file": r"file:///[^\s,?#@]+",
}


def object_store_url(given: str) -> str:
    """Check the addresses of object stores; return them with commas between."""
    urls = tuple(each.strip().rstrip("/") for each in given.split(",") if each.strip())
    if not urls or any(not re.fullmatch(_ADDRESS.get(urlsplit(each).scheme, "-"), each) for each in urls):
        raise ValueError("s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER, or several")
    return ",".join(urls)


def object_store_options(given: str) -> tuple[tuple[str, Any], ...]:
    """Read what the client of the object store is given."""
    what = 'a JSON object of texts, numbers and flags, such as {"region": "eu-central-1"}'
    try:
        pairs = tuple(sorted(json.loads(given).items()))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(what) from error
    if any(isinstance(value, list | dict) or value is None for _, value in pairs):
        raise ValueError(what)
    if dict(pairs).get("allow_http") and not is_loopback(str(dict(pairs).get("endpoint", ""))):
        raise ValueError("without allow_http, which is for an endpoint of this machine alone")
    return pairs


OBJECT_SETTINGS = tuple(
    read_by(
        EVERYWHERE,
        Setting(
            "OBJECT_STORE_URL",
            "object_store_url",
            "",
            "URL, …",
            "where large payloads are kept: `s3://`, `gs://`, `az://` or `file:///` (extra `objects`); the first is"
            " written, all are read; none: all in the store",
            object_store_url,
        ),
        Setting(
            "OBJECT_STORE_OPTIONS",
            "object_store_options",
            "{}",
            "JSON",
            "options of its client: `endpoint`, `region`, `access_key_id`, `timeout`, …",
            object_store_options,
            secret=True,
        ),
        Setting(
            "OBJECT_FROM_BYTES",
            "object_from_bytes",
            "65536",
            "bytes",
            "payloads from this size on are objects, where there is an object store",
            whole(1_000, 100_000_000),
        ),
        Setting(
            "LARGE_RESULT_LIMIT_BYTES",
            "large_result_limit_bytes",
            "100000000",
            "bytes",
            "largest tool result where there is an object store",
            whole(1, 1_000_000_000),
        ),
    )
)
