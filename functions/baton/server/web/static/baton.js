/**
 * A client of Baton's API, for browsers and Node 20. One ES module without dependencies: what a page needs. The npm
 * package `durable-baton` adds a method for every other call.
 *
 * A key in a browser is its user's: give it a client key of that user's tenant, or go through a server of your own.
 * Nothing here ever stops a job because a connection ended; only `cancel` and `stop` do.
 *
 * @typedef {{id: string, status: string, result: any, error: any, waitingFor: string|null}} Job
 * @typedef {{id: string, name: string, input: any, output?: any, error?: string,
 *            approvalId?: string, denied?: boolean}} ToolCall
 * @typedef {{id: string, type: string, status: string, title: string}} Checkpoint
 * @typedef {{status: "submitting"|"processing"|"completed"|"failed"|"cancelled", jobId: string, text: string,
 *            toolCalls: ToolCall[], checkpoints: Checkpoint[], error: string|null, lastId: string}} Task
 * @typedef {{isSubmitting: boolean, isProcessing: boolean, currentTask: Task|null, error: Error|null}} TaskState
 */

const END = ["completed", "failed", "cancelled"];
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [500, 8000];
const [FIRST_TRY_MS, LONGEST_TRY_MS] = [200, 5000];
const LONGEST_WAIT_SECONDS = 3600; // a timer of more than 24 days ends at once

/** A refusal of the API: its status, and its own words. `errors`: the fields at fault. */
export class BatonError extends Error {
  /** @param {number} status @param {string} message @param {any} [problem] @param {number} [retryAfterSeconds] */
  constructor(status, message, problem = {}, retryAfterSeconds = 0) {
    super(message);
    this.name = "BatonError";
    this.status = status;
    /** @type {string} */ this.title = problem.title ?? "";
    /** @type {string} */ this.detail = problem.detail ?? message;
    /** @type {string} */ this.code = problem.code ?? "";
    /** @type {{field: string, message: string}[]} */ this.errors = problem.errors ?? [];
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What the parts of a stream add up to: texts in order, tool calls, checkpoints. */
export class Answer {
  constructor() {
    /** @type {Map<string, string>} */ this.texts = new Map();
    /** @type {Map<string, ToolCall>} */ this.calls = new Map();
    /** @type {Map<string, Checkpoint>} */ this.checkpoints = new Map();
    /** The ids of texts and calls, as they came. @type {Set<string>} */ this.order = new Set();
    /** What the user said while it ran, by id. @type {Map<string, string>} */ this.messages = new Map();
    this.jobId = "";
    this.status = "processing";
    /** @type {string|null} */ this.error = null;
    /** Whether a limit of its length cut it off. */ this.cut = false;
  }

  /** What is said, without what an attempt said in vain. */
  get text() {
    return [...this.texts.values()].filter(Boolean).join("\n\n");
  }

  /** Take the next part in. @param {any} part */
  add(part) {
    switch (part.type) {
      case "start":
        this.jobId = part.messageId ?? this.jobId;
        break;
      case "text-start":
        this.texts.set(part.id, "");
        this.order.add(part.id);
        break;
      case "text-delta":
        this.texts.set(part.id, (this.texts.get(part.id) ?? "") + part.delta);
        break;
      case "data-retry":
        this.texts.delete(part.data.textId);
        break;
      case "data-job-retried":
        this.error = null;
        this.status = "processing";
        if (part.data.from === "start") this.texts.clear();
        break;
      case "tool-input-available":
        this.calls.set(part.toolCallId, { id: part.toolCallId, name: part.toolName, input: part.input });
        this.order.add(part.toolCallId);
        break;
      case "tool-output-available":
        this.#called(part.toolCallId, { output: part.output });
        break;
      case "tool-output-error":
        this.#called(part.toolCallId, { error: part.errorText });
        break;
      case "tool-approval-request":
        this.#called(part.toolCallId, { approvalId: part.approvalId });
        break;
      case "tool-output-denied":
        this.#called(part.toolCallId, { denied: true });
        break;
      case "data-message":
        this.messages.set(part.id, part.data.text);
        break;
      case "data-checkpoint":
        this.#marked(part.data);
        break;
      case "data-cut":
        this.cut = true;
        break;
      case "error":
        this.error = part.id ? `${part.errorText} (${part.id})` : part.errorText;
        break;
      case "finish":
        this.status = part.messageMetadata?.status ?? "completed";
        break;
    }
  }

  /** @param {string} id @param {Partial<ToolCall>} outcome */
  #called(id, outcome) {
    const call = this.calls.get(id);
    if (call) this.calls.set(id, { ...call, ...outcome });
  }

  /** @param {any} data */
  #marked(data) {
    const id = data.id ?? `mark-${this.checkpoints.size}`;
    this.checkpoints.set(id, { ...this.checkpoints.get(id), ...data, id });
  }
}

