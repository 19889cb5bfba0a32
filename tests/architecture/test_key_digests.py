"""A digest that stands for texts in a key is whole, or `key_digest`: of a shorter one, somebody finds two texts."""

import ast

from tests.architecture.source_files import PACKAGES, SourceFile, source_files

_DIGESTS = {"digest", "hexdigest", "key_digest", "mark"}
# Files with digests that are cut all the same, and why nothing is found or hidden by two texts that share one.
CUT = {
    "events/baton_events/ids.py": "`key_digest` and `event_id` themselves, a spread of times, a call below its place",
    "functions/baton/engine/all_jobs/job_list.py": "a filter of rows, behind which readers check the job",
    "functions/baton/engine/all_jobs/shelves.py": "one job in 64",
    "functions/baton/engine/stream_parts.py": "a text of a job's own stream",
    "functions/baton/observability/spans.py": "ids of spans have 64 bits",
    "functions/baton/observability/tracing.py": "ids of traces and spans have 128 and 64 bits",
    "functions/baton/sdk/agents/handler.py": "a number of a lane",
    "functions/baton/sdk/agents/version.py": "the operator's own agent",
    "functions/baton/sdk/mcp/server_tools.py": "a name of a tool, of its server's own",
    "functions/baton/sdk/models/fingerprint.py": "shows people what differs",
    "functions/baton/sdk/models/tool_schemas.py": "a name in a tool's schema, of its server's own",
    "functions/baton/sdk/models/through_pydantic_ai/messages.py": "a call's id within one request",
    "functions/baton/sdk/models/through_pydantic_ai/whole.py": "as above",
    "functions/baton/sdk/workflows/runner.py": "a step of one run, behind its number",
    "functions/baton/sdk/workflows/step_call.py": "as above",
    "functions/baton/server/console/pages.py": "a file of ours",
    "infra/baton_local/cli/keys.py": "an id that people know a random key by",
    "infra/baton_local/redis/valkey.py": "a folder of this machine",
}


def cuts(file: SourceFile) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) in _DIGESTS
        for node in ast.walk(file.tree)
    )


def test_no_digest_is_cut_that_may_be_a_key() -> None:
    found = {file.name for file in source_files(*PACKAGES.values()) if cuts(file)}
    assert found == CUT.keys()
