import { commands } from "./redis.mjs";

const TWO = "ZADD z 1 a 2.5 b 3 c; ZADD y 10 b 20 d";
const EQUAL = "ZADD z 0 a 0 b 0 c";

commands({
  zadd: { given: TWO, call: ["z", { ch: true }, { score: 5, member: "a" }, { score: 7.5, member: "x" }], gives: 2, fails: ["text", { score: 1, member: "a" }] },
  zcard: { given: TWO, call: ["z"], gives: 3, fails: ["text"] },
  zcount: { given: TWO, call: ["z", 2, "+inf"], gives: 2, fails: ["z", "many", 3], error: /not a float/ },
  zdiffstore: { given: TWO, call: ["to", 2, "z", "y"], gives: 2, fails: ["to", 1, "text"] },
  zincrby: { given: TWO, call: ["z", 1.5, "a"], gives: 2.5, fails: ["text", 1, "a"] },
  zinterstore: { given: TWO, call: ["to", 2, ["z", "y"], { aggregate: "max" }], gives: 1, fails: ["to", 2, ["text", "z"]] },
  zlexcount: { given: EQUAL, call: ["z", "[a", "(c"], gives: 2, fails: ["z", "a", "c"], error: /not valid string range/ },
  zmscore: { given: TWO, call: ["z", ["a", "none"]], gives: [1, null], fails: ["text", ["a"]] },
  zpopmax: { given: TWO, call: ["z", 2], gives: ["c", 3, "b", 2.5], fails: ["text"] },
  zpopmin: { given: TWO, call: ["z"], gives: ["a", 1], fails: ["text"] },
  zrange: { given: TWO, call: ["z", 0, -1, { rev: true, withScores: true }], gives: ["c", 3, "b", 2.5, "a", 1], fails: ["text", 0, -1] },
  zrank: { given: TWO, call: ["z", "b"], gives: 1, fails: ["text", "b"] },
  zrem: { given: TWO, call: ["z", "a", "x"], gives: 1, fails: ["text", "a"] },
  zremrangebylex: { given: EQUAL, call: ["z", "[a", "[b"], gives: 2, fails: ["z", "a", "b"], error: /not valid string range/ },
  zremrangebyrank: { given: TWO, call: ["z", 0, 1], gives: 2, fails: ["text", 0, 1] },
  zremrangebyscore: { given: TWO, call: ["z", 2, 9], gives: 2, fails: ["z", "x", 9], error: /not a float/ },
  zrevrank: { given: TWO, call: ["z", "b"], gives: 1, fails: ["text", "b"] },
  zscan: { given: TWO, call: ["z", 0, { match: "b" }], gives: ["0", ["b", 2.5]], fails: ["text", 0] },
  zscore: { given: TWO, call: ["z", "b"], gives: 2.5, fails: ["text", "b"] },
  zunion: { given: TWO, call: [2, ["z", "y"], { withScores: true }], gives: ["a", 1, "c", 3, "b", 12.5, "d", 20], fails: [1, ["text"]] },
  zunionstore: { given: TWO, call: ["to", 2, ["z", "y"]], gives: 4, fails: ["to", 1, ["text"]] },
});
