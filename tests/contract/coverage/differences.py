"""Where the hosted services differ from the stand-ins, each with the test that holds the stand-in to it.

The page about the stand-ins shows this table; a test that is named here and does not exist is an error.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One line of the table; `test` is `file::name`, below the folder of tests."""

    service: str
    hosted: str
    here: str
    test: str


_QSTASH = "unit/baton_local/qstash"
_REDIS = "contract/redis_rest"
_VECTOR = "contract/vector_rest"

DIFFERENCES = (
    Difference(
        "QStash",
        "refuses loopback and private addresses as destinations",
        "takes them: that is where development servers are",
        f"{_QSTASH}/test_process.py::test_silent_destination_blocks_nobody",
    ),
    Difference(
        "QStash",
        "limits by plan: sizes, delays, retries, queues, schedules, calls per second, messages per day",
        "roomy limits; 429 as the service answers it, with `--max-calls-per-second` and `--max-messages-per-day`",
        "contract/qstash/test_errors.py::test_limits_raise_the_sdks_own_errors",
    ),
    Difference(
        "QStash",
        "finished messages, log and dead letters are kept by plan",
        "finished messages and log for a day or 256 MB (`--keep-finished-seconds`), dead letters until deleted",
        f"{_QSTASH}/test_restart.py::test_room_is_bounded_by_forgetting_the_oldest",
    ),
    Difference(
        "QStash",
        "a schedule's first run may lag by a minute",
        "runs on the minute; ticks missed while it was down are not made up for",
        f"{_QSTASH}/wire/test_schedules.py::test_schedules_survive_a_restart_without_making_up_for_ticks",
    ),
    Difference(
        "QStash",
        "delays, backoff and cron take as long as they say",
        "as well, unless `--time-scale N` makes them N times faster",
        f"{_QSTASH}/core/test_lifecycle.py::test_time_scale_shortens_every_wait",
    ),
    Difference(
        "QStash",
        "the documentation names `/v2/logs`, POST for pausing schedules, `CANCELLED`; the SDKs use others",
        "serves both forms, and answers in the SDKs'",
        f"{_QSTASH}/core/test_selection.py::test_states_accept_both_spellings_and_the_group",
    ),
    Difference(
        "QStash",
        "regions, each with keys of its own",
        "one region, no `Upstash-Region` header",
        "contract/qstash/test_signing_key.py::test_receiver_verifies_what_is_delivered",
    ),
    Difference(
        "Redis",
        "replicas: a read may be stale, and a failover may lose acknowledged writes",
        "one server, always current; its append-only file survives `kill -9`",
        f"{_REDIS}/test_outages.py::test_acknowledged_writes_survive_a_killed_server",
    ),
    Difference(
        "Redis",
        "`#!lua flags=allow-key-locking` locks the keys of KEYS, and any other key is an error",
        "the flag is taken out; nothing checks the keys",
        f"{_REDIS}/test_scripts.py::test_the_flag_is_removed_wherever_it_stands_in_the_shebang",
    ),
    Difference(
        "Redis",
        "refuses blocking commands, WATCH, connection commands",
        "the same, and what would endanger the shared connection: `CONFIG SET`, `DEBUG`, `SAVE`, `MODULE` and kin",
        f"{_REDIS}/test_refusals.py::test_a_command_that_would_endanger_the_shared_connection_is_refused",
    ),
    Difference(
        "Redis",
        "SCAN returns about COUNT matching keys",
        "the same; a page may stay short after 1,000 looks",
        f"{_REDIS}/test_own_paths.py::test_scan_fills_its_pages",
    ),
    Difference(
        "Redis",
        "tokens made by ACL, a console, TLS",
        "one full token and, if asked for, a read-only one",
        f"{_REDIS}/test_refusals.py::test_a_read_only_token_may_only_read",
    ),
    Difference(
        "Redis",
        "a lost database connection is the service's affair",
        "503 at once while the server is gone; what was in flight is never sent again",
        f"{_REDIS}/test_outages.py::test_commands_in_flight_are_answered_and_not_sent_again",
    ),
    Difference(
        "Redis",
        "a full disk is the service's affair",
        "the one write that meets a full disk is acknowledged, and gone after `kill -9`: the server writes its file "
        "after it has run a command; whatever comes later is refused until there is room",
        f"{_REDIS}/test_outages.py::test_a_full_disk_costs_the_one_write_that_met_it",
    ),
    Difference(
        "Vector",
        "dense, sparse and hybrid indexes; cosine, Euclidean, dot product",
        "one dense index, cosine",
        f"{_VECTOR}/test_sdk_namespaces.py::test_info_has_every_figure_that_the_sdk_reads",
    ),
    Difference(
        "Vector",
        "approximate search: may miss a neighbour, and find fewer under a narrow filter",
        "exact search",
        f"{_VECTOR}/test_sdk_queries.py::test_a_filter_narrows_before_the_best_are_taken",
    ),
    Difference(
        "Vector",
        "indexes after answering: a new vector is found a little later",
        "found at once, unless `--index-delay-ms` says otherwise",
        f"{_VECTOR}/test_own_paths.py::test_a_new_vector_is_fetched_at_once_and_found_later",
    ),
    Difference(
        "Vector",
        "embeds texts with hosted models, which know meaning",
        "a hashing embedder, which knows shared words and word forms; `--embedder module:function` for your own",
        f"{_VECTOR}/test_texts.py::test_a_text_is_found_by_its_words",
    ),
)
