// The React hook, as it is built, rendered without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { act, create } from "react-test-renderer";

import { BatonClient } from "durable-baton";
import { useAgentTask } from "durable-baton/react";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;

const JOB = JSON.stringify({ id: "job_1", status: "pending" });
const event = (number, body) => `id: 1-${number}\ndata: ${JSON.stringify(body)}\n\n`;
const ANSWER =
  event(1, { type: "text-start", id: "t" }) + event(2, { type: "text-delta", id: "t", delta: "hello" }) +
  event(3, { type: "finish", messageMetadata: { status: "completed" } }) + "data: [DONE]\n\n";

function rendered(fetch, callbacks = {}) {
  const [seen, client] = [[], new BatonClient({ url: "http://x", key: "k", fetch })];
  const Shows = () => (seen.push(useAgentTask({ client, ...callbacks })), null);
  let root;
  act(() => (root = create(createElement(Shows))));
  return { last: () => seen.at(-1), root };
}

test("a task is submitted, seen at work, and ends with its answer", async () => {
  const [ended, open] = [[], Promise.withResolvers()];
  const answers = [new Response(JOB, { status: 202 }), open.promise];
  const { last } = rendered(async () => answers.shift(), { onComplete: (task) => ended.push(task.text) });
  const { submitTask } = last();
  let following;
  act(() => void (following = submitTask({ jobType: "clerk" })));
  assert.equal(last().isSubmitting, true);
  await act(async () => {});
  assert.deepEqual([last().isSubmitting, last().isProcessing, last().currentTask.jobId], [false, true, "job_1"]);
  open.resolve(new Response(ANSWER, { headers: { "Content-Type": "text/event-stream" } }));
  await act(async () => assert.equal((await following).text, "hello"));
  assert.deepEqual([last().isProcessing, last().currentTask.status, ended], [false, "completed", ["hello"]]);
  assert.equal(last().submitTask, submitTask);
});

test("a task of seed 002 is submitted to the hook's agent, with its enterprise as a tag", async () => {
  const [sent, ended] = [[], []];
  const fetch = async (_url, { body }) => {
    sent.push(body);
    return sent.length === 1 ? new Response(JOB, { status: 202 })
      : new Response(ANSWER, { headers: { "Content-Type": "text/event-stream" } });
  };
  const { last } = rendered(fetch, { enterpriseId: "e1", jobType: "clerk", onComplete: (task) => ended.push(task.text) });
  await act(async () => void (await last().submitTask({ prompt: "Why?", context: { page: 7 } })));
  assert.deepEqual(JSON.parse(sent[0]), {
    jobType: "clerk", taskDescription: "Why?", inputData: { page: 7 }, tags: ["enterpriseId:e1"],
  });
  assert.deepEqual(ended, ["hello"]);
});

test("a refusal is the hook's error", async () => {
  const errors = [];
  const refuse = async () => new Response(JSON.stringify({ detail: "no such agent" }), { status: 422 });
  const { last } = rendered(refuse, { onError: (error) => errors.push(error.message) });
  await act(async () => assert.equal(await last().submitTask({}), null));
  assert.deepEqual([errors, last().error.message], [["no such agent"], "no such agent"]);
});

test("a component that goes away stops following, without an error", async () => {
  let followed;
  const open = (_url, { signal }) =>
    new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason), { once: true }));
  const { last, root } = rendered(open, { onError: () => assert.fail("nothing went wrong") });
  act(() => void (followed = last().resumeTask("job_1")));
  act(() => root.unmount());
  assert.equal(await followed, null);
});
