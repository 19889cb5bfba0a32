/**
 * A client of a deployment's API, for browsers and Node 20: a method for each call that a program makes.
 *
 * Bodies and answers have the types of the OpenAPI document (`api.ts`, which is generated). Requests, streams and tasks
 * are those of `baton.js`.
 */
import { BatonClient as PageClient, once, pause, streamOf } from "../../baton/server/web/static/baton.js";
import type {
  AppEventBody,
  ApprovalBody,
  Budget,
  BudgetBody,
  ChatBody,
  Checkpoint,
  Completed,
  Diff,
  Erased,
  ForkBody,
  Job,
  Link,
  LinkBody,
  Schedule,
  ScheduleBody,
  Score,
  ScoreBody,
  Session,
  StreamToken,
  SubmitBody,
} from "./api.js";
import type { ClientOptions, Ends, Id, JobFilters, Keyed, Part, Question } from "./types.js";

export * from "../../baton/server/web/static/baton.js";
export type { Budget, Checkpoint, Cost, Diff, Job, Link, Schedule, Score, Session, StreamToken, ToolCall, Usage } from "./api.js";
export type { ClientOptions, JobFilters, Part } from "./types.js";

const [JOBS, CHECKPOINTS, SCHEDULES] = ["/api/agent-jobs", "/api/admin/agent-checkpoints", "/api/agent-schedules"];
const BUDGETS = "/api/admin/budgets";
const ENDED = ["completed", "failed", "cancelled"];
const [FIRST_LOOK_MS, LONGEST_LOOK_MS] = [100, 5000];

const idOf = (one: Id) => encodeURIComponent(typeof one === "string" ? one : (one.id ?? ""));
const jobPath = (job: Id, rest = "") => `${JOBS}/${idOf(job)}${rest}`;
const checkpointPath = (checkpoint: Id, rest = "") => `${CHECKPOINTS}/${idOf(checkpoint)}${rest}`;
const sessionPath = (session: string, rest = "") => `/api/sessions/${encodeURIComponent(session)}${rest}`;
const digestOf = (checkpoint: Checkpoint | string) =>
  typeof checkpoint === "string" ? {} : { digest: checkpoint.digest ?? undefined };

/** A call takes a job, or its id alone. A `signal` ends the call, and never a job. */
export class BatonClient extends PageClient {
  constructor({ url, key, operationsKey, ...rest }: ClientOptions = {}) {
    const environment: Record<string, string | undefined> = (globalThis as any).process?.env ?? {};
    const operations = operationsKey ?? environment.OPERATIONS_API_KEY;
    super({
      url: url ?? environment.BATON_URL ?? "",
      key: key ?? environment.BATON_API_KEY ?? "",
      headers: operations ? { "x-api-key": operations } : {},
      ...rest,
    });
  }

  /** Submit a job; with the same idempotency key it is the same one. A request that is repeated makes no second job. */
  async submit(
    agent: string,
    task = "",
    { idempotencyKey, signal, ...fields }: Omit<SubmitBody, Question> & Keyed & Ends = {},
  ): Promise<Job> {
    const body: SubmitBody = { jobType: agent, taskDescription: task, ...fields };
    const headers = fields.onceFor && !idempotencyKey ? {} : once(idempotencyKey);
    const found = await this.request("POST", JOBS, { body, headers, signal, repeatable: true });
    return "id" in found ? found : this.get(found.jobId);
  }

  /** A job as it is now. `steps`: with what each of its steps has used. */
  get(job: Id, { steps, signal }: { steps?: boolean } & Ends = {}): Promise<Job> {
    return this.#read(jobPath(job), { steps }, signal);
  }

  /** All jobs that match, newest first. */
  jobs({ signal, ...filters }: JobFilters & Ends = {}): AsyncGenerator<Job, void, void> {
    return this.#rows<Job>(JOBS, "jobs", { limit: 100, ...filters }, signal);
  }

