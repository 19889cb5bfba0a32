// The Redis client under test, and cases of its commands as data.
import assert from "node:assert/strict";
import test from "node:test";

import { Redis } from "@upstash/redis";

const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
const options = { url, retry: false, enableAutoPipelining: false };

export const redis = new Redis({ ...options, token });
export const stranger = new Redis({ ...options, token: "wrong" });

/** Empties the server and puts there what every case finds, and what this one is given: "SET k v; LPUSH l a". */
export async function prepare(given = "") {
  const commands = given.split(";").map((command) => command.trim().split(" ")).filter(([name]) => name);
  const body = JSON.stringify([["FLUSHALL"], ["SET", "text", "text"], ["RPUSH", "list", "element"], ...commands]);
  const response = await fetch(`${url}/pipeline`, { method: "POST", body, headers: { Authorization: `Bearer ${token}` } });
  for (const answer of await response.json()) assert.ok(!("error" in answer), answer.error);
}

function accept(gives, result) {
  if (typeof gives === "function") assert.ok(gives(result), `not expected: ${JSON.stringify(result)}`);
  else assert.deepEqual(result, gives);
}

/**
 * Tests each command alone and in a pipeline. `gives` is the result or a question about it; `fails` are arguments that
 * are an error, with `error` in its text. Without them nothing but a wrong token is an error.
 */
export function commands(cases) {
  for (const [name, { given, call, gives, fails, error = /WRONGTYPE/ }] of Object.entries(cases)) {
    test(`Redis.${name} succeeds`, async () => {
      await prepare(given);
      accept(gives, await redis[name](...call));
    });
    test(`Pipeline.${name} succeeds`, async () => {
      await prepare(given);
      const [result] = await redis.pipeline()[name](...call).exec();
      accept(gives, result);
    });
    test(`Redis.${name} reports errors`, async () => {
      await prepare(given);
      if (fails) await assert.rejects(async () => redis[name](...fails), error);
      else await assert.rejects(async () => stranger[name](...call), /WRONGPASS/);
    });
  }
}

export const between = (low, high) => (result) => low <= result && result <= high;
export const inAnyOrder = (...members) => (result) => JSON.stringify([...result].sort()) === JSON.stringify(members);
