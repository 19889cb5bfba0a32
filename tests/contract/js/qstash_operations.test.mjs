import assert from "node:assert/strict";

import { client, deadLetters, destination, method, stranger } from "./qstash.mjs";

const { dlq, flowControl } = client;

method(
  "DLQ.listMessages",
  async (scene) => {
    const [newest, oldest] = await deadLetters(scene, 2);
    assert.deepEqual([newest.body, newest.responseStatus, newest.responseBody], ["1", 500, "broken"]);
    const listed = async (options) => (await dlq.listMessages(options)).messages.map(({ dlqId }) => dlqId);
    assert.deepEqual(await listed({ dlqIds: [oldest.dlqId] }), [oldest.dlqId]);
    assert.deepEqual(await listed({ filter: { url: scene.url, responseStatus: [500, 501] } }), [newest.dlqId, oldest.dlqId]);
    assert.deepEqual(await listed({ filter: { label: scene.name, responseStatus: 404 } }), []);
    const page = await dlq.listMessages({ count: 1, filter: { label: scene.name } });
    assert.deepEqual(await listed({ count: 1, cursor: page.cursor, filter: { label: scene.name } }), [oldest.dlqId]);
  },
  () => dlq.listMessages({ count: 0 }),
  400,
);
method(
  "DLQ.delete",
  async (scene) => {
    const [a, b, c, d, e] = await deadLetters(scene, 5);
    assert.deepEqual(await dlq.delete(a.dlqId), { deleted: 1 });
    assert.deepEqual(await dlq.delete([b.dlqId, "1-1"]), { deleted: 1 });
    assert.deepEqual(await dlq.delete({ dlqIds: [c.dlqId] }), { deleted: 1 });
    assert.equal((await dlq.delete({ filter: { label: scene.name }, count: 1 })).deleted, 1);
    assert.equal((await dlq.delete({ all: true })).deleted >= 1, true);
    assert.ok(d && e);
    assert.deepEqual((await dlq.listMessages({ filter: { label: scene.name } })).messages, []);
  },
  () => dlq.delete({ filter: { lable: "typo" } }),
  400,
);
method(
  "DLQ.deleteMany",
  async (scene) => {
    const [entry] = await deadLetters(scene);
    assert.deepEqual(await dlq.deleteMany({ dlqIds: [entry.dlqId] }), { deleted: 1 });
  },
  () => stranger.dlq.deleteMany({ dlqIds: ["1-1"] }),
  401,
);
method(
  "DLQ.retry",
  async (scene) => {
    const [entry, other] = await deadLetters(scene, 2);
    destination.replies.delete(scene.path);
    const { responses } = await dlq.retry(entry.dlqId);
    const arrived = (await destination.wait(scene.path, 3))[2];
    assert.equal(arrived.headers["upstash-message-id"], responses[0].messageId);
    assert.equal((await dlq.retry({ filter: { label: scene.name } })).responses.length, 1);
    assert.ok(other);
    assert.deepEqual((await dlq.retry({ filter: { label: scene.name } })).responses, []);
  },
  () => dlq.retry({ filter: { lable: "typo" } }),
  400,
);

method(
  "FlowControlApi.get",
  async ({ name, url }) => {
    await client.publish({ url, delay: "1h", flowControl: { key: name, rate: 7, period: "1m" } });
    const found = await flowControl.get(name);
    assert.deepEqual([found.flowControlKey, found.rateMax, found.ratePeriod, found.isPaused], [name, 7, 60, false]);
    assert.deepEqual([found.isPinnedParallelism, found.isPinnedRate, found.waitListSize], [false, false, 0]);
  },
  ({ name }) => flowControl.get(name),
  404,
);
method(
  "FlowControlApi.getGlobalParallelism",
  async () => {
    const { parallelismMax, parallelismCount } = await flowControl.getGlobalParallelism();
    assert.ok(parallelismMax > 0 && parallelismCount >= 0);
  },
  () => stranger.flowControl.getGlobalParallelism(),
  401,
);
method(
  "FlowControlApi.pause",
  async ({ name, url }) => {
    await flowControl.pause(name);
    await client.publish({ url, flowControl: { key: name, parallelism: 1 } });
    const { isPaused, waitListSize } = await flowControl.get(name);
    assert.deepEqual({ isPaused, waitListSize }, { isPaused: true, waitListSize: 1 });
  },
  ({ name }) => stranger.flowControl.pause(name),
  401,
);
method(
  "FlowControlApi.resume",
  async ({ name, path, url }) => {
    await flowControl.pause(name);
    await client.publish({ url, flowControl: { key: name, parallelism: 1 } });
    await flowControl.resume(name);
    await destination.wait(path);
  },
  ({ name }) => flowControl.resume(name),
  404,
);
method(
  "FlowControlApi.pin",
  async ({ name, url }) => {
    await flowControl.pin(name, { parallelism: 4, rate: 6, period: 30 });
    await client.publish({ url, flowControl: { key: name, parallelism: 9, rate: 9 } });
    const found = await flowControl.get(name);
    assert.deepEqual([found.parallelismMax, found.rateMax, found.ratePeriod], [4, 6, 30]);
    assert.ok(found.isPinnedParallelism && found.isPinnedRate);
  },
  ({ name }) => flowControl.pin(name, { rate: -1 }),
  400,
);
method(
  "FlowControlApi.unpin",
  async ({ name }) => {
    await flowControl.pin(name, { parallelism: 4, rate: 6 });
    await flowControl.unpin(name, { parallelism: true });
    const { isPinnedParallelism, isPinnedRate } = await flowControl.get(name);
    assert.deepEqual({ isPinnedParallelism, isPinnedRate }, { isPinnedParallelism: false, isPinnedRate: true });
  },
  ({ name }) => flowControl.unpin(name, { rate: true }),
  404,
);
method(
  "FlowControlApi.resetRate",
  async ({ name, url }) => {
    await client.publish({ url, flowControl: { key: name, rate: 7, period: "1h" } });
    assert.equal((await flowControl.get(name)).rateCount, 1);
    await flowControl.resetRate(name);
    assert.equal((await flowControl.get(name)).rateCount, 0);
  },
  ({ name }) => flowControl.resetRate(name),
  404,
);