  /** A job once it has ended, however; it is read now and then, every five seconds at last. */
  async wait(job: Id, { timeoutSeconds = Infinity, signal }: { timeoutSeconds?: number } & Ends = {}): Promise<Job> {
    let [leftMs, pauseMs] = [timeoutSeconds * 1000, FIRST_LOOK_MS];
    for (;;) {
      const found = await this.get(job, { signal });
      if (ENDED.includes(found.status)) return found;
      if (leftMs <= 0) throw new Error(`job ${found.id} is ${found.status} after ${timeoutSeconds} s: ${found.waitingFor}`);
      pauseMs = Math.min(pauseMs, leftMs);
      await pause(pauseMs, signal);
      [leftMs, pauseMs] = [leftMs - pauseMs, Math.min(pauseMs * 1.5, LONGEST_LOOK_MS)];
    }
  }

  /** The parts of a job, each once and in order, to its end. `after`: the `position` of the last part that is known. */
  stream(job: Id, { after, signal }: { after?: string } & Ends = {}): AsyncGenerator<Part, void, void> {
    return this.#parts(streamOf(typeof job === "string" ? job : (job.id ?? "")), after, signal);
  }

  /** End a job, and those that it has started. A workflow cleans up first, unless `force` is set. */
  override cancel(job: Id, force = false): Promise<Job> {
    return this.request("PATCH", jobPath(job), { body: { action: "cancel", force }, repeatable: true });
  }

  /** Let an ended job run again, from the step that failed or from its start. */
  retry(job: Id, from: "failure" | "start" = "failure"): Promise<Job> {
    return this.request("PATCH", jobPath(job), { body: { action: "retry", from } });
  }

  /** Delete the data of an ended job. */
  async delete(job: Id): Promise<void> {
    await this.request("DELETE", jobPath(job));
  }

  /** Submit a job that takes over an ended one's turns before `turn`, with edits, and asks its model again. */
  fork(job: Id, turn: number, { idempotencyKey, ...fields }: Omit<ForkBody, "turn"> & Keyed = {}): Promise<Job> {
    const body: ForkBody = { turn, ...fields };
    return this.request("POST", jobPath(job, "/fork"), { body, headers: once(idempotencyKey), repeatable: true });
  }

  /** Two jobs, turn by turn. */
  diff(job: Id, other: Id): Promise<Diff> {
    return this.#read(jobPath(job, `/diff/${idOf(other)}`));
  }

