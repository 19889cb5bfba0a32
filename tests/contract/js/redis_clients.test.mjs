// What the Redis client has beside commands: how it is made, batches, chains, scripts and functions.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { Redis } from "@upstash/redis";

import { prepare, redis, stranger } from "./redis.mjs";

const LIBRARY = "#!lua name=lib\nredis.register_function{function_name='double',callback=function(_,a) return a[1]*2 end,flags={'no-writes'}}";
const SCRIPT = "return {KEYS[1], ARGV[1]}";

/** One test of a success and one of an error, each on an emptied server. */
function method(name, succeeds, fails, error) {
  test(`${name} succeeds`, async () => {
    await prepare();
    await succeeds();
  });
  test(`${name} reports errors`, async () => {
    await prepare();
    await assert.rejects(async () => fails(), error);
  });
}

method(
  "Redis.fromEnv",
  async () => assert.equal(await Redis.fromEnv({ retry: false }).ping(), "PONG"),
  () => stranger.ping(),
  /WRONGPASS/,
);

method(
  "Redis.exec",
  async () => assert.equal(await redis.exec(["LPUSH", "l", "a"]), 1),
  () => redis.exec(["NONSENSE"]),
  /unknown command/,
);

method(
  "Redis.pipeline",
  async () => assert.deepEqual(await redis.pipeline().set("k", { a: 1 }).get("k").incr("n").exec(), ["OK", { a: 1 }, 1]),
  () => redis.pipeline().incr("n").lpush("text", "x").exec(),
  /WRONGTYPE/,
);

method(
  "Pipeline.exec",
  async () => {
    const found = await redis.pipeline().incr("n").lpush("text", "x").incr("n").exec({ keepErrors: true });
    assert.deepEqual(found.map(({ result }) => result), [1, undefined, 2]);
    assert.match(found[1].error, /WRONGTYPE/);
  },
  () => redis.pipeline().exec(),
  /empty/,
);

test("Pipeline.length succeeds", () => assert.equal(redis.pipeline().incr("n").incr("n").length(), 2));

method(
  "Redis.multi",
  async () => assert.deepEqual(await redis.multi().incr("n").incr("n").exec(), [1, 2]),
  () => redis.multi().incr("n").lpush("k").exec(),
  /wrong number of arguments/,
);

test("a transaction that is refused at queueing writes nothing", async () => {
  await prepare();
  await assert.rejects(() => redis.multi().set("k", "v").lpush("k").exec());
  assert.equal(await redis.get("k"), null);
});

method(
  "Redis.autoPipeline",
  async () => {
    const auto = redis.autoPipeline();
    assert.deepEqual(await Promise.all([auto.incr("n"), auto.incr("n"), auto.append("text", "s")]), [1, 2, 5]);
    assert.equal(auto.pipelineCounter, 1);
  },
  () => redis.autoPipeline().lpush("text", "x"),
  /WRONGTYPE/,
);

test("Redis.use succeeds", async () => {
  const seen = [];
  const watched = Redis.fromEnv({ retry: false, enableAutoPipelining: false });
  watched.use(async (request, next) => {
    seen.push(request.body);
    return next(request);
  });
  await watched.ping();
  assert.deepEqual(seen, [["ping"]]);
});
test("Redis.use reports errors", async () => {
  const broken = Redis.fromEnv({ retry: false, enableAutoPipelining: false });
  broken.use(async () => {
    throw new Error("on purpose");
  });
  await assert.rejects(() => broken.ping(), /on purpose/);
});

