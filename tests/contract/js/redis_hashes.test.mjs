import { between, commands } from "./redis.mjs";

const FIELDS = "HSET h a 1 b two";
const EXPIRING = "HSET h a 1 b two; HEXPIRE h 50 FIELDS 1 a";

commands({
  hdel: { given: FIELDS, call: ["h", "a", "none"], gives: 1, fails: ["text", "a"] },
  hexists: { given: FIELDS, call: ["h", "a"], gives: 1, fails: ["text", "a"] },
  hexpire: { given: FIELDS, call: ["h", ["a", "none"], 50], gives: [1, -2], fails: ["text", "a", 50] },
  hexpireat: { given: FIELDS, call: ["h", "a", 4_000_000_000], gives: [1], fails: ["text", "a", 4_000_000_000] },
  hexpiretime: { given: EXPIRING, call: ["h", ["b", "none"]], gives: [-1, -2], fails: ["text", "a"] },
  hget: { given: FIELDS, call: ["h", "b"], gives: "two", fails: ["text", "b"] },
  hgetall: { given: FIELDS, call: ["h"], gives: { a: 1, b: "two" }, fails: ["text"] },
  hgetdel: { given: FIELDS, call: ["h", "a", "none"], gives: { a: 1, none: null }, fails: ["text", "a"] },
  hgetex: { given: FIELDS, call: ["h", { ex: 50 }, "a", "b"], gives: { a: 1, b: "two" }, fails: ["text", { ex: 50 }, "a"] },
  hincrby: { given: FIELDS, call: ["h", "a", 4], gives: 5, fails: ["h", "b", 4], error: /not an integer/ },
  hincrbyfloat: { given: FIELDS, call: ["h", "a", 0.5], gives: 1.5, fails: ["h", "b", 0.5], error: /not a float/ },
  hkeys: { given: FIELDS, call: ["h"], gives: ["a", "b"], fails: ["text"] },
  hlen: { given: FIELDS, call: ["h"], gives: 2, fails: ["text"] },
  hmget: { given: FIELDS, call: ["h", "a", "none"], gives: { a: 1, none: null }, fails: ["text", "a"] },
  hmset: { given: FIELDS, call: ["h", { a: 9, c: 3 }], gives: "OK", fails: ["text", { a: 9 }] },
  hpersist: { given: EXPIRING, call: ["h", ["a", "b"]], gives: [1, -1], fails: ["text", "a"] },
  hpexpire: { given: FIELDS, call: ["h", "a", 50_000], gives: [1], fails: ["text", "a", 50_000] },
  hpexpireat: { given: FIELDS, call: ["h", "a", 4_000_000_000_000], gives: [1], fails: ["text", "a", 4_000_000_000_000] },
  hpexpiretime: { given: EXPIRING, call: ["h", ["b"]], gives: [-1], fails: ["text", "a"] },
  hpttl: { given: EXPIRING, call: ["h", "a"], gives: ([left]) => between(40_000, 50_000)(left), fails: ["text", "a"] },
  hrandfield: { given: "HSET h a 1", call: ["h", 1, true], gives: { a: 1 }, fails: ["text"] },
  hscan: { given: FIELDS, call: ["h", 0, { match: "a*" }], gives: ["0", ["a", 1]], fails: ["text", 0] },
  hset: { given: FIELDS, call: ["h", { c: 3, d: { object: true }, a: 9 }], gives: 2, fails: ["text", { c: 3 }] },
  hsetex: { given: FIELDS, call: ["h", { expiration: { ex: 50 } }, { c: 3 }], gives: 1, fails: ["text", {}, { c: 3 }] },
  hsetnx: { given: FIELDS, call: ["h", "a", 9], gives: 0, fails: ["text", "a", 9] },
  hstrlen: { given: FIELDS, call: ["h", "b"], gives: 3, fails: ["text", "b"] },
  httl: { given: EXPIRING, call: ["h", ["b", "none"]], gives: [-1, -2], fails: ["text", "a"] },
  hvals: { given: FIELDS, call: ["h"], gives: [1, "two"], fails: ["text"] },
});