export class BatonClient {
  /**
   * @param {{url?: string, key: string, fetch?: typeof fetch, headers?: Record<string, string>, retrySeconds?: number}} options
   *   `url`: where the API is; empty: where the page is. `retrySeconds`: how long a request pauses in all before it fails.
   */
  constructor({ url = "", key, fetch: request = globalThis.fetch, headers = {}, retrySeconds = 30 }) {
    this.url = url.replace(/\/$/, "");
    this.key = key;
    this.fetch = request.bind(globalThis);
    this.headers = headers;
    this.retrySeconds = retrySeconds;
  }

  /**
   * Submit a job and follow it to its end (seed 002's `submitAgentTask`).
   *
   * @param {Record<string, any>} body `jobType`, `taskDescription`, `inputData`, `priority`, `sessionId`, …
   * @param {{onUpdate?: (task: Task) => void, onComplete?: (task: Task) => void, onError?: (error: Error) => void,
   *          signal?: AbortSignal, idempotencyKey?: string}} [options]
   * @returns {Promise<Task>} the task at its end; rejects where it is refused or fails
   */
  async submitTask(body, options = {}) {
    return this.#reporting(options, async () => {
      const job = await this.json("POST", "/api/agent-jobs", body, once(options.idempotencyKey));
      return this.#followed(job.id, "", options);
    });
  }

  /** Follow a job again, after a reload for example, from its start. @param {string} jobId @param {any} [options] */
  async resumeTask(jobId, options = {}) {
    return this.#reporting(options, () => this.#followed(jobId, "", options));
  }

  /** Cancel a job. @param {string} jobId @returns {Promise<Job>} */
  cancel(jobId) {
    return this.json("PATCH", `/api/agent-jobs/${encodeURIComponent(jobId)}`, { action: "cancel" });
  }

  /**
   * Stop whatever runs in a session, and what is in line.
   *
   * @param {string} sessionId @returns {Promise<{cancelled: boolean, jobId: string|null, reason: string|null}>}
   */
  cancelSession(sessionId) {
    return this.json("POST", `/api/sessions/${encodeURIComponent(sessionId)}/cancel`);
  }

  /**
   * The parts of a job, each once and in order, to the end of its stream, across lost connections.
   *
   * @param {string} jobId
   * @param {{lastId?: string, signal?: AbortSignal}} [options] `lastId`: of the last part that is known
   */
  parts(jobId, options = {}) {
    return this.follow(streamOf(jobId), options);
  }

  /**
   * The parts of any stream. A chat's stream has its job's parts, so after a lost connection the job's own stream is
   * read, which can be continued. A message that goes to a running job gives that job's parts.
   *
   * @param {{method: string, path: string, body?: any, query?: Record<string, any>}} call
   * @param {{lastId?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<{id: string, part: any}, void, void>}
   */
  async *follow(call, { lastId = "", signal } = {}) {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      let wantedMs = 0;
      try {
        const { method, path, ...rest } = call;
        /** @type {Record<string, string>} */ const headers = lastId ? { "Last-Event-ID": lastId } : {};
        const read = (/** @type {Response} */ response) => response; // as it comes
        const response = await this.request(method, path, { ...rest, headers, signal, read });
        if (response.status === 204) return; // nothing runs in this session
        if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
          call = streamOf(known(response, await jsonOf(response)).jobId);
          continue;
        }
        for await (const event of serverSentEvents(response, (retryMs) => (wantedMs = retryMs))) {
          if (event.data === "[DONE]") return;
          const part = partOf(response, event.data);
          lastId = event.id || lastId;
          pauseMs = FIRST_PAUSE_MS;
          if (part.type === "start" && part.messageId) call = streamOf(part.messageId);
          yield { id: lastId, part };
        }
      } catch (error) {
        if (signal?.aborted || !passes(error)) throw error;
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
        wantedMs = retryAfterMs(error);
      }
      await pause(Math.max(pauseMs, wantedMs), signal);
    }
  }

  /**
   * One request; the JSON that answers it.
   *
   * @param {string} method @param {string} path @param {any} [body] @param {Record<string, string>} [headers]
   */
  async json(method, path, body, headers = {}) {
    const repeatable = method === "GET" || "Idempotency-Key" in headers;
    return this.request(method, path, { body, headers, repeatable });
  }

  /**
   * A file of a message, by the `url` of its part. The key goes to the API alone: others are asked without it.
   *
   * @param {string} path @returns {Promise<Blob>}
   */
  async file(path) {
    const here = this.url || globalThis.location?.href || "https://baton.invalid";
    if (!path.startsWith("/") || new URL(path, here).origin !== new URL(here).origin) {
      const response = await this.fetch(path);
      await refuse(response);
      return response.blob();
    }
    return this.request("GET", path, { repeatable: true, read: (response) => response.blob() });
  }

  /**
   * One request; what `read` makes of the answer, which is its JSON. A request that may arrive twice (`repeatable`) is
   * sent again after a lost connection, a 429 and a 5xx, with growing pauses and not before `Retry-After`.
   *
   * @param {string} method @param {string} path
   * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>, signal?: AbortSignal,
   *          repeatable?: boolean, read?: (response: Response) => any}} [options]
   * @returns {Promise<any>}
   */
  async request(method, path, { body, query = {}, headers = {}, signal, repeatable = false, read = jsonOf } = {}) {
    /** @type {Record<string, string>} */ const type = body === undefined ? {} : { "Content-Type": "application/json" };
    const sent = {
      method,
      headers: { Authorization: `Bearer ${inBytes(this.key)}`, ...this.headers, ...type, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    };
    let [leftMs, nextMs] = [repeatable ? this.retrySeconds * 1000 : 0, FIRST_TRY_MS];
    for (;;) {
      try {
        const response = await this.fetch(this.url + path + searchOf(query), sent);
        await refuse(response);
        return await read(response);
      } catch (error) {
        // Clients that were refused together come back one by one.
        const pauseMs = Math.max(nextMs * (0.5 + Math.random() / 2), retryAfterMs(error));
        if (signal?.aborted || !passes(error) || pauseMs > leftMs) throw error;
        [leftMs, nextMs] = [leftMs - pauseMs, Math.min(LONGEST_TRY_MS, nextMs * 2)];
        await pause(pauseMs, signal);
      }
    }
  }

  /** @param {string} jobId @param {string} lastId @param {any} options @returns {Promise<Task>} */
  async #followed(jobId, lastId, { onUpdate, signal }) {
    const answer = new Answer();
    answer.jobId = jobId;
    onUpdate?.(taskOf(answer, lastId));
    for await (const { id, part } of this.parts(jobId, { lastId, signal })) {
      answer.add(part);
      onUpdate?.(taskOf(answer, id));
      lastId = id;
    }
    const task = taskOf(answer, lastId);
    if (task.status !== "completed") throw Object.assign(new Error(task.error ?? `the job is ${task.status}`), { task });
    return task;
  }

  /** @param {any} options @param {() => Promise<Task>} work */
  async #reporting({ onComplete, onError }, work) {
    try {
      const task = await work();
      onComplete?.(task);
      return task;
    } catch (error) {
      onError?.(/** @type {Error} */ (error));
      throw error;
    }
  }
}

