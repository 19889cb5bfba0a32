from tests.contract.coverage.method_case import MethodCase, args

THREE = "XADD s 1-0 n 1; XADD s 2-0 n 2; XADD s 3-0 n 3"
GROUP = f"{THREE}; XGROUP CREATE s g 0"
TAKEN = f"{GROUP}; XREADGROUP GROUP g worker COUNT 2 STREAMS s >"

CASES = {
    "xack": MethodCase(args("s", "g", "1-0", "9-0"), 1, TAKEN, args("s", "g", "x"), "Invalid stream ID"),
    "xadd": MethodCase(
        args("s", "9-0", {"n": 9}, maxlen=2), "9-0", THREE, args("s", "1-0", {"n": 1}), "equal or smaller"
    ),
    "xautoclaim": MethodCase(
        args("s", "g", "other", 0, "0-0", justid=True),
        ["0-0", ["1-0", "2-0"], []],
        TAKEN,
        args("s", "none", "other", 0, "0-0"),
        "NOGROUP",
    ),
    "xclaim": MethodCase(
        args("s", "g", "other", 0, "1-0", justid=True), ["1-0"], TAKEN, args("s", "none", "other", 0, "1-0"), "NOGROUP"
    ),
    "xdel": MethodCase(args("s", "1-0", "9-0"), 1, THREE, args("text", "1-0")),
    "xgroup_create": MethodCase(args("new", "g", "0", mkstream=True), "OK", "", args("none", "g"), "requires the key"),
    "xgroup_createconsumer": MethodCase(args("s", "g", "c"), 1, GROUP, args("s", "none", "c"), "NOGROUP"),
    "xgroup_delconsumer": MethodCase(args("s", "g", "worker"), 2, TAKEN, args("s", "none", "c"), "NOGROUP"),
    "xgroup_destroy": MethodCase(args("s", "g"), 1, GROUP, args("none", "g"), "requires the key"),
    "xgroup_setid": MethodCase(args("s", "g", "2-0", entries_read=2), "OK", GROUP, args("s", "none", "0"), "NOGROUP"),
    "xinfo_consumers": MethodCase(
        args("s", "g"),
        lambda found: found[0][:4] == ["name", "worker", "pending", 2],
        TAKEN,
        args("none", "g"),
        "no such key",
    ),
    "xinfo_groups": MethodCase(
        args("s"),
        lambda found: found[0][:6] == ["name", "g", "consumers", 1, "pending", 2],
        TAKEN,
        args("none"),
        "no such key",
    ),
    "xlen": MethodCase(args("s"), 3, THREE, args("text")),
    "xpending": MethodCase(args("s", "g"), [2, "1-0", "2-0", [["worker", "2"]]], TAKEN, args("s", "none"), "NOGROUP"),
    "xrange": MethodCase(args("s", "(1-0", "+", 1), [["2-0", ["n", "2"]]], THREE, args("text")),
    "xread": MethodCase(args({"s": "1-0"}, count=1), [["s", [["2-0", ["n", "2"]]]]], THREE, args({"text": "0"})),
    "xreadgroup": MethodCase(
        args("g", "worker", {"s": ">"}, count=1),
        [["s", [["1-0", ["n", "1"]]]]],
        GROUP,
        args("none", "worker", {"s": ">"}),
        "NOGROUP",
    ),
    "xrevrange": MethodCase(args("s", count=1), [["3-0", ["n", "3"]]], THREE, args("text")),
    "xtrim": MethodCase(args("s", maxlen=1, approximate=False), 2, THREE, args("text", maxlen=1)),
}
