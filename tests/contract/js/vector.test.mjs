import assert from "node:assert/strict";
import test from "node:test";

import { Index } from "@upstash/vector";

const { UPSTASH_VECTOR_REST_URL: url, UPSTASH_VECTOR_REST_TOKEN: token } = process.env;
const DIMENSION = 384;
const NO_FILTER = "price =";

const index = new Index({ url, token, retry: false });
const stranger = new Index({ url, token: "wrong", retry: false });
const unit = (position) => Array.from({ length: DIMENSION }, (_, each) => (each === position ? 1 : 0));

/** Two records in the default namespace, one in `ns`. */
async function prepare() {
  await index.reset({ all: true });
  for (const namespace of await index.listNamespaces()) if (namespace) await index.deleteNamespace(namespace);
  await index.upsert([
    { id: "apple", data: "a red apple", metadata: { kind: "fruit", price: 2 } },
    { id: "plum", data: "a blue plum", metadata: { kind: "fruit", price: 3 } },
  ]);
  await index.namespace("ns").upsert({ id: "car", data: "a red car", metadata: { kind: "thing" } });
}

const ids = (found) => found.map((each) => each && each.id);

/** One test of a success and one of an error; without an error of its own, a wrong token is one. */
function method(name, succeeds, fails, error = /Unauthorized/) {
  test(`${name} succeeds`, async () => {
    await prepare();
    await succeeds();
  });
  test(`${name} reports errors`, async () => {
    await prepare();
    await assert.rejects(async () => fails(), error);
  });
}

method("Index.fromEnv", async () => assert.equal((await Index.fromEnv().info()).vectorCount, 3), () => stranger.info());

method(
  "Index.upsert",
  async () => {
    assert.equal(await index.upsert([{ id: "v", vector: unit(1), metadata: { n: 1 } }, { id: 7, vector: unit(2) }]), "Success");
    const found = await index.fetch(["v", "7"], { includeVectors: true, includeMetadata: true });
    assert.deepEqual(found, [{ id: "v", vector: unit(1), metadata: { n: 1 } }, { id: "7", vector: unit(2) }]);
  },
  () => index.upsert({ id: "v", vector: [1, 2] }),
  /dimension/,
);
method(
  "Index.query",
  async () => {
    const [first, second] = await index.query({ data: "a red apple", topK: 2, includeMetadata: true, includeData: true });
    assert.deepEqual(first, { id: "apple", score: 1, metadata: { kind: "fruit", price: 2 }, data: "a red apple" });
    assert.ok(second.id === "plum" && second.score < 1);
    assert.deepEqual(ids(await index.query({ data: "x", topK: 9, filter: "price > 2" })), ["plum"]);
    assert.deepEqual(ids(await index.query({ data: "car", topK: 1 }, { namespace: "ns" })), ["car"]);
  },
  () => index.query({ data: "x", topK: 1, filter: NO_FILTER }),
  /filter/,
);
method(
  "Index.queryMany",
  async () => {
    const found = await index.queryMany([{ data: "red apple", topK: 1 }, { data: "blue plum", topK: 1 }]);
    assert.deepEqual(found.map(ids), [["apple"], ["plum"]]);
  },
  () => index.queryMany([{ vector: [1], topK: 1 }, { vector: [1], topK: 1 }]),
  /dimension/,
);
method(
  "Index.fetch",
  async () => {
    assert.deepEqual(ids(await index.fetch(["plum", "none", "apple"])), ["plum", null, "apple"]);
    assert.deepEqual(ids(await index.fetch({ prefix: "ap" })), ["apple"]);
    assert.deepEqual(ids(await index.fetch(["car"], { namespace: "ns" })), ["car"]);
  },
  () => stranger.fetch(["apple"]),
);
method(
  "Index.delete",
  async () => {
    assert.deepEqual(await index.delete("none"), { deleted: 0 });
    assert.deepEqual(await index.delete(["apple"]), { deleted: 1 });
    assert.deepEqual(await index.delete({ filter: "kind = 'fruit'" }), { deleted: 1 });
    assert.deepEqual(await index.delete({ prefix: "c" }, { namespace: "ns" }), { deleted: 1 });
  },
  () => index.delete({ filter: NO_FILTER }),
  /filter/,
);
method(
  "Index.reset",
  async () => {
    assert.equal(await index.reset(), "Success");
    assert.equal((await index.info()).vectorCount, 1);
    await index.reset({ namespace: "ns" });
    assert.equal((await index.info()).vectorCount, 0);
  },
  () => stranger.reset(),
);
method(
  "Index.info",
  async () => {
    const found = await index.info();
    assert.deepEqual([found.vectorCount, found.dimension, found.similarityFunction], [3, DIMENSION, "COSINE"]);
    assert.equal(found.namespaces.ns.vectorCount, 1);
  },
  () => stranger.info(),
);
method("Index.listNamespaces", async () => assert.deepEqual(await index.listNamespaces(), ["", "ns"]), () => stranger.listNamespaces());
method(
  "Index.deleteNamespace",
  async () => {
    await index.deleteNamespace("ns");
    assert.deepEqual(await index.listNamespaces(), [""]);
  },
  () => index.deleteNamespace("none"),
  /does not exist/,
);
method("Index.namespace", async () => assert.deepEqual(ids(await index.namespace("ns").fetch(["car"])), ["car"]), () => stranger.namespace("ns").fetch(["car"]));

const there = () => index.namespace("ns");
method("Namespace.upsert", async () => assert.equal(await there().upsert({ id: "bus", data: "a bus" }), "Success"), () => there().upsert({ id: "x", vector: [1] }), /dimension/);
method("Namespace.fetch", async () => assert.deepEqual(ids(await there().fetch(["car", "apple"])), ["car", null]), () => stranger.namespace("ns").fetch(["car"]));
method("Namespace.query", async () => assert.deepEqual(ids(await there().query({ data: "x", topK: 5 })), ["car"]), () => there().query({ data: "x", topK: 1, filter: NO_FILTER }), /filter/);
method("Namespace.delete", async () => assert.deepEqual(await there().delete("car"), { deleted: 1 }), () => there().delete({ filter: NO_FILTER }), /filter/);
method("Namespace.reset", async () => assert.equal(await there().reset(), "Success"), () => stranger.namespace("ns").reset());

test("what no agent uses is answered 501", async () => {
  const one = { vector: unit(1), topK: 1, maxIdle: 60 };
  for (const of of [index, there()])
    for (const ask of [() => of.update({ id: "apple", data: "x" }), () => of.range({ cursor: "0", limit: 1 }), () => of.resumableQuery(one)])
      await assert.rejects(ask, /is not emulated locally/);
});
