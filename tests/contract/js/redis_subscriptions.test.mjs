// Channels and the monitor: server-sent events.
import assert from "node:assert/strict";
import test from "node:test";

import { redis, stranger } from "./redis.mjs";

const LIMIT_MS = 10_000;

/** The first value that a subscriber gives for this kind of event. */
function first(subscriber, kind) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${kind} in time`)), LIMIT_MS);
    subscriber.on(kind, (value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

test("Redis.subscribe succeeds", async () => {
  const subscriber = redis.subscribe(["news", "more"]);
  await first(subscriber, "subscribe");
  const message = first(subscriber, "message:news");
  while ((await redis.publish("news", { a: "x,y" })) === 0);
  assert.deepEqual(await message, { channel: "news", message: { a: "x,y" } });
  await subscriber.unsubscribe();
});

test("Redis.psubscribe succeeds", async () => {
  const subscriber = redis.psubscribe("user:*");
  await first(subscriber, "psubscribe");
  const message = first(subscriber, "pmessage");
  assert.equal(await redis.publish("user:7", { name: "Zoë" }), 1);
  assert.deepEqual(await message, { pattern: "user:*", channel: "user:7", message: { name: "Zoë" } });
  await subscriber.unsubscribe();
});

for (const name of ["subscribe", "psubscribe"]) {
  test(`Redis.${name} reports errors`, async () => {
    assert.match(String(await first(stranger[name]("c"), "error")), /WRONGPASS|Stream|401/);
  });
}

test("Subscriber.on succeeds", async () => {
  const subscriber = redis.subscribe("on");
  assert.equal(await first(subscriber, "subscribe"), 1);
  await subscriber.unsubscribe();
});

test("Subscriber.getSubscribedChannels succeeds", async () => {
  const subscriber = redis.subscribe(["a", "b"]);
  assert.deepEqual(subscriber.getSubscribedChannels(), ["a", "b"]);
  await subscriber.unsubscribe();
});

test("Subscriber.unsubscribe succeeds", async () => {
  const subscriber = redis.subscribe("gone");
  await first(subscriber, "subscribe");
  assert.equal(await redis.publish("gone", "x"), 1);
  await subscriber.unsubscribe(["gone"]);
  assert.deepEqual(subscriber.getSubscribedChannels(), []);
  while ((await redis.publish("gone", "x")) !== 0);
});

test("Subscriber.removeAllListeners succeeds", async () => {
  const subscriber = redis.subscribe("quiet");
  await first(subscriber, "subscribe");
  let heard = 0;
  subscriber.on("message", () => (heard += 1));
  subscriber.removeAllListeners();
  await redis.publish("quiet", "x");
  const end = first(subscriber, "message");
  await redis.publish("quiet", "end");
  await end;
  assert.equal(heard, 0);
  await subscriber.unsubscribe();
});

test("the monitor shows commands of others", async () => {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
  const stop = new AbortController();
  const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
  const response = await fetch(`${url}/monitor`, { method: "POST", headers, signal: stop.signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (wanted) => {
    while (!wanted.test(text)) text += (await reader.read()).value;
  };
  await until(/data: "OK"/);
  await redis.set("seen", "v");
  await until(/data: .*"set" "seen" "v"/i);
  stop.abort();
});
