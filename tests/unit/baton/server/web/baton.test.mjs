// The JavaScript client against a server that a test scripts: each request takes the next answer.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { test } from "node:test";

const { Answer, BatonClient, agentTask, once } = await import(pathToFileURL(process.env.BATON_JS).href);

const part = (number, body) => `id: 1-${number}\ndata: ${JSON.stringify(body)}\n\n`;
const DONE = "data: [DONE]\n\n";
const STREAM = { "Content-Type": "text/event-stream" };
const START = part(1, { type: "start", messageId: "job_1" });
const FINISH = part(9, { type: "finish", messageMetadata: { status: "completed" } });
const job = { status: 202, body: JSON.stringify({ id: "job_1", status: "pending" }) };

async function against(answers, work) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (more) => (body += more));
    request.on("end", () => {
      asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      const answer = answers.shift() ?? { status: 500, body: "{}" };
      response.writeHead(answer.status ?? 200, answer.headers ?? STREAM);
      response.write(answer.body);
      if (answer.cut) setTimeout(() => response.destroy(), 20);
      else response.end();
    });
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    await work(new BatonClient({ url: `http://127.0.0.1:${server.address().port}/`, key: "bk_1" }), asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a file of another host is asked for without the key", async () => {
  await against([{ body: "a" }, { body: "b" }, { body: "c" }], async (client, asked) => {
    const here = client.url;
    client.url = ""; // as on a page of the API's host
    assert.equal(await (await client.file(`${here}/x`)).text(), "a");
    await client.file(`${here.replace("http:", "")}/x`).catch(() => null); // no address where there is no page
    client.url = here;
    assert.equal(await (await client.file("data:,hello")).text(), "hello");
    assert.equal(await (await client.file("/api/sessions/s/files/x")).text(), "b");
    assert.deepEqual(asked.map((one) => one.headers.authorization), [undefined, "Bearer bk_1"]);
  });
});

test("a key is sent in UTF-8", async () => {
  await against([{ body: "{}", headers: {} }], async (client, asked) => {
    client.key = "schlüssel 鍵";
    await client.json("GET", "/api/agent-jobs");
    assert.equal(Buffer.from(asked[0].headers.authorization, "latin1").toString(), "Bearer schlüssel 鍵");
  });
});

test("a task that is submitted while another is followed takes its place", async () => {
  const ends = [];
  const client = { submitTask: (body, { onUpdate }) => new Promise((done) => ends.push({ onUpdate, done })) };
  const { state, submitTask } = agentTask(client);
  const [first, second] = [submitTask({}), submitTask({})];
  ends[1].onUpdate({ jobId: "job_2", status: "processing" });
  ends[0].onUpdate({ jobId: "job_1", status: "processing" });
  ends[0].done({ jobId: "job_1" });
  await first;
  assert.deepEqual([state.currentTask.jobId, state.isProcessing], ["job_2", true]);
  ends[1].done({ jobId: "job_2" });
  await second;
  assert.equal(state.isProcessing, false);
});

test("a job is submitted, followed over a lost connection, and reported at its end", async () => {
  const answers = [
    job,
    { body: START + part(2, { type: "text-start", id: "t" }) + part(3, { type: "text-delta", id: "t", delta: "he" }), cut: true },
    { status: 503, body: "{}" },
    { body: part(4, { type: "text-delta", id: "t", delta: "llo" }) + FINISH + DONE },
  ];
  await against(answers, async (client, asked) => {
    const [updates, ended] = [[], []];
    const task = await client.submitTask(
      { jobType: "research" },
      { onUpdate: (one) => updates.push(one.text), onComplete: (one) => ended.push(one), idempotencyKey: "k" },
    );
    assert.equal(task.text, "hello");
    assert.equal(task.status, "completed");
    assert.deepEqual(ended, [task]);
    assert.ok(updates.includes("he"));
    assert.deepEqual(JSON.parse(asked[0].body), { jobType: "research" });
    assert.equal(asked[0].headers["idempotency-key"], "k");
    assert.equal(asked[0].headers.authorization, "Bearer bk_1");
    assert.equal(asked[1].headers["last-event-id"], undefined);
    assert.equal(asked[3].headers["last-event-id"], "1-3");
  });
});

test("a part that is cut in two is read as one, also within a letter", async () => {
  const whole = new TextEncoder().encode(part(2, { type: "text-start", id: "t" }) + part(3, { type: "text-delta", id: "t", delta: "ä€" }) + FINISH + DONE);
  const bytes = (start) => new ReadableStream({ start });
  const ask = async () =>
    new Response(bytes((out) => { for (const one of whole) out.enqueue(Uint8Array.of(one)); out.close(); }), { headers: STREAM });
  const client = new BatonClient({ url: "http://x", key: "k", fetch: ask });
  assert.equal((await client.resumeTask("job_1")).text, "ä€");
});

