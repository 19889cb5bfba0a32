// What only the hosted service has answers as an unknown command does, so that nobody mistakes it for working.
import assert from "node:assert/strict";
import test from "node:test";

import { redis, stranger } from "./redis.mjs";

const UNKNOWN = /unknown command/i;
const ARRAYS = Object.keys(stranger).filter((name) => /^ar[a-z]+$/.test(name));
const JSON_METHODS = Object.keys(redis.json).filter((name) => typeof redis.json[name] === "function");

test("array commands are unknown", async () => {
  assert.ok(ARRAYS.length > 15);
  for (const name of ARRAYS) await assert.rejects(async () => redis.exec([name.toUpperCase(), "k", "0", "v"]), UNKNOWN, name);
});

test("JSON commands are unknown", async () => {
  assert.ok(JSON_METHODS.length > 15);
  for (const name of JSON_METHODS) await assert.rejects(async () => redis.exec([`JSON.${name.toUpperCase()}`, "k", "$", "v"]), UNKNOWN, name);
  await assert.rejects(() => redis.json.set("k", "$", { a: 1 }), UNKNOWN);
});

test("search and vector indexes are unknown commands", async () => {
  await assert.rejects(() => redis.search.index({ name: "i" }).describe(), UNKNOWN);
  await assert.rejects(() => redis.exec(["SEARCH.QUERY", "i", "{}"]), UNKNOWN);
  await assert.rejects(() => redis.vector.index({ name: "i" }).info(), UNKNOWN);
});

test("newer stream commands are unknown", async () => {
  await assert.rejects(() => redis.xdelex("s", "KEEPREF", "1-0"), UNKNOWN);
  await assert.rejects(() => redis.xackdel("s", "g", "KEEPREF", "1-0"), UNKNOWN);
});
