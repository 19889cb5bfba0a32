import { commands, inAnyOrder } from "./redis.mjs";

const LETTERS = "RPUSH l a b c";
const TWO = "SADD s a b c; SADD t b c d";

commands({
  lindex: { given: LETTERS, call: ["l", -1], gives: "c", fails: ["text", 0] },
  linsert: { given: LETTERS, call: ["l", "before", "b", "x"], gives: 4, fails: ["text", "before", "b", "x"] },
  llen: { given: LETTERS, call: ["l"], gives: 3, fails: ["text"] },
  lmove: { given: LETTERS, call: ["l", "m", "left", "right"], gives: "a", fails: ["text", "m", "left", "right"] },
  lmpop: { given: LETTERS, call: [2, ["none", "l"], "LEFT", 2], gives: ["l", ["a", "b"]], fails: [1, ["text"], "LEFT"] },
  lpop: { given: LETTERS, call: ["l", 2], gives: ["a", "b"], fails: ["text"] },
  lpos: { given: LETTERS, call: ["l", "b", { rank: 1, count: 0 }], gives: [1], fails: ["text", "b"] },
  lpush: { given: LETTERS, call: ["l", "y", "z"], gives: 5, fails: ["text", "y"] },
  lpushx: { given: LETTERS, call: ["none", "y"], gives: 0, fails: ["text", "y"] },
  lrange: { given: LETTERS, call: ["l", 1, -1], gives: ["b", "c"], fails: ["text", 1, -1] },
  lrem: { given: LETTERS, call: ["l", 0, "b"], gives: 1, fails: ["text", 0, "b"] },
  lset: { given: LETTERS, call: ["l", 0, "x"], gives: "OK", fails: ["l", 9, "x"], error: /out of range/ },
  ltrim: { given: LETTERS, call: ["l", 1, 1], gives: "OK", fails: ["text", 1, 1] },
  rpop: { given: LETTERS, call: ["l"], gives: "c", fails: ["text"] },
  rpush: { given: LETTERS, call: ["l", "y", { object: true }], gives: 5, fails: ["text", "y"] },
  rpushx: { given: LETTERS, call: ["none", "y"], gives: 0, fails: ["text", "y"] },
});

commands({
  sadd: { given: TWO, call: ["s", "a", "z"], gives: 1, fails: ["text", "a"] },
  scard: { given: TWO, call: ["s"], gives: 3, fails: ["text"] },
  sdiff: { given: TWO, call: ["s", "t"], gives: ["a"], fails: ["s", "text"] },
  sdiffstore: { given: TWO, call: ["to", "s", "t"], gives: 1, fails: ["to", "text"] },
  sinter: { given: TWO, call: ["s", "t"], gives: inAnyOrder("b", "c"), fails: ["s", "text"] },
  sintercard: { given: TWO, call: [["s", "t"], { limit: 5 }], gives: 2, fails: [["s", "text"]] },
  sinterstore: { given: TWO, call: ["to", "s", "t"], gives: 2, fails: ["to", "text"] },
  sismember: { given: TWO, call: ["s", "a"], gives: 1, fails: ["text", "a"] },
  smembers: { given: TWO, call: ["s"], gives: inAnyOrder("a", "b", "c"), fails: ["text"] },
  smismember: { given: TWO, call: ["s", ["a", "x"]], gives: [1, 0], fails: ["text", ["a"]] },
  smove: { given: TWO, call: ["s", "t", "a"], gives: 1, fails: ["text", "t", "a"] },
  spop: { given: TWO, call: ["s", 5], gives: inAnyOrder("a", "b", "c"), fails: ["text"] },
  srandmember: { given: TWO, call: ["s", 5], gives: inAnyOrder("a", "b", "c"), fails: ["text"] },
  srem: { given: TWO, call: ["s", "a", "x"], gives: 1, fails: ["text", "a"] },
  sscan: { given: TWO, call: ["s", 0, { match: "a" }], gives: ["0", ["a"]], fails: ["text", 0] },
  sunion: { given: TWO, call: ["s", "t"], gives: inAnyOrder("a", "b", "c", "d"), fails: ["s", "text"] },
  sunionstore: { given: TWO, call: ["to", "s", "t"], gives: 4, fails: ["to", "text"] },
});
