/**
 * A client of Baton's API, for browsers and Node 20. One ES module without dependencies.
 *
 * A key in a browser is its user's: give it a client key of that user's tenant, or go through a server of your own.
 * Nothing here ever stops a job because a connection ended; only `cancel` and `stop` do.
 *
 * @typedef {{id: string, status: string, result: any, error: any, waitingFor: string|null}} Job
 * @typedef {{id: string, name: string, input: any, output?: any, error?: string}} ToolCall
 * @typedef {{id: string, type: string, status: string, title: string}} Checkpoint
 * @typedef {{status: "submitting"|"processing"|"completed"|"failed"|"cancelled", jobId: string, text: string,
 *            toolCalls: ToolCall[], checkpoints: Checkpoint[], error: string|null, lastId: string}} Task
 * @typedef {{isSubmitting: boolean, isProcessing: boolean, currentTask: Task|null, error: Error|null}} TaskState
 */

const END = ["completed", "failed", "cancelled"];
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [500, 8000];

/** A refusal of the API: its status, and its own words. */
export class BatonError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.name = "BatonError";
    this.status = status;
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
      case "data-message":
        this.messages.set(part.id, part.data.text);
        break;
      case "data-checkpoint":
        this.#marked(part.data);
        break;
      case "error":
        this.error = part.errorText;
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
   * @param {{url?: string, key: string, fetch?: typeof fetch}} options `url`: where the API is; empty: where the page is.
   */
  constructor({ url = "", key, fetch: request = globalThis.fetch }) {
    this.url = url.replace(/\/$/, "");
    this.key = key;
    this.fetch = request.bind(globalThis);
  }

  /**
   * Submit a job and follow it to its end (seed 002's `submitAgentTask`).
   *
   * @param {Record<string, any>} body `jobType`, `taskDescription`, `inputData`, `priority`, `sessionId`, …
   * @param {{onUpdate?: (task: Task) => void, onComplete?: (task: Task) => void, onError?: (error: Error) => void,
   *          signal?: AbortSignal, idempotencyKey?: string}} [options]
   * @returns {Promise<Task>} the task at its end; rejects where it is refused or fails
   */
  async submit(body, options = {}) {
    /** @type {Record<string, string>} */
    const headers = options.idempotencyKey ? { "Idempotency-Key": options.idempotencyKey } : {};
    return this.#reporting(options, async () => {
      const job = await this.json("POST", "/api/agent-jobs", body, headers);
      return this.#followed(job.id, "", options);
    });
  }

  /** Follow a job again, after a reload for example, from its start. @param {string} jobId @param {any} [options] */
  async resume(jobId, options = {}) {
    return this.#reporting(options, () => this.#followed(jobId, "", options));
  }

  /** Cancel a job. @param {string} jobId @returns {Promise<Job>} */
  cancel(jobId) {
    return this.json("PATCH", `/api/agent-jobs/${encodeURIComponent(jobId)}`, { action: "cancel" });
  }

  /** Stop whatever runs in a session. @param {string} sessionId */
  stop(sessionId) {
    return this.json("POST", `/api/sessions/${encodeURIComponent(sessionId)}/cancel`);
  }

  /**
   * The parts of a job, each once and in order, to the end of its stream, across lost connections.
   *
   * @param {string} jobId
   * @param {{lastId?: string, signal?: AbortSignal}} [options] `lastId`: of the last part that is known
   */
  async *parts(jobId, { lastId = "", signal } = {}) {
    const path = `/api/agent-jobs/${encodeURIComponent(jobId)}/stream`;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      try {
        const response = await this.#open(path, lastId, signal);
        for await (const event of serverSentEvents(response)) {
          if (event.data === "[DONE]") return;
          lastId = event.id || lastId;
          pauseMs = FIRST_PAUSE_MS;
          yield { id: lastId, part: JSON.parse(event.data) };
        }
      } catch (error) {
        if (signal?.aborted || (error instanceof BatonError && !comesAgain(error.status))) throw error;
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      }
      await new Promise((done) => setTimeout(done, pauseMs));
      signal?.throwIfAborted();
    }
  }

  /**
   * One request; the JSON that answers it.
   *
   * @param {string} method @param {string} path @param {any} [body] @param {Record<string, string>} [headers]
   */
  async json(method, path, body, headers = {}) {
    const response = await this.fetch(this.url + path, {
      method,
      headers: { ...this.#headers(), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    await refuse(response);
    return response.status === 204 ? null : response.json();
  }

  /** A file of a message, by the `url` of its part. @param {string} path @returns {Promise<Blob>} */
  async file(path) {
    return (await this.#open(path, "")).blob();
  }

  /** @param {string} path @param {string} lastId @param {AbortSignal} [signal] */
  async #open(path, lastId, signal) {
    const headers = { ...this.#headers(), ...(lastId ? { "Last-Event-ID": lastId } : {}) };
    const response = await this.fetch(this.url + path, { headers, signal });
    await refuse(response);
    return response;
  }

  #headers() {
    return { Authorization: `Bearer ${this.key}` };
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
  const follow = async (/** @type {(options: any) => Promise<Task>} */ start) => {
    const { signal } = callbacks;
    const onError = (/** @type {Error} */ error) => signal?.aborted || callbacks.onError?.(error);
    change({ isSubmitting: true, isProcessing: false, currentTask: null, error: null });
    const onUpdate = (/** @type {Task} */ task) =>
      change({ isSubmitting: false, isProcessing: !END.includes(task.status), currentTask: task });
    try {
      return await start({ onUpdate, onComplete: callbacks.onComplete, onError, signal });
    } catch (error) {
      change({ error: signal?.aborted ? null : /** @type {Error} */ (error) });
      return null;
    } finally {
      change({ isSubmitting: false, isProcessing: false });
    }
  };
  return {
    state,
    submitTask: (/** @type {any} */ body) => follow((options) => client.submit(body, options)),
    resumeTask: (/** @type {string} */ jobId) => follow((options) => client.resume(jobId, options)),
  };
}

/** The events of a stream, as they come. @param {Response} response */
export async function* serverSentEvents(response) {
  const reader = /** @type {any} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event.data) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** @param {string} block */
function eventOf(block) {
  const event = { id: "", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    const [name, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
    if (name === "id") event.id = value;
    if (name === "data") event.data += (event.data ? "\n" : "") + value;
  }
  return event;
}

/** @param {Response} response */
async function refuse(response) {
  if (response.ok) return;
  const problem = await response.json().catch(() => ({}));
  const faults = (problem.errors ?? []).map((/** @type {any} */ fault) => `${fault.field}: ${fault.message}`).join("; ");
  throw new BatonError(response.status, faults || problem.detail || `the API answered ${response.status}`);
}

/** @param {number} status */
const comesAgain = (status) => status === 429 || status >= 500;

/** @param {Answer} answer @param {string} lastId @returns {Task} */
function taskOf(answer, lastId) {
  const { jobId, text, error, status } = answer;
  const [toolCalls, checkpoints] = [[...answer.calls.values()], [...answer.checkpoints.values()]];
  return { status: /** @type {any} */ (status), jobId, text, toolCalls, checkpoints, error, lastId };
}
