"""What the stand-ins do not serve, why, and what they answer instead. The page about the stand-ins shows this table.

A method is written `package Class.method`; patterns as in file names. A pattern that fits no method is an error, and so
is one that hides a method with a passing test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class NotEmulated:
    what: str
    methods: Sequence[str]
    why: str
    answer: str


NOT_EMULATED = (
    NotEmulated(
        "RedisJSON (`JSON.*`)",
        ("upstash-redis JsonCommands.*", "@upstash/redis json.*"),
        "native to the service; the shapes of its results are its own (redis-rest.md 9)",
        "400 `ERR unknown command`",
    ),
    NotEmulated(
        "search indexes (`SEARCH.*`)",
        ("upstash-redis Search*.*", "@upstash/redis search.*", "@upstash/redis SearchIndex.*"),
        "native to the service (redis-rest.md 9)",
        "400 `ERR unknown command`",
    ),
    NotEmulated(
        "vector indexes inside Redis (`VECTOR.*`)",
        ("@upstash/redis vector.*", "@upstash/redis VectorIndex.*"),
        "native to the service; `baton vector` is the vector service's own API",
        "400 `ERR unknown command`",
    ),
    NotEmulated(
        "array commands (`AR*`)",
        ("@upstash/redis Redis.ar*", "@upstash/redis Pipeline.ar*"),
        "Valkey 9.1 has no arrays",
        "400 `ERR unknown command`",
    ),
    NotEmulated(
        "`XDELEX`, `XACKDEL`",
        (
            "upstash-redis Commands.xdelex",
            "upstash-redis Commands.xackdel",
            "@upstash/redis *.xdelex",
            "@upstash/redis *.xackdel",
        ),
        "Redis 8.2 has them, Valkey 9.1 has not (redis-rest.md 9)",
        "400 `ERR unknown command`",
    ),
    NotEmulated(
        "`BITOP` with `DIFF`, `DIFF1`, `ANDOR` or `ONE`",
        (),
        "Redis 8.2 has them, Valkey 9.1 has not (redis-rest.md 9)",
        "400 `ERR BITOP … is of Redis 8.2`",
    ),
    NotEmulated(
        "in vector indexes: updates of parts, pages, queries that go on",
        (
            *("upstash-vector Index.update", "upstash-vector Index.range", "upstash-vector Index.resumable_query"),
            *("upstash-vector ResumableQueryHandle.*", "@upstash/vector *.update", "@upstash/vector *.range"),
            "@upstash/vector *.resumableQuery",
        ),
        "no agent uses them",
        "501",
    ),
    NotEmulated(
        "filters with OR, parentheses, `GLOB`, `CONTAINS`, `HAS FIELD`, elements of arrays; sparse and hybrid indexes",
        (),
        "no agent uses them",
        "501",
    ),
    NotEmulated("Upstash Workflow", ("@upstash/qstash Workflow.*",), "Baton does not use it (qstash.md 24)", "501"),
    NotEmulated(
        "the vendor's own language models",
        ("@upstash/qstash Client.chat", "@upstash/qstash Chat.*"),
        "deprecated, and no model can be had locally (qstash.md 25); other providers' are plain publishes",
        "501, also a publish to `api/llm`",
    ),
)


def left_out(methods: Iterable[str], table: Sequence[NotEmulated]) -> set[str]:
    patterns = [pattern for row in table for pattern in row.methods]
    return {method for method in methods if any(fnmatchcase(method, pattern) for pattern in patterns)}
