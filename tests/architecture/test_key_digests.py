"""A digest that stands for texts in a key is whole, or `key_digest`: of a shorter one, somebody finds two texts."""

import ast
from collections import Counter

from tests.architecture.source_files import PACKAGES, SourceFile, source_files

_DIGESTS = {"digest", "hexdigest", "key_digest", "mark"}
# Digests that are cut all the same: how many, and why nothing is found or hidden by two texts that share one.
CUT = {
    "events/baton_events/ids.py": (
        4,
        "`key_digest` and `event_id` themselves, a spread of times, a call below its place",
    ),
    "functions/baton/engine/all_jobs/job_list.py": (1, "a filter of rows, behind which readers check the job"),
    "functions/baton/engine/all_jobs/shelves.py": (1, "one job in 64"),
    "functions/baton/engine/stream_parts.py": (1, "a text of a job's own stream"),
    "functions/baton/observability/spans.py": (2, "ids of spans have 64 bits"),
    "functions/baton/observability/tracing.py": (4, "ids of traces and spans have 128 and 64 bits"),
    "functions/baton/sdk/agents/handler.py": (1, "a number of a lane"),
    "functions/baton/sdk/agents/version.py": (1, "the operator's own agent"),
    "functions/baton/sdk/mcp/server_tools.py": (1, "a name of a tool, of its server's own"),
    "functions/baton/sdk/models/fingerprint.py": (1, "shows people what differs"),
    "functions/baton/sdk/models/through_pydantic_ai/messages.py": (1, "a call's id within one request"),
    "functions/baton/sdk/models/through_pydantic_ai/whole.py": (1, "as above"),
    "functions/baton/server/console/pages.py": (1, "a file of ours"),
    "infra/baton_local/cli/keys.py": (1, "an id that people know a random key by"),
    "infra/baton_local/redis/valkey.py": (1, "a folder of this machine"),
}


def cuts(file: SourceFile) -> int:
    return sum(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) in _DIGESTS
        for node in ast.walk(file.tree)
    )


def test_no_digest_is_cut_that_may_be_a_key() -> None:
    found = Counter({file.name: cuts(file) for file in source_files(*PACKAGES.values())})
    assert +found == {name: count for name, (count, _) in CUT.items()}
