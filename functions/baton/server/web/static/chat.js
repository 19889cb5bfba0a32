/** The chat page: a session is in the address, the key in this tab; what was said comes from the API. */

import { Answer, BatonClient, BatonError, once } from "./baton.js";
import { markdown } from "./markdown.js";

const by = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const KEY = "baton-key";
const BEGINNING = "0000000000000:"; // of a session's stream

/** @type {BatonClient} */ let client;
let session = "";
/** @type {AbortController|null} */ let following = null;
/** @typedef {{into: HTMLElement, answer: Answer, decided: any[]}} Shown */
/** The answers on the page by their jobs, and the calls in the background by theirs. @type {Map<string, Shown>} */
const answers = new Map();
/** @type {Map<string, Shown>} */ const operations = new Map();
/** The ids of the user's messages on the page. */ const told = new Set();
/** Whether a message is under way whose answer has not begun. */ let sending = false;

/** @param {string} name @param {string} [kind] @param {string} [text] */
function element(name, kind = "", text = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}

/** @param {any} value */
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** A bubble for one message. @param {string} role @param {Element|null} [before] where it stands; else at the end */
function bubble(role, before = null) {
  const made = element("li", `message ${role}`);
  made.append(element("span", "unseen", role === "user" ? "You:" : "Answer:"));
  by("messages").insertBefore(made, before);
  return made;
}

/** A message of the user: its texts, and its files as images or names. @param {any[]} parts @param {Element|null} before @param {string} [id] */
function showQuestion(parts, before, id = "") {
  told.add(id);
  const into = bubble("user", before);
  for (const part of parts) {
    if (part.type === "file") into.append(fileBox(part));
    else into.append(part.text ?? "");
  }
}

/** An image, or a file's name. @param {any} part */
function fileBox(part) {
  const name = part.filename ?? part.mediaType;
  if (!part.mediaType.startsWith("image/") || !/^(data:|\/(?![/\\]))/.test(part.url)) return element("p", "quiet", name);
  const image = /** @type {HTMLImageElement} */ (element("img"));
  image.alt = name;
  if (part.url.startsWith("data:")) image.src = part.url;
  else reporting(async () => (image.src = URL.createObjectURL(await client.file(part.url))));
  return image;
}

/** Files as parts of a message. @param {File[]} files @returns {Promise<any[]>} */
const partsOf = (files) =>
  Promise.all(
    files.map(async (file) => {
      const reader = new FileReader();
      await new Promise((done, failed) => {
        [reader.onload, reader.onerror] = [done, () => failed(reader.error)];
        reader.readAsDataURL(file);
      });
      return { type: "file", mediaType: file.type || "text/plain", filename: file.name, url: typed(reader.result, file) };
    }),
  );

/** A data URL has the file's type; a browser that knows none says nothing in particular. @param {any} url @param {File} file */
const typed = (url, file) => (file.type ? url : url.replace(/^data:[^;,]*/, "data:text/plain"));

/** Show an answer as far as it has come. @param {HTMLElement} into @param {Answer} answer @param {boolean} live */
function showAnswer(into, answer, live) {
  const open = new Set([...into.querySelectorAll("details[open]")].map((each) => each.getAttribute("data-id")));
  const parts = [element("span", "unseen", "Answer:")];
  for (const id of answer.order) {
    const [call, text] = [answer.calls.get(id), answer.texts.get(id)];
    if (call) parts.push(callBox(call, open.has(id)));
    else if (text) parts.push(live ? said(text) : answerBox(text));
  }
  for (const mark of answer.checkpoints.values()) {
    if (live && mark.status === "pending") continue; // above the form
    parts.push(markBox(mark.status === "pending" ? { ...mark, status: "cancelled" } : mark, answer));
  }
  for (const text of answer.messages.values()) parts.push(element("p", "meanwhile", text));
  if (answer.cut) parts.push(element("p", "state bad", "Cut off by its length limit."));
  if (answer.error) parts.push(element("p", "state bad", answer.error));
  if (!live && answer.status === "cancelled") parts.push(element("p", "state quiet", "Stopped."));
  if (live && !answer.text) parts.push(element("p", "state quiet", waits(answer) ? "Waits for a decision." : "Works …"));
  into.replaceChildren(...parts);
}

