// What is not served says so: 501, so that nobody waits for it.
import assert from "node:assert/strict";
import test from "node:test";

import { upstash } from "@upstash/qstash";

import { client } from "./qstash.mjs";

const REQUEST = { provider: upstash(), model: "meta-llama/Meta-Llama-3-8B-Instruct" };

test("the vendor's own language models are not served", async () => {
  await assert.rejects(() => client.chat().create({ ...REQUEST, messages: [{ role: "user", content: "x" }] }), { status: 501 });
  await assert.rejects(() => client.chat().prompt({ ...REQUEST, system: "x", user: "x" }), { status: 501 });
});

test("workflow runs are not served", async () => {
  await assert.rejects(() => client.workflow.cancel("wfr_none"), { status: 501 });
});
