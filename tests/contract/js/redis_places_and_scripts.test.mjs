import { createHash } from "node:crypto";

import { commands } from "./redis.mjs";

const SICILY = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
const CENTRE = { type: "FROMLONLAT", coordinate: { lon: 15, lat: 37 } };
const NEAR = { type: "BYRADIUS", radius: 200, radiusType: "KM" };

commands({
  geoadd: {
    given: SICILY,
    call: ["g", { longitude: 13.5, latitude: 37.3, member: "Agrigento" }],
    gives: 1,
    fails: ["g", { longitude: 500, latitude: 1, member: "x" }],
    error: /invalid/,
  },
  geodist: { given: SICILY, call: ["g", "Palermo", "Catania", "KM"], gives: (far) => Math.round(far) === 166, fails: ["text", "a", "b"] },
  geohash: { given: SICILY, call: ["g", "Palermo", "none"], gives: ["sqc8b49rny0", null], fails: ["text", "a"] },
  geopos: { given: SICILY, call: ["g", "Palermo"], gives: ([place]) => Math.round(place.lng) === 13, fails: ["text", "a"] },
  geosearch: {
    given: SICILY,
    call: ["g", CENTRE, NEAR, "ASC"],
    gives: (found) => found.map(({ member }) => member).join() === "Catania,Palermo",
    fails: ["text", CENTRE, NEAR, "ASC"],
  },
  geosearchstore: { given: SICILY, call: ["to", "g", CENTRE, NEAR, "ASC"], gives: 2, fails: ["to", "text", CENTRE, NEAR, "ASC"] },
});

const SCRIPT = "return{KEYS[1],ARGV[1]}";
const SHA1 = createHash("sha1").update(SCRIPT).digest("hex");
const LOADED = `SCRIPT LOAD ${SCRIPT}`;
const NO_SHA1 = "0".repeat(40);

commands({
  eval: { call: [SCRIPT, ["k"], ["a"]], gives: ["k", "a"], fails: ["return +", [], []], error: /compiling script/ },
  evalRo: { call: [SCRIPT, ["k"], ["a"]], gives: ["k", "a"], fails: ["return redis.call('SET','k','v')", [], []], error: /read-only/ },
  evalsha: { given: LOADED, call: [SHA1, ["k"], ["a"]], gives: ["k", "a"], fails: [NO_SHA1, [], []], error: /NOSCRIPT/ },
  evalshaRo: { given: LOADED, call: [SHA1, ["k"], ["a"]], gives: ["k", "a"], fails: [NO_SHA1, [], []], error: /NOSCRIPT/ },
  scriptExists: { given: LOADED, call: [SHA1, NO_SHA1], gives: [1, 0] },
  scriptFlush: { given: LOADED, call: [{ sync: true }], gives: "OK" },
  scriptLoad: { call: [SCRIPT], gives: SHA1, fails: ["return +"], error: /compiling script/ },
});

commands({
  clientSetinfo: { call: ["LIB-NAME", "tests"], gives: "OK" },
  dbsize: { given: "SET k v", call: [], gives: 3 },
  echo: { call: ["OK"], gives: "OK" },
  flushall: { given: "SET k v", call: [], gives: "OK" },
  flushdb: { given: "SET k v", call: [{ async: true }], gives: "OK" },
  ping: { call: [], gives: "PONG" },
  publish: { call: ["channel", { object: true }], gives: 0 },
  time: { call: [], gives: ([seconds]) => seconds > 1_700_000_000 },
});