/** A text of an answer; one that is typed, so JSON, is a table. @param {string} text */
function answerBox(text) {
  if (!/^\s*[[{]/.test(text)) return said(text);
  if (/\d{16}/.test(text)) return element("p", "text", text); // a number of JavaScript loses digits
  try {
    return table(JSON.parse(text));
  } catch {
    return said(text);
  }
}

/** A text of the model, in Markdown. @param {string} text */
function said(text) {
  const made = element("div", "text markdown");
  made.append(...markdown(text));
  return made;
}

/** A table of a value's fields, or of its rows. @param {any} value @param {string} [kind] @returns {HTMLElement} */
function table(value, kind = "text typed") {
  const made = element("table", kind);
  const row = (/** @type {[string, any][]} */ cells) => {
    const line = element("tr");
    for (const [kind, cell] of cells) {
      const parts = cell !== null && typeof cell === "object" && Object.keys(cell).length;
      line.append(element(kind, "", parts ? "" : shown(cell ?? "–")));
      if (parts) line.lastElementChild?.append(table(cell));
    }
    made.append(line);
  };
  const rows = Array.isArray(value) && value.length && value.every((each) => each && typeof each === "object" && !Array.isArray(each));
  if (!rows) {
    for (const [name, each] of Object.entries(value)) row(Array.isArray(value) ? [["td", each]] : [["th", name], ["td", each]]);
    return made;
  }
  const names = [...new Set(value.flatMap(Object.keys))];
  row(names.map((name) => ["th", name]));
  for (const each of value) row(names.map((name) => ["td", each[name] ?? null]));
  return made;
}

/** @param {Answer} answer */
const waits = (answer) => [...answer.checkpoints.values()].some((mark) => mark.status === "pending");

/** @param {any} call @param {boolean} open */
function callBox(call, open) {
  const box = /** @type {HTMLDetailsElement} */ (element("details", "call"));
  box.dataset.id = call.id;
  box.open = open;
  const done = call.output?.operationId && call.output?.status ? "goes on in the background" : "done";
  const word = call.denied ? "denied" : call.error ? "failed" : "output" in call ? done : "…";
  box.append(element("summary", call.error ? "bad" : "", `${call.name} ${word}`), element("pre", "", shown(call.input)));
  if (call.error) box.append(element("pre", "bad", call.error));
  if ("output" in call) box.append(element("pre", "", shown(call.output)));
  return box;
}

/** @param {any} mark @param {Answer} [answer] what it is of */
function markBox(mark, answer) {
  const box = element("div", `checkpoint ${mark.status}`);
  box.append(element("p", "", ["recorded", "pending"].includes(mark.status) ? mark.title : `${mark.title}: ${mark.status}`));
  const asks = mark.form && mark.status === "pending";
  if (mark.arguments && !asks) box.append(table(mark.editedArguments ?? mark.arguments, "typed"));
  if (mark.reason) box.append(element("p", "quiet", mark.reason));
  if (asks) box.append(question(mark));
  else if (mark.type === "approval" && mark.status === "pending") box.append(choices(mark, answer));
  return box;
}

/** What is being decided: a second click decides nothing anew. @type {Set<string>} */
const deciding = new Set();

/** @param {string} id @param {"POST"|"DELETE"} method @param {any} body @param {Answer} [answer] */
async function decide(id, method, body, answer) {
  if (deciding.has(id)) return;
  deciding.add(id);
  const call = [...(answer?.calls.values() ?? [])].find((each) => each.approvalId === id);
  const asAdmin = () => client.json(method, `/api/admin/agent-checkpoints/${encodeURIComponent(id)}`, body);
  await reporting(() => (call ? respond(call, method === "POST", body.reason) : asAdmin()));
  deciding.delete(id);
}

/** Decide what the user of the chat is asked, as AI SDK's `addToolApprovalResponse` does. @param {any} call @param {boolean} approved @param {string} [reason] */
function respond(call, approved, reason) {
  const approval = { id: call.approvalId, approved, reason };
  const part = { type: `tool-${call.name}`, toolCallId: call.id, state: "approval-responded", input: call.input, approval };
  return post({ id: session, messages: [{ id: newId(), role: "assistant", parts: [part] }], trigger: "submit-message" });
}

/** The forms of questions, which keep what is typed. @type {Map<string, HTMLElement>} */
const questions = new Map();

/** The form of a tool's question. @param {any} mark */
function question(mark) {
  const known = questions.get(mark.id);
  if (known) return known;
  const form = /** @type {HTMLFormElement} */ (element("form", "question"));
  const needed = new Set(mark.form.required);
  const named = Object.entries(mark.form.properties ?? {});
  const fields = named.map(([name, schema]) => field(name, schema, mark.arguments?.[name], needed.has(name)));
  const decline = /** @type {HTMLButtonElement} */ (element("button", "quiet-button", "Decline"));
  decline.type = "button";
  decline.onclick = () => decide(mark.id, "DELETE", { reason: "declined" });
  form.onsubmit = (event) => {
    event.preventDefault();
    const answers = fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined);
    decide(mark.id, "POST", { arguments: Object.fromEntries(answers) });
  };
  const row = element("div", "choices");
  row.append(element("button", "", "Send the answer"), decline);
  form.append(...fields.map(({ label }) => label), row);
  questions.set(mark.id, form);
  return form;
}

/** A field, and how its value is read. @param {string} name @param {any} schema @param {any} value @param {boolean} needed */
function field(name, schema, value, needed) {
  const label = element("label", "", schema.title ?? name);
  if (schema.description) label.append(element("span", "quiet", ` ${schema.description}`));
  const [several, of] = [schema.type === "array", schema.type === "array" ? (schema.items ?? {}) : schema];
  const titled = (of.oneOf ?? of.anyOf ?? []).map((/** @type {any} */ each) => [each.const, each.title]);
  const plain = (of.enum ?? (of.type === "boolean" ? [true, false] : [])).map((/** @type {any} */ one) => [one, one]);
  const options = titled.length ? titled : plain;
  if (options.length) {
    const select = /** @type {HTMLSelectElement} */ (element("select"));
    Object.assign(select, { multiple: several, required: needed });
    const none = several || value !== undefined ? [] : [["", "–"]];
    const chosen = several ? (value ?? []) : [value];
    for (const [each, text] of [...none, ...options]) {
      const option = new Option(String(text), each === "" ? "" : JSON.stringify(each), false, chosen.includes(each));
      select.append(option);
    }
    label.append(select);
    const picked = () => [...select.selectedOptions].filter((each) => each.value).map((each) => JSON.parse(each.value));
    return { name, label, read: () => (several ? picked() : picked()[0]) };
  }
  const input = /** @type {HTMLInputElement} */ (element("input"));
  const number = schema.type === "integer" || schema.type === "number";
  const types = /** @type {Record<string, string>} */ ({ email: "email", date: "date", uri: "url" });
  Object.assign(input, { type: number ? "number" : (types[schema.format] ?? "text"), required: needed });
  if (number) input.step = schema.type === "integer" ? "1" : "any";
  // A larger one would be sent as another number.
  if (schema.type === "integer") [input.min, input.max] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER].map(String);
  input.value = value ?? "";
  label.append(input);
  return { name, label, read: () => (input.value === "" && !needed ? undefined : number ? Number(input.value) : input.value) };
}