/**
 * Seed 002's `useAgentTask` without a framework: a state that changes, and its callbacks. `signal` ends the following.
 *
 * @param {BatonClient} client
 * @param {{onChange?: (state: TaskState) => void, onComplete?: (task: Task) => void, onError?: (error: Error) => void,
 *          signal?: AbortSignal}} [callbacks]
 */
export function agentTask(client, callbacks = {}) {
  /** @type {TaskState} */
  const state = { isSubmitting: false, isProcessing: false, currentTask: null, error: null };
  const change = (/** @type {Partial<TaskState>} */ fields) => {
    Object.assign(state, fields);
    callbacks.onChange?.(state);
  };
  let latest = 0;
  const follow = async (/** @type {(options: any) => Promise<Task>} */ start) => {
    const [{ signal }, mine] = [callbacks, ++latest];
    const show = (/** @type {Partial<TaskState>} */ fields) => mine === latest && change(fields); // one task at a time
    const onError = (/** @type {Error} */ error) => signal?.aborted || callbacks.onError?.(error);
    change({ isSubmitting: true, isProcessing: false, currentTask: null, error: null });
    const onUpdate = (/** @type {Task} */ task) =>
      show({ isSubmitting: false, isProcessing: !END.includes(task.status), currentTask: task });
    try {
      return await start({ onUpdate, onComplete: callbacks.onComplete, onError, signal });
    } catch (error) {
      show({ error: signal?.aborted ? null : /** @type {Error} */ (error) });
      return null;
    } finally {
      show({ isSubmitting: false, isProcessing: false });
    }
  };
  return {
    state,
    submitTask: (/** @type {any} */ body) => follow((options) => client.submitTask(body, options)),
    resumeTask: (/** @type {string} */ jobId) => follow((options) => client.resumeTask(jobId, options)),
  };
}

