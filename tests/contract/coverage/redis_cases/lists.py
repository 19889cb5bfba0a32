from tests.contract.coverage.method_case import MethodCase, args

LETTERS = "RPUSH l a b c"

CASES = {
    "lindex": MethodCase(args("l", -1), "c", LETTERS, args("text", 0)),
    "linsert": MethodCase(args("l", "BEFORE", "b", "x"), 4, LETTERS, args("text", "BEFORE", "b", "x")),
    "llen": MethodCase(args("l"), 3, LETTERS, args("text")),
    "lmove": MethodCase(args("l", "m", "LEFT", "RIGHT"), "a", LETTERS, args("text", "m")),
    "lpop": MethodCase(args("l", 2), ["a", "b"], LETTERS, args("text")),
    "lpos": MethodCase(args("l", "b", rank=1, count=0), [1], LETTERS, args("text", "b")),
    "lpush": MethodCase(args("l", "y", "z"), 5, LETTERS, args("text", "y")),
    "lpushx": MethodCase(args("none", "y"), 0, LETTERS, args("text", "y")),
    "lrange": MethodCase(args("l", 1, -1), ["b", "c"], LETTERS, args("text", 1, -1)),
    "lrem": MethodCase(args("l", 0, "b"), 1, LETTERS, args("text", 0, "b")),
    "lset": MethodCase(args("l", 0, "x"), True, LETTERS, args("l", 9, "x"), "out of range"),
    "ltrim": MethodCase(args("l", 1, 1), "OK", LETTERS, args("text", 1, 1)),
    "rpop": MethodCase(args("l"), "c", LETTERS, args("text")),
    "rpoplpush": MethodCase(args("l", "m"), "c", LETTERS, args("text", "m")),
    "rpush": MethodCase(args("l", "y", "z"), 5, LETTERS, args("text", "y")),
    "rpushx": MethodCase(args("none", "y"), 0, LETTERS, args("text", "y")),
}
