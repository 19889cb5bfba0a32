// What the server signs is accepted by every verifier of the SDK, and anything else is refused.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import test from "node:test";

import { Receiver } from "@upstash/qstash";
import { verifySignatureH3 } from "@upstash/qstash/h3";
import { verifySignature, verifySignatureAppRouter, verifySignatureEdge } from "@upstash/qstash/nextjs";
import { verifySignatureNuxt } from "@upstash/qstash/nuxt";
import { verifySignatureSolidjs } from "@upstash/qstash/solidjs";
import { verifySignatureSvelte } from "@upstash/qstash/svelte";

import { client, destination, scene } from "./qstash.mjs";

const { QSTASH_CURRENT_SIGNING_KEY: currentSigningKey, QSTASH_NEXT_SIGNING_KEY: nextSigningKey } = process.env;

/** A request as it was delivered, with the URL that it went to. */
async function delivered(body) {
  const { path, url } = scene();
  await client.publish({ url: `${url}?a=b&c=%20`, body });
  const [request] = await destination.wait(`${path}?a=b&c=%20`);
  return { ...request, url: `${url}?a=b&c=%20`, signature: request.headers["upstash-signature"] };
}

const receiver = new Receiver({ currentSigningKey, nextSigningKey });

test("Receiver.verify succeeds", async () => {
  for (const body of ["text ü", undefined]) {
    const { signature, url } = await delivered(body);
    assert.equal(await receiver.verify({ signature, body: body ?? "", url }), true);
  }
  const { signature, url } = await delivered("x");
  const rotated = new Receiver({ currentSigningKey: "sig_newer", nextSigningKey: currentSigningKey });
  assert.equal(await rotated.verify({ signature, body: "x", url }), true);
});

test("Receiver.verify reports errors", async () => {
  const { signature, url } = await delivered("text");
  const wrong = { name: "SignatureError" };
  await assert.rejects(() => receiver.verify({ signature, body: "other", url }), wrong);
  await assert.rejects(() => receiver.verify({ signature, body: "text", url: `${url}x` }), wrong);
  const stranger = new Receiver({ currentSigningKey: "sig_a", nextSigningKey: "sig_b" });
  await assert.rejects(() => stranger.verify({ signature, body: "text", url }), wrong);
});

const web = ({ headers, url }, body) => new Request(url, { method: "POST", headers: { ...headers, connection: "" }, body });
const done = () => new Response("done");

/** How each framework's verifier is called: what the handler gave back, or the status of the refusal. */
const VERIFIERS = {
  verifySignatureEdge: (request, body) => verifySignatureEdge(done)(web(request, body)),
  verifySignatureAppRouter: (request, body) => verifySignatureAppRouter(done)(web(request, body)),
  verifySignatureSvelte: (request, body) => verifySignatureSvelte(done)({ request: web(request, body) }),
  verifySignatureSolidjs: (request, body) => verifySignatureSolidjs(done)({ request: web(request, body) }),
  verifySignature: async ({ headers }, body) => {
    let status = 200;
    const request = Object.assign(Readable.from([Buffer.from(body)]), { headers });
    const response = { status: (code) => (status = code), send: () => {}, end: () => {} };
    return (await verifySignature(done)(request, response)) ?? { status };
  },
};

for (const [name, verify] of Object.entries(VERIFIERS)) {
  test(`verifiers.${name} succeeds`, async () => {
    const answer = await verify(await delivered('{"a":1}'), '{"a":1}');
    assert.equal(await answer.text(), "done");
  });
  test(`verifiers.${name} reports errors`, async () => {
    await assert.rejects(async () => verify(await delivered("text"), "other"), { name: "SignatureError" });
    const { signature, headers, ...request } = await delivered("text");
    const { "upstash-signature": left, ...others } = headers;
    assert.ok(signature && left);
    const refused = await verify({ ...request, headers: others }, "text");
    assert.ok([400, 403].includes(refused.status));
  });
}

// These two compare the signature with the body as JSON once more, so that only an empty body is ever valid.
for (const [name, verifier] of Object.entries({ verifySignatureH3, verifySignatureNuxt })) {
  const verify = ({ headers }, body) => verifier(done)({ method: "POST", node: { req: { headers, body } } });
  test(`verifiers.${name} succeeds`, async () => assert.equal(await (await verify(await delivered())).text(), "done"));
  test(`verifiers.${name} reports errors`, async () => {
    await assert.rejects(async () => verify(await delivered("text"), "other"), { name: "SignatureError" });
  });
}