/** @param {any} mark @param {Answer} [answer] */
function choices({ id }, answer) {
  const row = element("div", "choices");
  const [approve, reject] = [element("button", "", "Approve"), element("button", "quiet-button", "Reject")];
  const why = /** @type {HTMLInputElement} */ (element("input"));
  Object.assign(why, { placeholder: "why not", ariaLabel: "Reason for a rejection" });
  approve.onclick = () => decide(id, "POST", {}, answer);
  reject.onclick = () => (why.value.trim() ? decide(id, "DELETE", { reason: why.value.trim() }, answer) : why.focus());
  row.append(approve, why, reject);
  return row;
}

/** Do something, and say what went wrong. @template T @param {() => Promise<T>} work @returns {Promise<T|undefined>} */
async function reporting(work) {
  by("problem").hidden = true;
  try {
    return await work();
  } catch (error) {
    if (/** @type {any} */ (error).name === "AbortError") return undefined;
    const refused = error instanceof BatonError && error.status === 401;
    by("problem").textContent = refused ? "This key is not known." : String(/** @type {any} */ (error).message);
    by("problem").hidden = false;
    by("problem").scrollIntoView({ block: "end" });
    if (refused) askForKey();
    return undefined;
  }
}

/** Take in one event of the session's stream. @param {any} event */
function take({ jobId, part, message }) {
  if (message) {
    if (message.role === "user" && !told.has(message.id)) showQuestion(message.parts, null, message.id);
    return;
  }
  const operation = operations.get(jobId);
  const of = operation ?? answers.get(jobId) ?? shownOf(jobId);
  of.answer.add(part);
  if (part.type === "data-operation" && part.data.jobId && part.data.status === "started") background(part.data.jobId, of.decided);
  if (operation) return showOperation(jobId, operation);
  if (part.type === "start") sending = false;
  render(of);
  of.into.scrollIntoView({ block: "end" });
  busy();
}