  /** One tool call's result; for those that are too large for their job (`resultRef`). */
  async result(job: Id, callId: string): Promise<unknown> {
    return (await this.#read(jobPath(job, `/results/${idOf(callId)}`))).result;
  }

  /** An ended job with all answers of its models and tools, for `baton replay` and `baton gate`. */
  recording(job: Id): Promise<string> {
    return this.request("GET", jobPath(job, "/recording"), { read: (response) => response.text(), repeatable: true });
  }

  /** The messages of a job whose agent is a library's, in that library's own JSON. */
  async modelMessages(job: Id): Promise<Record<string, unknown>[]> {
    return (await this.#read(jobPath(job, "/model-messages"))).messages;
  }

  /** Score a job, while it runs or later. A score of the same name is replaced. */
  score(job: Id, name: string, value: ScoreBody["value"], comment = ""): Promise<Score> {
    const body: ScoreBody = { name, value, comment };
    return this.request("POST", jobPath(job, "/scores"), { body, repeatable: true });
  }

  /** What a job's tools have marked, and the decisions that it waits for or has got. */
  async checkpoints(job: Id): Promise<Checkpoint[]> {
    return (await this.#read(jobPath(job, "/checkpoints"))).checkpoints;
  }

  /** The approvals of all jobs: those that wait, or of that status; needs an admin key. */
  approvals(status?: string, { signal }: Ends = {}): AsyncGenerator<Checkpoint, void, void> {
    return this.#rows<Checkpoint>(CHECKPOINTS, "checkpoints", { status, limit: 100 }, signal);
  }

  /**
   * Approve, with other arguments if need be; needs an admin key. A `Checkpoint` is approved as it was read: if something
   * else is asked by now, or it has been decided before, a `BatonError` of status 409 is thrown.
   */
  approve(checkpoint: Checkpoint | string, fields: Omit<ApprovalBody, "digest"> = {}): Promise<Checkpoint> {
    const body: ApprovalBody = { ...fields, ...digestOf(checkpoint) };
    return this.request("POST", checkpointPath(checkpoint), { body });
  }

  /** Reject, with a reason that the model reads; needs an admin key. Throws as `approve`. */
  reject(checkpoint: Checkpoint | string, reason: string): Promise<Checkpoint> {
    return this.request("DELETE", checkpointPath(checkpoint), { body: { reason, ...digestOf(checkpoint) } });
  }

  /** A link by which a person without a key decides an approval. `name`: theirs, as the decision has it. */
  approvalLink(checkpoint: Id, body: LinkBody = {}): Promise<Link> {
    return this.request("POST", checkpointPath(checkpoint, "/links"), { body, repeatable: true });
  }

  /** Send an event to one job, which may wait for it now or later. */
  async sendEvent(job: Id, name: string, data: unknown = null): Promise<void> {
    await this.request("POST", jobPath(job, "/events"), { body: { name, data } });
  }

  /** Publish an app event for all who take it; its id. */
  async emit(
    name: string,
    data: unknown = null,
    { idempotencyKey, ...fields }: Partial<Pick<AppEventBody, "key" | "onceFor" | "onceForSeconds" | "subjectId">> & Keyed = {},
  ): Promise<string> {
    const body: AppEventBody = { name, data, ...fields };
    const headers = fields.onceFor && !idempotencyKey ? {} : once(idempotencyKey);
    return (await this.request("POST", "/api/events", { body, headers, repeatable: true })).id;
  }

  /** An app event, with what became of it in each handler. */
  event(id: string): Promise<Record<string, any>> {
    return this.#read(`/api/events/${idOf(id)}`);
  }

  /** The tool call that waits for an operation; needs the operations key. */
  operation(id: string): Promise<Record<string, any>> {
    return this.#read(`/api/operations/${idOf(id)}`);
  }

  /** Finish a waiting tool call, with its result or with an error; needs the operations key. The first outcome counts. */
  completeOperation(id: string, { result = null, error = null }: { result?: unknown; error?: string | null }): Promise<Completed> {
    const body = { success: error === null, result, error };
    return this.request("POST", `/api/operations/${idOf(id)}/complete`, { body, repeatable: true });
  }

  /** A job that recurs; with the same idempotency key, or without one the same fields, it is the same schedule. */
  createSchedule(
    agent: string,
    task: string,
    { idempotencyKey, ...fields }: Omit<ScheduleBody, Question> & Keyed,
  ): Promise<Schedule> {
    const body: ScheduleBody = { jobType: agent, taskDescription: task, ...fields };
    const headers = idempotencyKey ? once(idempotencyKey) : {};
    return this.request("POST", SCHEDULES, { body, headers, repeatable: true });
  }

  /** All schedules. */
  async schedules(): Promise<Schedule[]> {
    return (await this.#read(SCHEDULES)).schedules;
  }

  /** A schedule, with its next run and its last jobs. */
  schedule(id: string): Promise<Schedule> {
    return this.#read(`${SCHEDULES}/${idOf(id)}`);
  }

  /** Pause a schedule, let it go on, or start its job now, which is the first of `lastJobs`. */
  changeSchedule(schedule: Id, change: { paused?: boolean; runNow?: boolean }): Promise<Schedule> {
    return this.request("PATCH", `${SCHEDULES}/${idOf(schedule)}`, { body: change, repeatable: !change.runNow });
  }

  /** Delete a schedule; jobs that it has started continue. */
  async deleteSchedule(schedule: Id): Promise<void> {
    await this.request("DELETE", `${SCHEDULES}/${idOf(schedule)}`);
  }

  /**
   * Say something in a session; the parts of the answer, as `stream` gives them. With the same `messageId` it is the same
   * message, and is answered once.
   */
  chat(
    session: string,
    text: string,
    { messageId, signal, ...fields }: Partial<Pick<ChatBody, "agent" | "whenBusy" | "subjectId">> & {
      messageId?: string;
    } & Ends = {},
  ): AsyncGenerator<Part, void, void> {
    const id = messageId ?? once()["Idempotency-Key"];
    const messages = [{ id, role: "user", parts: [{ type: "text", text }] }];
    const body: ChatBody = { id: session, messages, ...fields };
    return this.#parts({ method: "POST", path: "/api/chat", body }, "", signal);
  }

  /** The parts of the answer that is being made, from its start; nothing if none is. An admin key names the tenant. */
  resumeChat(session: string, { tenant, signal }: { tenant?: string } & Ends = {}): AsyncGenerator<Part, void, void> {
    return this.#parts({ method: "GET", path: `/api/chat/${idOf(session)}/stream`, query: { tenant } }, "", signal);
  }

  /** A session: its newest messages, or those before a cursor, and what it is doing. */
  session(session: string, query: { limit?: number; cursor?: string; tenant?: string } = {}): Promise<Session> {
    return this.#read(sessionPath(session), query);
  }

  /** Delete the data and the memory of a session in which nothing runs. */
  async deleteSession(session: string): Promise<void> {
    await this.request("DELETE", sessionPath(session));
  }

  /** Let agents forget what they remember of a session; how many entries. */
  forgetSession(session: string): Promise<Record<string, any>> {
    return this.request("DELETE", sessionPath(session, "/memory"), { repeatable: true });
  }

  /** Erase the data of a person; how much. Repeat it while `running` is above 0. Needs an admin key. */
  eraseSubject(id: string, { tenant }: { tenant?: string } = {}): Promise<Erased> {
    const path = `/api/admin/subjects/${encodeURIComponent(id)}`;
    return this.request("DELETE", path, { query: { tenant }, repeatable: true });
  }

  /** A file of one of a session's messages. */
  sessionFile(session: string, name: string): Promise<Blob> {
    return this.file(sessionPath(session, `/files/${encodeURIComponent(name)}`));
  }

  /** A token that opens the stream of a job or of a session for five minutes, in a page for example. */
  streamToken({ job, session }: { job?: Id; session?: string }): Promise<StreamToken> {
    const body = { jobId: job && (typeof job === "string" ? job : job.id), sessionId: session };
    return this.request("POST", "/api/stream-tokens", { body, repeatable: true });
  }

  /** The budgets of a key, or all of them, those last used first; needs an admin key. */
  budgets(key?: string, { signal }: Ends = {}): AsyncGenerator<Budget, void, void> {
    return this.#rows<Budget>(BUDGETS, "budgets", { key, limit: 100 }, signal);
  }

  /** Set a key's limit, in US dollars or tokens; calls that wait and have room begin. Needs an admin key. */
  setBudget(key: string, body: BudgetBody): Promise<Budget> {
    return this.request("PUT", `${BUDGETS}/${encodeURIComponent(key)}`, { body, repeatable: true });
  }

  /** Let the limits count again that calls declare; what is spent stays. Needs an admin key. */
  async clearBudget(key: string, per: BudgetBody["per"]): Promise<void> {
    await this.request("DELETE", `${BUDGETS}/${encodeURIComponent(key)}`, { query: { per }, repeatable: true });
  }

  #read(path: string, query = {}, signal?: AbortSignal): Promise<any> {
    return this.request("GET", path, { query, signal, repeatable: true });
  }

  async *#rows<Row>(path: string, name: string, query: object, signal?: AbortSignal): AsyncGenerator<Row, void, void> {
    let cursor: string | undefined;
    do {
      const page = await this.#read(path, { ...query, cursor }, signal);
      yield* page[name] as Row[];
      cursor = page.cursor;
    } while (cursor);
  }

  async *#parts(
    call: Parameters<PageClient["follow"]>[0],
    after: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Part, void, void> {
    for await (const { id, part } of this.follow(call, { lastId: after, signal })) yield { ...part, position: id };
  }
}