/**
 * The events of a stream, as they come.
 *
 * @param {Response} response @param {(retryMs: number) => void} [onRetry] told when the server wants its reader back
 */
export async function* serverSentEvents(response, onRetry = () => {}) {
  const reader = /** @type {any} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value.replaceAll("\r", "")).split("\n\n"); // JSON has none of its own
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event.retryMs) onRetry(event.retryMs);
        if (event.data) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** @param {string} block */
function eventOf(block) {
  const event = { id: "", data: "", retryMs: 0 };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    const [name, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
    if (name === "id") event.id = value;
    if (name === "retry" && /^\d{1,5}$/.test(value)) event.retryMs = Number(value);
    if (name === "data") event.data += (event.data ? "\n" : "") + value;
  }
  return event;
}

/** The header by which a request that is repeated has one effect: the caller's key, or a new one. @param {string} [key] */
export function once(key = "") {
  // Not `randomUUID`, which pages without https lack.
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0"));
  return { "Idempotency-Key": inBytes(key) || random().join("") };
}

/** A header's text. `fetch` sends a character as a byte; as UTF-8 a text is the same one from every client. @param {string} text */
const inBytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));

/** Wait; an abort of the signal rejects. @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export const pause = (ms, signal) =>
  new Promise((done, failed) => {
    signal?.throwIfAborted();
    const end = () => (clearTimeout(timer), failed(signal?.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", end), done()), ms);
    signal?.addEventListener("abort", end, { once: true });
  });

/** What an answer holds; null where it is empty. @param {Response} response @returns {Promise<any>} */
export async function jsonOf(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw foreign(response);
  }
}

/** @param {Response} response */
const foreign = (response) => new BatonError(0, `${response.url} did not answer as Baton does: is this its address?`);

/** An object, or the error of an answer that is none. @param {Response} response @param {any} found @returns {any} */
function known(response, found) {
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw foreign(response);
  return found;
}

/** The part in an event, or of a session's stream whose it is. @param {Response} response @param {string} data @returns {any} */
function partOf(response, data) {
  let part = null;
  try {
    part = JSON.parse(data);
  } catch {}
  const { type, jobId } = known(response, part);
  if (typeof (type ?? jobId) !== "string") throw foreign(response);
  return part;
}

/** @param {string} jobId */
export const streamOf = (jobId) => ({ method: "GET", path: `/api/agent-jobs/${encodeURIComponent(jobId)}/stream` });

/** @param {Record<string, any>} query */
function searchOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const pairs = given.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

/** @param {Response} response */
async function refuse(response) {
  if (response.ok) return;
  const found = await response.json().catch(() => null);
  const problem = found !== null && typeof found === "object" ? found : {};
  const errors = Array.isArray(problem.errors) ? problem.errors.filter((/** @type {any} */ fault) => fault?.field) : [];
  const faults = errors.map((/** @type {any} */ fault) => `${fault.field}: ${fault.message}`).join("; ");
  const said = faults || problem.detail || `the API answered ${response.status}`;
  throw new BatonError(response.status, String(said), { ...problem, errors }, waitOf(response));
}

/** The seconds until a request may come back: a number, or a date, within an hour. @param {Response} response */
function waitOf(response) {
  const named = response.headers.get("retry-after") ?? "";
  const seconds = /^[-+.\d]/.test(named) ? Number(named) : (Date.parse(named) - Date.now()) / 1000;
  return Math.min(LONGEST_WAIT_SECONDS, Math.max(0, seconds || 0));
}

/** Whether it may be over soon: a lost connection, too many requests, a server in trouble. @param {any} error */
const passes = (error) => !(error instanceof BatonError) || error.status === 429 || error.status >= 500;

/** @param {any} error */
const retryAfterMs = (error) => (error instanceof BatonError ? error.retryAfterSeconds * 1000 : 0);

/** @param {Answer} answer @param {string} lastId @returns {Task} */
function taskOf(answer, lastId) {
  const { jobId, text, error, status } = answer;
  const [toolCalls, checkpoints] = [[...answer.calls.values()], [...answer.checkpoints.values()]];
  return { status: /** @type {any} */ (status), jobId, text, toolCalls, checkpoints, error, lastId };
}