/** A bubble for a job's answer. @param {string} jobId @returns {Shown} */
function shownOf(jobId) {
  const made = { into: bubble("assistant"), answer: new Answer(), decided: [] };
  answers.set(jobId, made);
  return made;
}

/** @param {Shown} of */
function render({ into, answer, decided }) {
  showAnswer(into, answer, answer.status === "processing");
  into.append(...decided.map((mark) => markBox(mark)));
  asks();
}

/** The questions that wait, above the form: of answers and of calls in the background. A card stays while it is the same. */
function asks() {
  const live = [...answers.values(), ...operations.values()].filter(({ answer }) => answer.status === "processing");
  const wanted = live.flatMap(({ answer }) => [...answer.checkpoints.values()].filter(({ status }) => status === "pending").map((mark) => ({ mark, answer })));
  for (const box of [...by("asks").children]) if (!wanted.some(({ mark }) => mark.id === box.dataset.id)) box.remove();
  for (const { mark, answer } of wanted) {
    if ([...by("asks").children].some((box) => box.dataset.id === mark.id)) continue;
    const box = element("li");
    box.dataset.id = mark.id;
    box.append(markBox(mark, answer));
    by("asks").append(box);
  }
}

/** A call goes on in the background, as a job of its own. @param {string} jobId @param {any[]} decided of the answer that began it */
function background(jobId, decided) {
  if (!operations.has(jobId)) operations.set(jobId, { into: element("li", "operation"), answer: new Answer(), decided });
}

/** @param {string} jobId @param {Shown} operation */
function showOperation(jobId, operation) {
  const { into, answer, decided } = operation;
  const names = [...answer.calls.values()].map((call) => call.name).join(", ");
  if (answer.status === "processing") {
    const cancel = /** @type {HTMLButtonElement} */ (element("button", "quiet-button", "Cancel"));
    cancel.onclick = () => reporting(() => client.cancel(jobId));
    const line = element("p", "state quiet", `${names} goes on in the background. `);
    line.append(cancel);
    into.replaceChildren(line);
    by("operations").append(into);
  } else {
    into.remove();
    decided.push(...[...answer.checkpoints.values()].filter((mark) => mark.status !== "pending"));
    for (const of of answers.values()) if (of.decided === decided) render(of);
  }
  asks();
}

