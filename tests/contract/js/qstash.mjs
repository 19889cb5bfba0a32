// The QStash client under test, and what its tests find.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { Client } from "@upstash/qstash";

import { Destination } from "./destination.mjs";

const { QSTASH_URL: baseUrl, QSTASH_TOKEN: token } = process.env;
const PAUSE_MS = 20;
const TRIES = 500;

console.error = () => {}; // the SDK says on stderr what it also throws

export const client = new Client({ baseUrl, token, retry: false });
export const stranger = new Client({ baseUrl, token: "wrong", retry: false });
export const destination = new Destination();
before(() => destination.start());
after(() => destination.stop());

let last = 0;

/** A name that nothing else uses, and a URL of that name. */
export function scene() {
  last += 1;
  const name = `js-${process.pid}-${last}`;
  return { name, path: `/${name}`, url: destination.url(`/${name}`) };
}

/** Asks again until the answer is true; bounded. */
export async function eventually(ask) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error("not true in time");
}

/** The dead letters of messages that have just failed for good. */
export async function deadLetters({ name, path, url }, count = 1) {
  destination.replies.set(path, { status: 500, body: "broken" });
  for (let number = 0; number < count; number += 1) await client.publish({ url, body: String(number), retries: 0, label: name });
  return eventually(async () => {
    const { messages } = await client.dlq.listMessages({ filter: { label: name } });
    return messages.length === count && messages;
  });
}

/** One test of a success, one of an error with this status. */
export function method(name, succeeds, fails, status) {
  test(`${name} succeeds`, () => succeeds(scene()));
  test(`${name} reports errors`, () => assert.rejects(async () => fails(scene()), { status }));
}
