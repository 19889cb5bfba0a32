import hashlib

from tests.contract.coverage.method_case import MethodCase, args

# One argument without a space each, since what is given before a call is split at spaces.
SCRIPT = "return{KEYS[1],ARGV[1]}"
SHA1 = hashlib.sha1(SCRIPT.encode()).hexdigest()
LOADED = f"SCRIPT LOAD {SCRIPT}"
WRITES = "return redis.call('SET',KEYS[1],'v')"

CASES = {
    "eval": MethodCase(args(SCRIPT, ["k"], ["a"]), ["k", "a"], fails=args("return +"), error="compiling script"),
    "eval_ro": MethodCase(args(SCRIPT, ["k"], ["a"]), ["k", "a"], fails=args(WRITES, ["k"]), error="read-only"),
    "evalsha": MethodCase(args(SHA1, ["k"], ["a"]), ["k", "a"], LOADED, args("0" * 40), "NOSCRIPT"),
    "evalsha_ro": MethodCase(args(SHA1, ["k"], ["a"]), ["k", "a"], LOADED, args("0" * 40), "NOSCRIPT"),
    "script_exists": MethodCase(args(SHA1, "0" * 40), [True, False], LOADED),
    "script_flush": MethodCase(args("SYNC"), True, LOADED),
    "script_load": MethodCase(args(SCRIPT), SHA1, fails=args("return +"), error="compiling script"),
}
SERVER = {
    "client_setinfo": MethodCase(args("LIB-NAME", "tests"), "OK"),
    "dbsize": MethodCase(args(), 3, "SET k v"),  # beside the two that every case finds
    "echo": MethodCase(args("OK"), "OK"),
    "execute": MethodCase(args(["LPUSH", "l", "a"]), 1, fails=args(["NONSENSE"]), error="unknown command"),
    "flushall": MethodCase(args("SYNC"), True, "SET k v"),
    "flushdb": MethodCase(args("ASYNC"), True, "SET k v"),
    "ping": MethodCase(args("hello"), "hello"),
    "publish": MethodCase(args("channel", "message"), 0),
    "time": MethodCase(args(), lambda found: found[0] > 1_700_000_000),
}