/** Send a message; its answer comes by the session's stream. @param {any} body */
async function post(body) {
  const response = await client.request("POST", "/api/chat", { body, read: (/** @type {Response} */ each) => each });
  if (response.status !== 202) await response.body?.cancel();
  return response;
}

/** What can be done while an answer is made. */
function busy() {
  const live = sending || [...answers.values()].some(({ answer }) => answer.status === "processing");
  by("stop").hidden = by("when").hidden = !live;
}

/** How often a session was opened. */
let opened = 0;

/** Show what was said in the session, then all that comes. */
async function open() {
  following?.abort();
  following = new AbortController();
  const [mine, path] = [++opened, `/api/sessions/${encodeURIComponent(session)}`];
  by("session").textContent = session;
  const found = await client.json("GET", path).catch((error) => {
    if (error instanceof BatonError && error.status === 404) return { messages: [], lastEventId: null };
    throw error;
  });
  if (mine !== opened) return; // meanwhile another session was opened, or this one again
  for (const id of ["messages", "operations", "asks"]) by(id).replaceChildren();
  for (const known of [answers, operations, told]) known.clear();
  const active = new Set((found.activeOperations ?? []).map((/** @type {any} */ each) => each.operationJobId));
  showMessages(found.messages, null, active);
  for (const jobId of active) background(jobId, []);
  showEarlier(found.cursor);
  busy();
  hears = false;
  if (found.lastEventId !== null) hear(found.lastEventId);
}

/** Whether the session's stream is followed: there is none before its first message. */
let hears = false;

/** Show all that comes. @param {string} [lastId] */
function hear(lastId = BEGINNING) {
  if (hears) return;
  hears = true;
  const call = { method: "GET", path: `/api/sessions/${encodeURIComponent(session)}/stream` };
  reporting(async () => {
    for await (const { part } of client.follow(call, { lastId, signal: following?.signal })) take(part);
  });
}

/** @param {any[]} messages @param {Element|null} [before] @param {Set<string>} [active] the calls in the background */
function showMessages(messages, before = null, active = new Set()) {
  for (const message of messages) {
    if (message.role === "user") {
      showQuestion(message.parts, before, message.id);
      continue;
    }
    const of = { into: bubble("assistant", before), answer: stored(message), decided: [] };
    answers.set(message.id, of);
    render(of);
    for (const { type, data } of message.parts) {
      if (type !== "data-operation" || data.status === "completed" || !data.jobId) continue;
      if (active.has(data.jobId)) background(data.jobId, of.decided);
      else if (data.status === "started") reporting(() => showDecided(of, data.jobId));
    }
  }
}

/** A button for what was said before what is shown, if there is more. @param {string|undefined} cursor */
function showEarlier(cursor) {
  if (!cursor) return;
  const [line, mine] = [element("li", "earlier"), opened];
  const button = /** @type {HTMLButtonElement} */ (element("button", "quiet-button", "Earlier messages"));
  button.onclick = async () => {
    button.disabled = true;
    const path = `/api/sessions/${encodeURIComponent(session)}`;
    const found = await reporting(() => client.request("GET", path, { query: { cursor }, repeatable: true }));
    button.disabled = false;
    if (!found || mine !== opened) return;
    showMessages(found.messages, line.nextElementSibling);
    line.remove();
    showEarlier(found.cursor);
  };
  line.append(button);
  by("messages").prepend(line);
}