test("a job that fails rejects with what it said, and onError is called", async () => {
  const body = START + part(2, { type: "error", errorText: "no way on" }) + part(3, { type: "finish", messageMetadata: { status: "failed" } }) + DONE;
  await against([{ body }], async (client) => {
    const errors = [];
    await assert.rejects(client.resumeTask("job_1", { onError: (error) => errors.push(error.message) }), /no way on/);
    assert.deepEqual(errors, ["no way on"]);
  });
});

test("a failure that clients are not told of has the id by which operators find it", async () => {
  const said = { type: "error", errorText: "The answer could not be completed.", id: "job_1" };
  const body = START + part(2, said) + part(3, { type: "finish", messageMetadata: { status: "failed" } }) + DONE;
  await against([{ body }], async (client) => {
    await assert.rejects(client.resumeTask("job_1"), { message: "The answer could not be completed. (job_1)" });
  });
});

test("a refusal is reported in the API's words, and is not tried again", async () => {
  const refusal = { status: 422, headers: {}, body: JSON.stringify({ errors: [{ field: "jobType", message: "unknown agent" }] }) };
  await against([refusal], async (client, asked) => {
    await assert.rejects(client.submitTask({ jobType: "x" }), { name: "BatonError", status: 422, message: "jobType: unknown agent" });
    assert.equal(asked.length, 1);
  });
  await against([{ status: 404, headers: {}, body: "{}" }], async (client, asked) => {
    await assert.rejects(client.resumeTask("job_0"), { status: 404 });
    assert.equal(asked.length, 1);
  });
});

test("cancel and cancelSession say so to the API; to stop following does not", async () => {
  await against([{ body: START, cut: true }, job, { body: '{"cancelled": true}' }], async (client, asked) => {
    const end = new AbortController();
    setTimeout(() => end.abort(), 200);
    await assert.rejects(client.resumeTask("job_1", { signal: end.signal }));
    await client.cancel("job_1");
    assert.deepEqual(await client.cancelSession("a/b"), { cancelled: true });
    assert.deepEqual(asked.filter((one) => one.method !== "GET").map((one) => [one.method, one.url, one.body]), [
      ["PATCH", "/api/agent-jobs/job_1", '{"action":"cancel"}'],
      ["POST", "/api/sessions/a%2Fb/cancel", ""],
    ]);
  });
});

test("what an attempt said in vain is no part of the answer; calls and checkpoints have one state", () => {
  const answer = new Answer();
  for (const one of [
    { type: "text-start", id: "a" },
    { type: "text-delta", id: "a", delta: "in vain" },
    { type: "text-end", id: "a" },
    { type: "data-retry", data: { textId: "a" } },
    { type: "tool-input-available", toolCallId: "c", toolName: "write", input: { path: "x" } },
    { type: "data-checkpoint", data: { id: "op", type: "approval", status: "pending", title: "write?" } },
    { type: "data-checkpoint", data: { id: "op", type: "approval", status: "approved", title: "write?" } },
    { type: "tool-output-available", toolCallId: "c", output: 3 },
    { type: "text-start", id: "b" },
    { type: "text-delta", id: "b", delta: "done" },
  ]) answer.add(one);
  assert.equal(answer.text, "done");
  assert.deepEqual([...answer.order], ["a", "c", "b"]);
  assert.deepEqual([...answer.calls.values()], [{ id: "c", name: "write", input: { path: "x" }, output: 3 }]);
  assert.deepEqual([...answer.checkpoints.values()].map((mark) => mark.status), ["approved"]);
});

test("seed 002: submitting, processing, done, as its hook says it", async () => {
  await against([job, { body: START + part(2, { type: "text-start", id: "t" }) + part(3, { type: "text-delta", id: "t", delta: "42" }) + FINISH + DONE }], async (client) => {
    const states = [];
    const hook = agentTask(client, { onChange: (state) => states.push([state.isSubmitting, state.isProcessing]) });
    const task = await hook.submitTask({ jobType: "research" });
    assert.equal(task.text, "42");
    assert.deepEqual(states[0], [true, false]);
    assert.ok(states.some(([submitting, processing]) => !submitting && processing));
    assert.deepEqual(states.at(-1), [false, false]);
    assert.equal(hook.state.currentTask.status, "completed");
    assert.equal(hook.state.error, null);
  });
});

test("seed 002: an error ends the task and is in the state", async () => {
  await against([{ status: 401, headers: {}, body: JSON.stringify({ detail: "no valid key" }) }], async (client) => {
    const errors = [];
    const hook = agentTask(client, { onError: (error) => errors.push(error.status) });
    assert.equal(await hook.submitTask({}), null);
    assert.deepEqual([errors, hook.state.error.message, hook.state.isSubmitting], [[401], "no valid key", false]);
  });
});

test("a key of any text is sent as UTF-8, as by every client", async () => {
  const keys = ["a b", "é", "é🎉", "\u00a0"];
  await against(keys.map(() => job), async (client, asked) => {
    for (const key of keys) await client.json("POST", "/x", {}, once(key));
    const sent = asked.map((one) => Buffer.from(one.headers["idempotency-key"], "latin1").toString());
    assert.deepEqual(sent, keys);
  });
});

