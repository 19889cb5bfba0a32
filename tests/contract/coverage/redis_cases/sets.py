from tests.contract.coverage.method_case import MethodCase, args, in_any_order

TWO = "SADD s a b c; SADD t b c d"

CASES = {
    "sadd": MethodCase(args("s", "a", "z"), 1, TWO, args("text", "a")),
    "scard": MethodCase(args("s"), 3, TWO, args("text")),
    "sdiff": MethodCase(args("s", "t"), ["a"], TWO, args("s", "text")),
    "sdiffstore": MethodCase(args("to", "s", "t"), 1, TWO, args("to", "text")),
    "sinter": MethodCase(args("s", "t"), in_any_order("b", "c"), TWO, args("s", "text")),
    "sinterstore": MethodCase(args("to", "s", "t"), 2, TWO, args("to", "text")),
    "sismember": MethodCase(args("s", "a"), True, TWO, args("text", "a")),
    "smembers": MethodCase(args("s"), in_any_order("a", "b", "c"), TWO, args("text")),
    "smismember": MethodCase(args("s", "a", "x"), [1, 0], TWO, args("text", "a")),
    "smove": MethodCase(args("s", "t", "a"), True, TWO, args("text", "t", "a")),
    "spop": MethodCase(args("s", 5), in_any_order("a", "b", "c"), TWO, args("text")),
    "srandmember": MethodCase(args("s", 5), in_any_order("a", "b", "c"), TWO, args("text")),
    "srem": MethodCase(args("s", "a", "x"), 1, TWO, args("text", "a")),
    "sscan": MethodCase(args("s", match="a"), (0, ["a"]), TWO, args("text")),
    "sunion": MethodCase(args("s", "t"), in_any_order("a", "b", "c", "d"), TWO, args("s", "text")),
    "sunionstore": MethodCase(args("to", "s", "t"), 4, TWO, args("to", "text")),
}