/** What was decided of a call that went on in the background stays with the answer that began it. @param {Shown} of @param {string} jobId */
async function showDecided(of, jobId) {
  const { checkpoints } = await client.json("GET", `/api/agent-jobs/${encodeURIComponent(jobId)}/checkpoints`);
  of.decided.push(.../** @type {any} */ (checkpoints.filter((/** @type {any} */ mark) => mark.status !== "pending")));
  render(of);
}

/** A stored message as an answer. @param {any} message */
function stored(message) {
  const answer = new Answer();
  answer.status = message.metadata?.status ?? "completed";
  if (message.metadata?.error) answer.add({ type: "error", ...message.metadata.error });
  message.parts.forEach((/** @type {any} */ part, /** @type {number} */ at) => {
    answer.order.add(part.toolCallId ?? `text-${at}`);
    if (part.type === "text") answer.texts.set(`text-${at}`, part.text);
    else if (["data-checkpoint", "data-cut", "data-message"].includes(part.type)) answer.add(part);
    else if (part.toolCallId) {
      const name = part.type.replace(/^tool-/, "");
      const call = { id: part.toolCallId, name, input: part.input, error: part.errorText, denied: part.state === "output-denied" };
      answer.calls.set(part.toolCallId, "output" in part ? { ...call, output: part.output } : call);
    }
  });
  return answer;
}

async function send() {
  const [text, chosen] = [by("text").value.trim(), [...by("files").files]];
  if (!text && !chosen.length) return;
  by("text").value = by("files").value = ""; // at once: a second click sends nothing
  by("files").onchange();
  const files = await reporting(() => partsOf(chosen));
  if (!files) {
    by("text").value ||= text;
    return;
  }
  const message = { id: newId(), role: "user", parts: [...(text ? [{ type: "text", text }] : []), ...files] };
  const agent = by("agent").value.trim();
  const body = { id: session, messages: [message], trigger: "submit-message", ...(agent ? { agent } : {}) };
  const meanwhile = !by("stop").hidden;
  if (!meanwhile) showQuestion(message.parts, null, message.id);
  sending = true;
  busy();
  const response = await reporting(() => post(meanwhile ? { ...body, whenBusy: by("when").value } : body));
  if (!response) by("text").value ||= text;
  if (!response || response.status === 202) sending = false; // 202: the running answer's stream shows it
  else if (meanwhile) await reporting(open);
  else hear();
  busy();
}

function askForKey() {
  sessionStorage.removeItem(KEY);
  for (const [id, hidden] of /** @type {[string, boolean][]} */ ([["login", false], ["ask", true], ["forget", true]])) {
    by(id).hidden = hidden;
  }
  by("key").focus();
}

/** The session in the address; one that cannot be read is none. */
function named() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** Not `randomUUID`, which pages without https lack. */
const newId = () => once()["Idempotency-Key"];

async function begin() {
  const key = sessionStorage.getItem(KEY);
  session = named() || `chat-${newId()}`;
  if (named() === "") history.replaceState(null, "", `#${encodeURIComponent(session)}`);
  if (!key) return askForKey();
  client = new BatonClient({ key });
  by("login").hidden = true;
  by("ask").hidden = by("forget").hidden = false;
  by("text").focus();
  reporting(async () => {
    const [chosen, names] = [by("agent").value, await client.json("GET", "/chat/agents.json")];
    by("agent").replaceChildren(new Option("default agent", ""), ...names.map((/** @type {string} */ name) => new Option(name)));
    by("agent").value = chosen;
  });
  return reporting(open);
}

by("login").onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, by("key").value.trim());
  by("key").value = "";
  begin();
};
by("ask").onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  send();
};
by("text").onkeydown = (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
};
by("files").onchange = () => {
  by("chosen").textContent = `Files ${[...by("files").files].map((file) => file.name).join(", ") || "…"}`;
};
by("stop").onclick = () => reporting(() => client.cancelSession(session));
by("new").onclick = () => {
  location.hash = "";
  begin();
};
by("forget").onclick = askForKey;
window.onhashchange = () => {
  if (named() !== session) begin();
};
begin();