test("a request that may arrive twice is sent again, with one key and not before the API wants it", async () => {
  const busy = { status: 429, headers: { "Retry-After": "1" }, body: "{}" };
  await against([busy, { status: 503, body: "{}" }, job], async (client, asked) => {
    const began = Date.now();
    assert.equal((await client.json("POST", "/x", {}, { "Idempotency-Key": "k" })).id, "job_1");
    assert.ok(Date.now() - began >= 1000);
    assert.deepEqual(asked.map((one) => one.headers["idempotency-key"]), ["k", "k", "k"]);
  });
  await against([{ ...busy, headers: { "Retry-After": "90" } }], async (client) => {
    await assert.rejects(client.json("GET", "/x"), { status: 429, retryAfterSeconds: 90 });
  });
  await against([{ status: 503, body: "{}" }], async (client, asked) => {
    await assert.rejects(client.json("POST", "/x", {}), { status: 503 });
    assert.equal(asked.length, 1);
  });
});

const followed = async (client, call) => {
  const found = [];
  for await (const { part } of client.follow(call)) found.push(part.type);
  return found;
};
const CHAT = { method: "POST", path: "/api/chat", body: { id: "s" } };

test("a chat goes on in its job's stream; where the server says when, it comes back then", async () => {
  const answers = [{ body: START + "retry: 700\n\n" }, { body: FINISH + DONE }];
  await against(answers, async (client, asked) => {
    const began = Date.now();
    assert.deepEqual(await followed(client, CHAT), ["start", "finish"]);
    assert.ok(Date.now() - began >= 700);
    assert.deepEqual(asked.map((one) => [one.method, one.url]), [["POST", "/api/chat"], ["GET", "/api/agent-jobs/job_1/stream"]]);
    assert.equal(asked[1].headers["last-event-id"], "1-1");
  });
});

test("a chat without an answer of its own; what is not Baton is named", async () => {
  const [json, page] = ["application/json", "text/html"].map((type) => ({ "Content-Type": type }));
  const steered = { status: 202, headers: json, body: '{"jobId": "job_2"}' };
  await against([steered, { body: START + DONE }], async (client, asked) => {
    assert.deepEqual(await followed(client, CHAT), ["start"]);
    assert.equal(asked[1].url, "/api/agent-jobs/job_2/stream");
  });
  await against([{ status: 204, body: "" }, { headers: page, body: "<p>" }], async (client) => {
    assert.deepEqual(await followed(client, CHAT), []);
    await assert.rejects(followed(client, CHAT), /is this its address/);
  });
});

for (const data of ["{oops", "[1]", "5", "null", '{"a":1}', '{"type":5}']) {
  test(`an event of another form is named, and no part is passed over: ${data}`, async () => {
    await against([{ body: `id: 1-1\ndata: ${data}\n\n` + DONE }], async (client, asked) => {
      await assert.rejects(client.resumeTask("job_1"), /did not answer as Baton does/);
      assert.equal(asked.length, 1);
    });
  });
}

for (const body of ['{"detail":"x","errors":"no"}', '{"detail":"x","errors":[1,null]}', "[]", "null", "5", "<html>", '{"detail":{"a":1}}']) {
  test(`a refusal of any form is an error of its status: ${body}`, async () => {
    await against([{ status: 422, body, headers: {} }], async (client, asked) => {
      await assert.rejects(client.json("GET", "/x"), (error) => error.status === 422 && Array.isArray(error.errors));
      assert.equal(asked.length, 1);
    });
  });
}

test("a stream that is no stream ends, whatever it is", async () => {
  for (const body of ["null", "5", "[]", "<html>"]) {
    await against([{ body, headers: { "Content-Type": "application/json" } }], async (client, asked) => {
      await assert.rejects(client.resumeTask("job_1"), /did not answer as Baton does/);
      assert.equal(asked.length, 1);
    });
  }
});

test("lines may end with a carriage return, also between two pieces", async () => {
  const whole = new TextEncoder().encode((START + FINISH + DONE).replaceAll("\n", "\r\n"));
  const bytes = (start) => new ReadableStream({ start });
  const ask = async () =>
    new Response(bytes((out) => { for (const one of whole) out.enqueue(Uint8Array.of(one)); out.close(); }), { headers: STREAM });
  assert.equal((await new BatonClient({ url: "http://x", key: "k", fetch: ask }).resumeTask("job_1")).status, "completed");
});

test("a wait is read in every form, within an hour", async () => {
  const waits = { 7: 7, "-5": 0, 1e30: 3600, abc: 0, NaN: 0, "Wed, 21 Oct 2099 07:28:00 GMT": 3600, "Wed, 21 Oct 1999 07:28:00 GMT": 0 };
  for (const [named, seconds] of Object.entries(waits)) {
    const ask = async () => new Response("{}", { status: 429, headers: { "retry-after": named } });
    const client = new BatonClient({ url: "http://x", key: "k", fetch: ask, retrySeconds: 0 });
    await assert.rejects(client.json("GET", "/x"), (error) => error.retryAfterSeconds === seconds);
  }
});
