"""Which tests show what the methods of the Python SDKs do, but for Redis's commands, each of which is a case.

The same tests, or those of errors beside them, show how each method fails.
"""

from collections.abc import Sequence

from tests.contract.coverage.redis_cases.families import CASES

_CLIENTS = "contract/coverage/test_clients.py"
_KEYS, _MESSAGES, _NAMES = (f"contract/qstash/test_{name}.py" for name in ("signing_key", "message", "names"))
_RECORDS, _QUERIES, _SPACES = (f"contract/vector_rest/test_sdk_{x}.py" for x in ("records", "queries", "namespaces"))
_BITS = f"{_CLIENTS}::test_bit_fields_are_chains_on_one_key"
_BATCHES = f"{_CLIENTS}::test_a_pipeline_is_one_request_and_forgets_what_is_reset"

SHOWN: Sequence[tuple[str, str, Sequence[str]]] = (
    (f"{_CLIENTS}::test_a_redis_client_is_made_of_the_environment", "upstash-redis Redis", ("from_env",)),
    (f"{_CLIENTS}::test_a_closed_redis_client_sends_nothing", "upstash-redis Redis", ("close",)),
    (f"{_CLIENTS}::test_a_transaction_runs_all_or_nothing", "upstash-redis Redis", ("multi",)),
    (_BATCHES, "upstash-redis Redis", ("pipeline",)),
    (_BATCHES, "upstash-redis Pipeline", ("exec", "reset")),
    (_BITS, "upstash-redis Commands", ("bitfield", "bitfield_ro")),
    (_BITS, "upstash-redis BitFieldCommands", ("get", "set", "incrby", "overflow", "execute")),
    (_BITS, "upstash-redis BitFieldROCommands", ("get", "execute")),
    (f"{_KEYS}::test_receiver_verifies_what_is_delivered", "qstash Receiver", ("verify",)),
    (f"{_KEYS}::test_rotation_keeps_receivers_working", "qstash SigningKeyApi", ("get", "rotate")),
    (f"{_MESSAGES}::test_publish_arrives_with_options", "qstash MessageApi", ("publish",)),
    (f"{_MESSAGES}::test_publish_json_and_get", "qstash MessageApi", ("publish_json", "get")),
    (f"{_MESSAGES}::test_enqueued_messages_arrive_in_order", "qstash MessageApi", ("enqueue", "enqueue_json")),
    (f"{_MESSAGES}::test_batch_mixes_kinds", "qstash MessageApi", ("batch", "batch_json")),
    (
        f"{_MESSAGES}::test_cancelled_messages_never_arrive",
        "qstash MessageApi",
        ("cancel", "cancel_many", "cancel_all"),
    ),
    (f"{_MESSAGES}::test_cancelled_messages_never_arrive", "qstash LogApi", ("list",)),
    (
        f"{_NAMES}::test_a_group_has_endpoints_by_name",
        "qstash UrlGroupApi",
        ("upsert_endpoints", "remove_endpoints", "get", "list", "delete"),
    ),
    (
        f"{_NAMES}::test_a_paused_queue_keeps_its_messages_until_it_is_resumed",
        "qstash QueueApi",
        ("upsert", "get", "list", "delete", "pause", "resume"),
    ),
    (
        f"{_NAMES}::test_a_schedule_is_replaced_paused_and_deleted",
        "qstash ScheduleApi",
        ("create", "create_json", "get", "list", "delete", "pause", "resume"),
    ),
    (
        f"{_NAMES}::test_a_paused_flow_keeps_its_messages_until_it_is_resumed",
        "qstash FlowControlApi",
        ("get", "pause", "resume", "get_global_parallelism"),
    ),
    (f"{_NAMES}::test_what_is_pinned_no_message_changes", "qstash FlowControlApi", ("pin", "unpin", "reset_rate")),
    (
        f"{_NAMES}::test_dead_letters_are_found_by_label_and_deleted",
        "qstash DlqApi",
        ("list", "get", "delete", "delete_many"),
    ),
    (f"{_CLIENTS}::test_an_index_is_made_of_the_environment", "upstash-vector Index", ("from_env",)),
    (f"{_RECORDS}::test_every_form_of_a_record_is_stored_as_sent", "upstash-vector Index", ("upsert", "fetch")),
    (f"{_RECORDS}::test_deleting_by_ids_prefix_and_filter", "upstash-vector Index", ("delete",)),
    (f"{_QUERIES}::test_the_most_similar_come_first", "upstash-vector Index", ("query",)),
    (f"{_QUERIES}::test_several_queries_at_once", "upstash-vector Index", ("query_many",)),
    (f"{_SPACES}::test_reset_empties_and_keeps_namespaces", "upstash-vector Index", ("reset",)),
    (f"{_SPACES}::test_info_has_every_figure_that_the_sdk_reads", "upstash-vector Index", ("info",)),
    (f"{_SPACES}::test_deleting_a_namespace", "upstash-vector Index", ("list_namespaces", "delete_namespace")),
)


def covered() -> set[str]:
    """All of these, as `package Class.method`."""
    commands = {f"upstash-redis Commands.{name}" for name in CASES}
    return commands | {f"{owner}.{name}" for _, owner, names in SHOWN for name in names}
