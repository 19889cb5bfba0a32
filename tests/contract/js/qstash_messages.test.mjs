import assert from "node:assert/strict";
import test from "node:test";

import { client, destination, eventually, method, stranger } from "./qstash.mjs";

method(
  "Client.publish",
  async ({ path, url }) => {
    const { messageId } = await client.publish({ url, body: "text", headers: { "X-A": "1", "Content-Type": "text/plain" }, method: "PUT" });
    const [request] = await destination.wait(path);
    assert.deepEqual([request.method, request.body, request.headers["x-a"]], ["PUT", "text", "1"]);
    assert.equal(request.headers["content-type"], "text/plain");
    assert.equal(request.headers["upstash-message-id"], messageId);
  },
  () => client.publish({ urlGroup: "none" }),
  404,
);

method(
  "Client.publishJSON",
  async ({ name, path, url }) => {
    const flowControl = { key: name, parallelism: 2, rate: 10, period: "1h30m3s" };
    const sent = { url, body: { a: "é" }, retries: 1, retryDelay: "pow(2, retried)", label: [name, "b"], flowControl, timeout: 90 };
    const { messageId } = await client.publishJSON({ ...sent, callback: destination.url("/cb"), failureCallback: destination.url("/f") });
    assert.equal((await destination.wait(path))[0].body, '{"a":"é"}');
    const message = await client.messages.get(messageId);
    assert.deepEqual([message.label, message.labels], [name, [name, "b"]]);
    assert.deepEqual([message.flowControlKey, message.parallelism, message.rate, message.period], [name, 2, 10, 5403]);
    assert.deepEqual([message.maxRetries, message.retryDelayExpression], [1, "pow(2, retried)"]);
    assert.deepEqual(message.header, { "Content-Type": ["application/json"] });
    assert.equal(message.callback, destination.url("/cb"));
    await destination.wait("/cb");
  },
  ({ url }) => client.publishJSON({ url, retryDelay: "what(1)" }),
  400,
);

method(
  "Client.batch",
  async ({ name, path, url }) => {
    await client.urlGroups.addEndpoints({ name, endpoints: [{ url }] });
    const answers = await client.batch([{ url, body: "a", method: "GET" }, { urlGroup: name, body: "b" }, { url, body: "c", queueName: name }]);
    assert.deepEqual(answers.map((answer) => Array.isArray(answer)), [false, true, false]);
    assert.deepEqual((await destination.wait(path, 3)).map(({ body }) => body).sort(), ["a", "b", "c"]);
  },
  ({ url }) => stranger.batch([{ url }]),
  401,
);

method(
  "Client.batchJSON",
  async ({ path, url }) => {
    const answers = await client.batchJSON([{ url, body: { a: 1 } }]);
    assert.equal(answers.length, 1);
    const [request] = await destination.wait(path);
    assert.deepEqual([request.body, request.headers["content-type"]], ['{"a":1}', "application/json"]);
  },
  ({ url }) => stranger.batchJSON([{ url }]),
  401,
);

test("a second publish under the same id is a duplicate", async () => {
  const sent = { url: destination.url("/duplicate"), deduplicationId: "js" };
  const first = await client.publish(sent);
  const second = await client.publish(sent);
  assert.equal(second.deduplicated, true);
  assert.equal(second.messageId, first.messageId);
});

method(
  "Messages.get",
  async ({ url }) => {
    const { messageId } = await client.publish({ url });
    const message = await client.messages.get(messageId);
    assert.deepEqual([message.url, message.method, message.body, message.flowControlKey], [url, "POST", undefined, undefined]);
    assert.equal(message.notBefore, message.createdAt);
  },
  () => client.messages.get("msg_none"),
  404,
);

const delayed = async (url, options = {}) => (await client.publish({ url, delay: "1h", ...options })).messageId;

method(
  "Messages.cancel",
  async ({ name, url }) => {
    assert.deepEqual(await client.messages.cancel(await delayed(url)), { cancelled: 1 });
    assert.deepEqual(await client.messages.cancel([await delayed(url), "msg_none"]), { cancelled: 1 });
    await delayed(url, { label: name });
    await delayed(url, { label: `${name}-b` });
    assert.deepEqual(await client.messages.cancel({ filter: { label: [name, `${name}-b`] } }), { cancelled: 2 });
    await delayed(url);
    assert.deepEqual(await client.messages.cancel({ filter: { url } }), { cancelled: 1 });
    await delayed(url);
    assert.equal((await client.messages.cancel({ all: true })).cancelled, 1);
  },
  () => client.messages.cancel("msg_none"),
  404,
);

test("cancelling by a filter that does not exist is refused", async () => {
  await assert.rejects(() => client.messages.cancel({ filter: { lable: "typo" } }), { status: 400 });
});

method(
  "Messages.delete",
  async ({ name, url }) => {
    await client.messages.delete(await delayed(url, { label: name }));
    const { logs } = await client.logs({ filter: { label: name } });
    assert.equal(logs[0].state, "CANCELED");
  },
  () => client.messages.delete("msg_none"),
  404,
);

method(
  "Messages.deleteMany",
  async ({ url }) => assert.equal(await client.messages.deleteMany([await delayed(url), await delayed(url)]), 2),
  () => stranger.messages.deleteMany(["msg_none"]),
  401,
);

method(
  "Messages.deleteAll",
  async ({ url }) => {
    await delayed(url);
    assert.equal(await client.messages.deleteAll(), 1);
    assert.equal(await client.messages.deleteAll(), 0);
  },
  () => stranger.messages.deleteAll(),
  401,
);

for (const name of ["logs", "events"]) {
  method(
    `Client.${name}`,
    async (scene) => {
      const { messageId } = await client.publish({ url: scene.url, body: "x", label: scene.name, retryDelay: "1000" });
      const found = await eventually(async () => {
        const answer = await client[name]({ filter: { label: scene.name } });
        return answer.logs.length === 3 && answer;
      });
      assert.deepEqual(found.logs.map(({ state }) => state), ["DELIVERED", "ACTIVE", "CREATED"]);
      assert.deepEqual(found.events, found.logs);
      assert.equal(found.cursor, undefined);
      assert.ok(found.logs.every((log) => log.retryDelayExpression === "1000" && log.label === scene.name));
      assert.equal((await client[name]({ messageIds: [messageId] })).logs.length, 3);
      const page = await client[name]({ count: 2, filter: { url: scene.url, fromDate: new Date(found.logs[2].time) } });
      const rest = await client[name]({ count: 2, cursor: page.cursor, filter: { url: scene.url } });
      assert.deepEqual([page.logs.length, rest.logs.length, rest.cursor], [2, 1, undefined]);
    },
    () => client[name]({ count: 0 }),
    400,
  );
}
