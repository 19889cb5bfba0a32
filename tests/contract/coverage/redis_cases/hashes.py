from tests.contract.coverage.method_case import MethodCase, args, between

SOON, LATE, LATE_MS = 50, 4_000_000_000, 4_000_000_000_000
FIELDS = "HSET h a 1 b two"
EXPIRING = "HSET h a 1 b two; HEXPIRE h 50 FIELDS 1 a"

CASES = {
    "hdel": MethodCase(args("h", "a", "none"), 1, FIELDS, args("text", "a")),
    "hexists": MethodCase(args("h", "a"), True, FIELDS, args("text", "a")),
    "hexpire": MethodCase(args("h", ["a", "none"], SOON), [1, -2], FIELDS, args("text", "a", SOON)),
    "hexpireat": MethodCase(args("h", "a", LATE), [1], FIELDS, args("text", "a", LATE)),
    "hexpiretime": MethodCase(args("h", ["b", "none"]), [-1, -2], EXPIRING, args("text", "a")),
    "hget": MethodCase(args("h", "b"), "two", FIELDS, args("text", "b")),
    "hgetall": MethodCase(args("h"), {"a": "1", "b": "two"}, FIELDS, args("text")),
    "hgetdel": MethodCase(args("h", "a", "none"), ["1", None], FIELDS, args("text", "a")),
    "hgetex": MethodCase(args("h", "a", "none", ex=SOON), ["1", None], FIELDS, args("text", "a", ex=SOON)),
    "hincrby": MethodCase(args("h", "a", 4), 5, FIELDS, args("h", "b", 4), "not an integer"),
    "hincrbyfloat": MethodCase(args("h", "a", 0.5), 1.5, FIELDS, args("h", "b", 0.5), "not a float"),
    "hkeys": MethodCase(args("h"), ["a", "b"], FIELDS, args("text")),
    "hlen": MethodCase(args("h"), 2, FIELDS, args("text")),
    "hmget": MethodCase(args("h", "a", "none"), ["1", None], FIELDS, args("text", "a")),
    "hmset": MethodCase(args("h", {"a": "9", "c": "3"}), True, FIELDS, args("text", {"a": "9"})),
    "hpersist": MethodCase(args("h", ["a", "b"]), [1, -1], EXPIRING, args("text", "a")),
    "hpexpire": MethodCase(args("h", "a", 50_000), [1], FIELDS, args("text", "a", 50_000)),
    "hpexpireat": MethodCase(args("h", "a", LATE_MS), [1], FIELDS, args("text", "a", LATE_MS)),
    "hpexpiretime": MethodCase(args("h", ["b"]), [-1], EXPIRING, args("text", "a")),
    "hpttl": MethodCase(args("h", "a"), lambda found: between(40_000, 50_000)(found[0]), EXPIRING, args("text", "a")),
    "hrandfield": MethodCase(args("h", 1, withvalues=True), {"a": "1"}, "HSET h a 1", args("text")),
    "hscan": MethodCase(args("h", 0, match="a*"), (0, {"a": "1"}), FIELDS, args("text", 0)),
    "hset": MethodCase(args("h", "c", "3", {"d": 4, "a": 9}), 2, FIELDS, args("text", "c", "3")),
    "hsetex": MethodCase(args("h", "c", "3", ex=SOON), 1, FIELDS, args("text", "c", "3", ex=SOON)),
    "hsetnx": MethodCase(args("h", "a", "9"), False, FIELDS, args("text", "a", "9")),
    "hstrlen": MethodCase(args("h", "b"), 3, FIELDS, args("text", "b")),
    "httl": MethodCase(args("h", ["b", "none"]), [-1, -2], EXPIRING, args("text", "a")),
    "hvals": MethodCase(args("h"), ["1", "two"], FIELDS, args("text")),
}
