// Calls each method with all of its arguments, and prints the requests: their methods, addresses and bodies.
import { BatonClient, type Checkpoint, type Job, type Part } from "durable-baton";

const sent: { method: string; url: string; body: unknown; name: string }[] = [];
let calling = "";
const ANSWER = { id: "x", status: "completed", jobs: [], checkpoints: [], schedules: [], messages: [], budgets: [], result: 1 };

const answer: typeof fetch = async (address, options = {}) => {
  const [url, method] = [String(address), options.method ?? "GET"];
  sent.push({ method, url, body: options.body ? JSON.parse(String(options.body)) : null, name: calling });
  const streams = /\/stream$|\/stream\?|\/api\/chat$/.test(url);
  const type = streams ? "text/event-stream" : "application/json";
  return new Response(streams ? "data: [DONE]\n\n" : JSON.stringify(ANSWER), { headers: { "Content-Type": type } });
};

async function all<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const found: Row[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

const client = new BatonClient({ url: "http://x", key: "k", operationsKey: "o", fetch: answer });
const { signal } = new AbortController();
const approval: Checkpoint = { id: "op_1", jobId: "j", type: "approval", status: "pending", title: "?", summary: "?", digest: "d" };
const job = { inputData: { a: 1 }, sessionId: "s", priority: 3, tags: ["t"], subjectId: "u" };
const dates = { createdAfter: "2026-05-01T00:00:00Z", createdBefore: "2026-05-02T00:00:00Z" };

const calls: Record<string, () => Promise<unknown>> = {
  submit: (): Promise<Job> =>
    client.submit("a", "t", {
      ...job,
      delaySeconds: 1,
      startAt: dates.createdAfter,
      whenBusy: "queue",
      callbackUrl: "https://x",
      onceFor: "o",
      onceForSeconds: 60,
      idempotencyKey: "k",
      signal,
    }),
  get: () => client.get("j", { steps: true }),
  jobs: (): Promise<Job[]> =>
    all(
      client.jobs({
        status: "failed",
        jobType: "a",
        sessionId: "s",
        tag: ["t", "u"],
        q: "rain",
        parentJobId: "p",
        tenant: "t",
        ...dates,
      }),
    ),
  wait: () => client.wait("j", { timeoutSeconds: 0, signal }),
  stream: (): Promise<Part[]> => all(client.stream("j", { after: "1-2", signal })),
  cancel: () => client.cancel({ id: "j" }),
  retry: () => client.retry("j", "start"),
  delete: () => client.delete("j"),
  fork: () => client.fork("j", 1, { edits: { model: "m" }, toolsRun: "again", idempotencyKey: "k" }),
  diff: () => client.diff("j", "o"),
  result: () => client.result("j", "c"),
  recording: () => client.recording("j"),
  modelMessages: () => client.modelMessages("j"),
  score: () => client.score("j", "useful", true, "fine"),
  checkpoints: () => client.checkpoints("j"),
  approvals: () => all(client.approvals("approved")),
  approve: () => client.approve(approval, { arguments: { a: 1 }, comment: "fine" }),
  reject: () => client.reject(approval, "no"),
  approvalLink: () => client.approvalLink(approval, { name: "Ada", may: ["reject"], edit: true, expiresInSeconds: 60 }),
  sendEvent: () => client.sendEvent("j", "paid", { a: 1 }),
  emit: () => client.emit("order.created", { a: 1 }, { key: "A-7", onceFor: "o", onceForSeconds: 60, subjectId: "u", idempotencyKey: "k" }),
  event: () => client.event("evt_1"),
  operation: () => client.operation("op_1"),
  completeOperation: () => client.completeOperation("op_1", { result: 1, error: "no" }),
  createSchedule: () => client.createSchedule("a", "t", { cron: "0 9 * * *", timeZone: "UTC", ...job, idempotencyKey: "k" }),
  schedules: () => client.schedules(),
  schedule: () => client.schedule("sch_1"),
  changeSchedule: () => client.changeSchedule("sch_1", { paused: false, runNow: true }),
  deleteSchedule: () => client.deleteSchedule("sch_1"),
  chat: () => all(client.chat("s", "hello", { agent: "a", messageId: "m", whenBusy: "steer", subjectId: "u" })),
  resumeChat: () => all(client.resumeChat("s", { tenant: "t" })),
  session: () => client.session("s", { limit: 1, cursor: "c", tenant: "t" }),
  cancelSession: () => client.cancelSession("s"),
  deleteSession: () => client.deleteSession("s"),
  forgetSession: () => client.forgetSession("s"),
  sessionFile: () => client.sessionFile("s", "f"),
  streamToken: () => client.streamToken({ job: "j", session: "s" }),
  budgets: () => all(client.budgets("acme")),
  eraseSubject: () => client.eraseSubject("u-1", { tenant: "t" }),
  setBudget: () => client.setBudget("acme", { per: "day", limit: 2.5, unit: "usd", period: "every" }),
  clearBudget: () => client.clearBudget("acme", "day"),
};

// Types hold: each of these is an error without the line above it.
// @ts-expect-error - no such field
void (() => client.submit("a", "t", { taskDescription: "t" }));
// @ts-expect-error - no such value
void (() => client.submit("a", "t", { whenBusy: "never" }));
// @ts-expect-error - a field that a job does not have
void ((one: Job) => one.state);

for (const [name, call] of Object.entries(calls)) {
  calling = name;
  await call();
}
console.log(JSON.stringify({ sent, methods: Object.getOwnPropertyNames(BatonClient.prototype) }));
