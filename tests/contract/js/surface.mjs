// Prints what the SDKs offer: {"@upstash/redis": {"Redis": ["append", …], …}, …}; methods.json holds it.
import * as qstash from "@upstash/qstash";
import * as h3 from "@upstash/qstash/h3";
import * as nextjs from "@upstash/qstash/nextjs";
import * as nuxt from "@upstash/qstash/nuxt";
import * as solidjs from "@upstash/qstash/solidjs";
import * as svelte from "@upstash/qstash/svelte";
import { Redis, SearchIndex, VectorIndex } from "@upstash/redis";
import { Index } from "@upstash/vector";

// Private by the SDKs' type declarations, though JavaScript shows them.
const PRIVATE = new Set([
  "constructor", "client", "opts", "http", "token", "request", "addTelemetry", "autoPipelineExecutor", "chain",
  "verifyWithKey", "verifyBodyAndUrl", "createThirdParty", "getAuthorizationToken", "init", "digest", "then", "catch",
  "finally", "subscribeToChannel", "subscribeToPattern", "handleMessage", "dispatchToListeners", "execOperation",
]);
const BUILT_IN = new Set([Object.prototype, Function.prototype, EventTarget.prototype]);

/** The names of an object's public functions, its own and those of its classes. */
function functionsOf(object) {
  const names = new Set(Object.keys(object));
  for (let type = Object.getPrototypeOf(object); type && !BUILT_IN.has(type); type = Object.getPrototypeOf(type)) {
    Object.getOwnPropertyNames(type).forEach((name) => names.add(name));
  }
  return [...names].filter((name) => !PRIVATE.has(name) && typeof object[name] === "function").sort();
}

const staticsOf = (type) => Object.getOwnPropertyNames(type).filter((name) => typeof type[name] === "function");
const methodsOf = (type) => Object.getOwnPropertyNames(type.prototype).filter((name) => !PRIVATE.has(name)).sort();

const redis = new Redis({ url: "https://redis.example", token: "t", retry: false, enableAutoPipelining: false });
const client = new qstash.Client({ token: "t", baseUrl: "https://qstash.example" });
const index = new Index({ url: "https://vector.example", token: "t" });
const subscriber = redis.subscribe([]);

const surface = {
  "@upstash/qstash": {
    Client: functionsOf(client),
    Messages: functionsOf(client.messages),
    UrlGroups: functionsOf(client.urlGroups),
    Queue: functionsOf(client.queue({ queueName: "q" })),
    Schedules: functionsOf(client.schedules),
    DLQ: functionsOf(client.dlq),
    FlowControlApi: functionsOf(client.flowControl),
    Receiver: methodsOf(qstash.Receiver),
    verifiers: Object.keys({ ...nextjs, ...h3, ...nuxt, ...solidjs, ...svelte }).filter((name) => name.startsWith("verify")).sort(),
    Chat: functionsOf(client.chat()),
    Workflow: functionsOf(client.workflow),
  },
  "@upstash/redis": {
    Redis: [...functionsOf(redis), ...staticsOf(Redis)].sort(),
    Pipeline: functionsOf(redis.pipeline()),
    BitFieldCommand: methodsOf(redis.bitfield("k").constructor),
    Script: functionsOf(redis.createScript("return 1")),
    ScriptRO: functionsOf(redis.createScript("return 1", { readonly: true })),
    functions: functionsOf(redis.functions),
    Subscriber: functionsOf(subscriber),
    json: functionsOf(redis.json),
    search: [...functionsOf(redis.search), "alias"].sort(),
    SearchIndex: methodsOf(SearchIndex),
    vector: functionsOf(redis.vector),
    VectorIndex: methodsOf(VectorIndex),
  },
  "@upstash/vector": {
    Index: [...functionsOf(index), ...staticsOf(Index)].sort(),
    Namespace: functionsOf(index.namespace("ns")),
  },
};
process.stdout.write(`${JSON.stringify(surface, null, 1)}\n`);
