import assert from "node:assert/strict";
import test from "node:test";

import { client, destination, method, scene, stranger } from "./qstash.mjs";

const ENDPOINTS = [{ url: "https://a.example/" }, { name: "b", url: "https://b.example/" }];
const groups = client.urlGroups;

method(
  "UrlGroups.addEndpoints",
  async ({ name }) => {
    await groups.addEndpoints({ name, endpoints: ENDPOINTS });
    await groups.addEndpoints({ name, endpoints: [{ name: "b", url: "https://new.example/" }] });
    assert.deepEqual((await groups.get(name)).endpoints, [ENDPOINTS[0], { name: "b", url: "https://new.example/" }]);
  },
  ({ name }) => groups.addEndpoints({ name, endpoints: [{ url: "nowhere" }] }),
  400,
);
method(
  "UrlGroups.removeEndpoints",
  async ({ name }) => {
    await groups.addEndpoints({ name, endpoints: ENDPOINTS });
    await groups.removeEndpoints({ name, endpoints: [{ name: "b" }] });
    assert.deepEqual((await groups.get(name)).endpoints, [ENDPOINTS[0]]);
  },
  ({ name }) => groups.removeEndpoints({ name, endpoints: [{ name: "b" }] }),
  404,
);
method(
  "UrlGroups.get",
  async ({ name }) => {
    await groups.addEndpoints({ name, endpoints: ENDPOINTS });
    const group = await groups.get(name);
    assert.deepEqual([group.name, group.endpoints], [name, ENDPOINTS]);
    assert.ok(group.createdAt <= group.updatedAt);
  },
  ({ name }) => groups.get(name),
  404,
);
method(
  "UrlGroups.list",
  async ({ name }) => {
    await groups.addEndpoints({ name, endpoints: ENDPOINTS });
    assert.ok((await groups.list()).some((group) => group.name === name));
  },
  () => stranger.urlGroups.list(),
  401,
);
method(
  "UrlGroups.delete",
  async ({ name }) => {
    await groups.delete(name); // a missing one is fine
    await groups.addEndpoints({ name, endpoints: ENDPOINTS });
    await groups.delete(name);
    await assert.rejects(() => groups.get(name), { status: 404 });
  },
  ({ name }) => stranger.urlGroups.delete(name),
  401,
);
test("topics are the same as URL groups", async () => {
  const { name } = scene();
  await client.topics.addEndpoints({ name, endpoints: ENDPOINTS });
  assert.equal((await groups.get(name)).name, name);
});
test("publishing to a group gives one answer an endpoint", async () => {
  const { name, path, url } = scene();
  await groups.addEndpoints({ name, endpoints: [{ url }, { url: `${url}/2`, name: "second" }] });
  const answers = await client.publishJSON({ urlGroup: name, body: 1 });
  assert.deepEqual(answers.map((answer) => answer.url), [url, `${url}/2`]);
  const [request] = await destination.wait(path);
  assert.equal(request.headers["upstash-topic-name"], name);
  assert.equal((await client.messages.get(answers[1].messageId)).endpointName, "second");
});

method(
  "Client.queue",
  async ({ name }) => {
    await client.queue({ queueName: name }).upsert({});
    assert.equal((await client.queue({ queueName: name }).get()).parallelism, 1);
  },
  ({ name }) => client.queue({ queueName: name }).get(),
  404,
);
method(
  "Queue.upsert",
  async ({ name }) => {
    await client.queue({ queueName: name }).upsert({ parallelism: 3, paused: true });
    const { parallelism, paused, lag } = await client.queue({ queueName: name }).get();
    assert.deepEqual({ parallelism, paused, lag }, { parallelism: 3, paused: true, lag: 0 });
  },
  () => client.queue({ queueName: "a:b" }).upsert({}),
  400,
);
method(
  "Queue.get",
  async ({ name, url }) => {
    const queue = client.queue({ queueName: name });
    await queue.upsert({ paused: true });
    await queue.enqueue({ url });
    assert.equal((await queue.get()).lag, 1);
  },
  ({ name }) => client.queue({ queueName: name }).get(),
  404,
);
method(
  "Queue.list",
  async ({ name }) => {
    await client.queue({ queueName: name }).upsert({});
    assert.ok((await client.queue().list()).some((queue) => queue.name === name));
  },
  () => stranger.queue().list(),
  401,
);
method(
  "Queue.delete",
  async ({ name }) => {
    await client.queue({ queueName: name }).upsert({});
    await client.queue({ queueName: name }).delete();
    await assert.rejects(() => client.queue({ queueName: name }).get(), { status: 404 });
  },
  ({ name }) => stranger.queue({ queueName: name }).delete(),
  401,
);
for (const [verb, body, expected] of [["enqueue", "b", "b"], ["enqueueJSON", { a: 1 }, '{"a":1}']]) {
  method(
    `Queue.${verb}`,
    async ({ name, path, url }) => {
      const queue = client.queue({ queueName: name });
      await queue.enqueue({ url, body: "first" });
      const { messageId } = await queue[verb]({ url, body });
      assert.deepEqual((await destination.wait(path, 2)).map((request) => request.body), ["first", expected]);
      assert.equal((await client.messages.get(messageId)).queueName, name);
    },
    ({ name }) => client.queue({ queueName: name })[verb]({ urlGroup: "none" }),
    404,
  );
}
method(
  "Queue.pause",
  async ({ name, path, url }) => {
    const queue = client.queue({ queueName: name });
    await queue.upsert({});
    await queue.pause();
    await queue.enqueue({ url });
    assert.equal((await queue.get()).paused, true);
    assert.deepEqual(destination.at(path), []);
  },
  ({ name }) => client.queue({ queueName: name }).pause(),
  404,
);
method(
  "Queue.resume",
  async ({ name, path, url }) => {
    const queue = client.queue({ queueName: name });
    await queue.upsert({ paused: true });
    await queue.enqueue({ url });
    await queue.resume();
    await destination.wait(path);
  },
  ({ name }) => client.queue({ queueName: name }).resume(),
  404,
);
