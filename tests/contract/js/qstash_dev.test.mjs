// QSTASH_DEV=true finds this server by the development user that it serves, and downloads nothing.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { Destination } from "./destination.mjs";

const { port } = new URL(process.env.QSTASH_URL);
for (const name of ["QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"]) delete process.env[name];
Object.assign(process.env, { QSTASH_DEV: "true", QSTASH_DEV_PORT: port });

const { Client, Receiver, startDevServer } = await import("@upstash/qstash");
const { verifySignatureEdge } = await import("@upstash/qstash/nextjs");

const destination = new Destination();
before(() => destination.start());
after(() => destination.stop());

test("the development server counts as running", async () => {
  const said = [];
  const { log } = console;
  console.log = (text) => said.push(text);
  try {
    await startDevServer();
  } finally {
    console.log = log;
  }
  assert.match(said.join("\n"), new RegExp(`already running at http://127.0.0.1:${port}`));
});

test("a client without any setting publishes, a receiver without any key verifies", async () => {
  const client = new Client();
  const { messageId } = await client.publishJSON({ url: destination.url("/dev"), body: { a: 1 } });
  const [request] = await destination.wait("/dev");
  assert.equal(request.headers["upstash-message-id"], messageId);
  const signature = request.headers["upstash-signature"];
  assert.equal(await new Receiver().verify({ signature, body: '{"a":1}', url: destination.url("/dev") }), true);
  await assert.rejects(() => new Receiver().verify({ signature, body: "other" }), { name: "SignatureError" });
});

test("a framework's verifier needs no key either", async () => {
  await new Client().publish({ url: destination.url("/edge"), body: "x" });
  const [{ headers }] = await destination.wait("/edge");
  const request = new Request(destination.url("/edge"), { method: "POST", headers: { ...headers, connection: "" }, body: "x" });
  assert.equal((await verifySignatureEdge(() => new Response("done"))(request)).status, 200);
});
