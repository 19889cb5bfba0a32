import { commands } from "./redis.mjs";

const THREE = "XADD s 1-0 n 1; XADD s 2-0 n 2; XADD s 3-0 n 3";
const GROUP = `${THREE}; XGROUP CREATE s g 0`;
const TAKEN = `${GROUP}; XREADGROUP GROUP g worker COUNT 2 STREAMS s >`;

commands({
  xack: { given: TAKEN, call: ["s", "g", ["1-0", "9-0"]], gives: 1, fails: ["s", "g", "x"], error: /Invalid stream ID/ },
  xadd: { given: THREE, call: ["s", "9-0", { n: 9 }], gives: "9-0", fails: ["s", "1-0", { n: 1 }], error: /equal or smaller/ },
  xautoclaim: {
    given: TAKEN,
    call: ["s", "g", "other", 0, "0-0", { justId: true }],
    gives: ["0-0", ["1-0", "2-0"], []],
    fails: ["s", "none", "other", 0, "0-0"],
    error: /NOGROUP/,
  },
  xclaim: {
    given: TAKEN,
    call: ["s", "g", "other", 0, "1-0", { justId: true }],
    gives: ["1-0"],
    fails: ["s", "none", "other", 0, "1-0"],
    error: /NOGROUP/,
  },
  xdel: { given: THREE, call: ["s", ["1-0", "9-0"]], gives: 1, fails: ["text", "1-0"] },
  xgroup: {
    given: THREE,
    call: ["s", { type: "CREATE", group: "g", id: "0" }],
    gives: "OK",
    fails: ["none", { type: "CREATE", group: "g", id: "0" }],
    error: /requires the key/,
  },
  xinfo: {
    given: TAKEN,
    call: ["s", { type: "GROUPS" }],
    gives: ([group]) => group[1] === "g" && group[5] === 2,
    fails: ["none", { type: "GROUPS" }],
    error: /no such key/,
  },
  xlen: { given: THREE, call: ["s"], gives: 3, fails: ["text"] },
  xpending: {
    given: TAKEN,
    call: ["s", "g", "-", "+", 9],
    gives: (found) => found.length === 2 && found[0][0] === "1-0" && found[0][1] === "worker",
    fails: ["s", "none", "-", "+", 9],
    error: /NOGROUP/,
  },
  xrange: { given: THREE, call: ["s", "(1-0", "+", 1], gives: { "2-0": { n: 2 } }, fails: ["text", "-", "+"] },
  xread: { given: THREE, call: ["s", "1-0", { count: 1 }], gives: [["s", [["2-0", ["n", 2]]]]], fails: ["text", "0"] },
  xreadgroup: {
    given: GROUP,
    call: ["g", "worker", "s", ">", { count: 1 }],
    gives: [["s", [["1-0", ["n", 1]]]]],
    fails: ["none", "worker", "s", ">"],
    error: /NOGROUP/,
  },
  xrevrange: { given: THREE, call: ["s", "+", "-", 1], gives: { "3-0": { n: 3 } }, fails: ["text", "+", "-"] },
  xtrim: {
    given: THREE,
    call: ["s", { strategy: "MAXLEN", exactness: "=", threshold: 1 }],
    gives: 2,
    fails: ["text", { strategy: "MAXLEN", threshold: 1 }],
  },
});