method(
  "Redis.bitfield",
  async () => {
    const chain = redis.bitfield("b").set("u8", 0, 200).incrby("u8", 0, 50).overflow("SAT").incrby("u8", 0, 50);
    assert.deepEqual(await chain.get("u8", "#0").exec(), [0, 250, 255, 255]);
  },
  () => redis.bitfield("text").get("u8", -1).exec(),
  /bit offset/,
);
for (const [name, chain, expected] of [
  ["get", (field) => field.get("u8", 0), [97]],
  ["set", (field) => field.set("u8", 0, 1), [97]],
  ["incrby", (field) => field.incrby("u8", 0, 1), [98]],
  ["overflow", (field) => field.overflow("FAIL").incrby("u8", 0, 200), [null]],
  ["exec", (field) => field.get("u8", 0).set("u8", 0, 1), [97, 97]],
]) {
  test(`BitFieldCommand.${name} succeeds`, async () => {
    await prepare("SET k a");
    assert.deepEqual(await chain(redis.bitfield("k")).exec(), expected);
  });
}
test("Pipeline.bitfield succeeds", async () => {
  await prepare("SET k a");
  assert.deepEqual(await redis.pipeline().bitfield("k").get("u8", 0).exec().exec(), [[97]]);
});

test("the sync token changes with each write", async () => {
  await redis.set("k", "1");
  const first = redis.readYourWritesSyncToken;
  await redis.set("k", "2");
  assert.ok(first && redis.readYourWritesSyncToken !== first);
});

for (const [name, run] of Object.entries({
  eval: (script) => script.eval(["k"], ["a"]),
  exec: (script) => script.exec(["k"], ["a"]),
  evalsha: async (script) => {
    await redis.scriptLoad(SCRIPT);
    return script.evalsha(["k"], ["a"]);
  },
})) {
  method(
    `Script.${name}`,
    async () => assert.deepEqual(await run(redis.createScript(SCRIPT)), ["k", "a"]),
    () => (name === "evalsha" ? redis.createScript("return 7").evalsha([], []) : redis.createScript("return +")[name]([], [])),
    name === "evalsha" ? /NOSCRIPT/ : /compiling script/,
  );
  const readOnly = { eval: "evalRo", evalsha: "evalshaRo", exec: "exec" }[name];
  method(
    `ScriptRO.${readOnly}`,
    async () => {
      await redis.scriptLoad(SCRIPT);
      assert.deepEqual(await redis.createScript(SCRIPT, { readonly: true })[readOnly](["k"], ["a"]), ["k", "a"]);
    },
    () => redis.createScript(`return redis.call('SET','k','${name}')`, { readonly: true })[readOnly]([], []),
    name === "evalsha" ? /NOSCRIPT/ : /read-only/,
  );
}
test("Redis.createScript succeeds", async () => {
  const script = redis.createScript(SCRIPT);
  await script.exec(["k"], ["a"]);
  assert.equal(script.sha1, createHash("sha1").update(SCRIPT).digest("hex"));
});
test("Redis.createScript reports errors", () => assert.rejects(() => redis.createScript("return +").exec([], []), /compiling/));

for (const [name, { succeeds, fails, error }] of Object.entries({
  load: { succeeds: async (f) => [await f.load({ code: LIBRARY, replace: true }), "lib"], fails: (f) => f.load({ code: "x" }), error: /Missing library/ },
  call: { succeeds: async (f) => [await f.call("double", [], ["4"]), 8], fails: (f) => f.call("none", [], []), error: /not found/ },
  callRo: { succeeds: async (f) => [await f.callRo("double", [], ["4"]), 8], fails: (f) => f.callRo("none", [], []), error: /not found/ },
  list: { succeeds: async (f) => [(await f.list())[0].libraryName, "lib"], fails: () => stranger.functions.list(), error: /WRONGPASS/ },
  stats: { succeeds: async (f) => [(await f.stats()).engines.LUA.librariesCount, 1], fails: () => stranger.functions.stats(), error: /WRONGPASS/ },
  delete: { succeeds: async (f) => [await f.delete("lib"), "OK"], fails: (f) => f.delete("none"), error: /not found/ },
  flush: { succeeds: async (f) => [await f.flush(), "OK"], fails: () => stranger.functions.flush(), error: /WRONGPASS/ },
})) {
  method(
    `functions.${name}`,
    async () => {
      await redis.functions.load({ code: LIBRARY, replace: true });
      assert.deepEqual(...(await succeeds(redis.functions)));
    },
    () => fails(redis.functions),
    error,
  );
}
