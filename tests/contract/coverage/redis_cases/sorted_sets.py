from tests.contract.coverage.method_case import MethodCase, args

TWO = "ZADD z 1 a 2.5 b 3 c; ZADD y 10 b 20 d"
EQUAL = "ZADD z 0 a 0 b 0 c"

CASES = {
    "zadd": MethodCase(args("z", {"a": 5, "x": 7.5}, ch=True), 2, TWO, args("text", {"a": 5})),
    "zcard": MethodCase(args("z"), 3, TWO, args("text")),
    "zcount": MethodCase(args("z", 2, "+inf"), 2, TWO, args("z", "many", 3), "not a float"),
    "zdiff": MethodCase(args(["z", "y"], withscores=True), [("a", 1.0), ("c", 3.0)], TWO, args(["text"])),
    "zdiffstore": MethodCase(args("to", ["z", "y"]), 2, TWO, args("to", ["text"])),
    "zincrby": MethodCase(args("z", 1.5, "a"), 2.5, TWO, args("text", 1, "a")),
    "zinter": MethodCase(args(["z", "y"], [1, 2], "SUM", withscores=True), [("b", 22.5)], TWO, args(["text", "z"])),
    "zinterstore": MethodCase(args("to", ["z", "y"], aggregate="MAX"), 1, TWO, args("to", ["text", "z"])),
    "zlexcount": MethodCase(args("z", "[a", "(c"), 2, EQUAL, args("text", "-", "+")),
    "zmscore": MethodCase(args("z", ["a", "none"]), [1.0, None], TWO, args("text", ["a"])),
    "zpopmax": MethodCase(args("z", 2), [("c", 3.0), ("b", 2.5)], TWO, args("text")),
    "zpopmin": MethodCase(args("z"), [("a", 1.0)], TWO, args("text")),
    "zrandmember": MethodCase(args("z", 1, withscores=True), [("a", 1.0)], "ZADD z 1 a", args("text")),
    "zrange": MethodCase(args("z", 0, -1, rev=True, withscores=False), ["c", "b", "a"], TWO, args("text", 0, -1)),
    "zrangebylex": MethodCase(args("z", "[b", "+", 0, 1), ["b"], EQUAL, args("text", "-", "+")),
    "zrangebyscore": MethodCase(
        args("z", "(1", 3, withscores=True), [("b", 2.5), ("c", 3.0)], TWO, args("z", "x", 3), "not a float"
    ),
    "zrangestore": MethodCase(args("to", "z", 2, 9, sortby="BYSCORE"), 2, TWO, args("to", "text", 0, -1)),
    "zrank": MethodCase(args("z", "b"), 1, TWO, args("text", "b")),
    "zrem": MethodCase(args("z", "a", "x"), 1, TWO, args("text", "a")),
    "zremrangebylex": MethodCase(args("z", "[a", "[b"), 2, EQUAL, args("text", "-", "+")),
    "zremrangebyrank": MethodCase(args("z", 0, 1), 2, TWO, args("text", 0, 1)),
    "zremrangebyscore": MethodCase(args("z", 2, 9), 2, TWO, args("z", "x", 9), "not a float"),
    "zrevrange": MethodCase(args("z", 0, 0, withscores=True), [("c", 3.0)], TWO, args("text", 0, 0)),
    "zrevrangebylex": MethodCase(args("z", "+", "[b"), ["c", "b"], EQUAL, args("text", "-", "+")),
    "zrevrangebyscore": MethodCase(args("z", 9, 2, offset=1, count=1), ["b"], TWO, args("z", "x", 2), "not a float"),
    "zrevrank": MethodCase(args("z", "b"), 1, TWO, args("text", "b")),
    "zscan": MethodCase(args("z", 0, match="b"), (0, [("b", 2.5)]), TWO, args("text", 0)),
    "zscore": MethodCase(args("z", "b"), 2.5, TWO, args("text", "b")),
    "zunion": MethodCase(
        args(["z", "y"], withscores=True), [("a", 1.0), ("c", 3.0), ("b", 12.5), ("d", 20.0)], TWO, args(["text"])
    ),
    "zunionstore": MethodCase(args("to", ["z", "y"]), 4, TWO, args("to", ["text"])),
}
