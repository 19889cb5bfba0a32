/** The chat page: a session is in the address, the key in this tab; what was said comes from the API. */

import { Answer, BatonClient, BatonError, once, serverSentEvents } from "./baton.js";
import { markdown } from "./markdown.js";

const by = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const KEY = "baton-key";

/** @type {BatonClient} */ let client;
let session = "";
/** @type {AbortController|null} */ let following = null;
/** What goes on in the background: whose stream is followed, and what the session has gone on with. */
let watching = new AbortController();
const [watched, continued] = [new Set(), new Set()];

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

/** A message of the user: its texts, and its files as images or names. @param {any[]} parts @param {Element|null} [before] */
function showQuestion(parts, before) {
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
  const reason = /** @type {HTMLInputElement|null} */ (into.querySelector("[data-focus^=why]"))?.value ?? "";
  const focused = document.activeElement?.getAttribute("data-focus");
  const parts = [element("span", "unseen", "Answer:")];
  for (const id of answer.order) {
    const [call, text] = [answer.calls.get(id), answer.texts.get(id)];
    if (call) parts.push(callBox(call, open.has(id)));
    else if (text) parts.push(live ? said(text) : answerBox(text));
  }
  for (const mark of answer.checkpoints.values()) {
    const over = !live && mark.status === "pending" ? { status: "cancelled" } : {};
    parts.push(markBox({ ...mark, ...over }, reason));
  }
  for (const text of answer.messages.values()) parts.push(element("p", "meanwhile", text));
  if (answer.cut) parts.push(element("p", "state bad", "Cut off by its length limit."));
  if (answer.error) parts.push(element("p", "state bad", answer.error));
  if (!live && answer.status === "cancelled") parts.push(element("p", "state quiet", "Stopped."));
  if (live && !answer.text) parts.push(element("p", "state quiet", waits(answer) ? "Waits for a decision." : "Works …"));
  into.replaceChildren(...parts);
  if (focused) /** @type {HTMLElement|null} */ (into.querySelector(`[data-focus="${focused}"]`))?.focus();
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

/** A table of a value's fields, or of its rows. @param {any} value @returns {HTMLElement} */
function table(value) {
  const made = element("table", "text typed");
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
  const word = call.error ? "failed" : "output" in call ? done : "…";
  box.append(element("summary", call.error ? "bad" : "", `${call.name} ${word}`), element("pre", "", shown(call.input)));
  if (call.error) box.append(element("pre", "bad", call.error));
  if ("output" in call) box.append(element("pre", "", shown(call.output)));
  return box;
}

/** @param {any} mark @param {string} reason */
function markBox(mark, reason) {
  const box = element("div", `checkpoint ${mark.status}`);
  box.append(element("p", "", mark.status === "recorded" ? mark.title : `${mark.title}: ${mark.status}`));
  const asks = mark.form && mark.status === "pending";
  if (mark.arguments && !asks) box.append(element("pre", "", shown(mark.editedArguments ?? mark.arguments)));
  if (mark.reason) box.append(element("p", "quiet", mark.reason));
  if (asks) box.append(question(mark));
  else if (mark.type === "approval" && mark.status === "pending") box.append(choices(mark.id, reason));
  return box;
}

/** What is being decided: a second click decides nothing anew. @type {Set<string>} */
const deciding = new Set();

/** @param {string} id @param {"POST"|"DELETE"} method @param {any} body */
async function decide(id, method, body) {
  if (deciding.has(id)) return;
  deciding.add(id);
  await reporting(() => client.json(method, `/api/admin/agent-checkpoints/${encodeURIComponent(id)}`, body));
  deciding.delete(id);
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

/** @param {string} id @param {string} reason */
function choices(id, reason) {
  const row = element("div", "choices");
  const [approve, reject] = [element("button", "", "Approve"), element("button", "quiet-button", "Reject")];
  const why = /** @type {HTMLInputElement} */ (element("input"));
  Object.assign(why, { placeholder: "why not", value: reason, ariaLabel: "Reason for a rejection" });
  approve.dataset.focus = `approve-${id}`;
  reject.dataset.focus = `reject-${id}`;
  why.dataset.focus = `why-${id}`;
  approve.onclick = () => decide(id, "POST", {});
  reject.onclick = () => (why.value.trim() ? decide(id, "DELETE", { reason: why.value.trim() }) : why.focus());
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

/** Follow an answer to its end. @param {HTMLElement} into @param {AsyncIterable<any>} parts */
async function follow(into, parts) {
  const answer = new Answer();
  busy(true);
  showAnswer(into, answer, true);
  try {
    for await (const part of parts) {
      answer.add(part);
      if (part.type === "data-operation") note(part.data);
      showAnswer(into, answer, true);
      into.scrollIntoView({ block: "end" });
    }
  } finally {
    showAnswer(into, answer, false);
    into.scrollIntoView({ block: "end" });
    busy(false);
  }
}

/** Take in what a stream says of an operation. @param {any} operation */
function note({ operationId, jobId, status }) {
  if (status !== "started") continued.add(operationId);
  else if (!watched.has(operationId)) reporting(() => watch(operationId, jobId));
}

/** Show an operation until it has ended, then what the session goes on with. @param {string} id @param {string} jobId */
async function watch(id, jobId) {
  const [{ signal }, answer, box] = [watching, new Answer(), element("li", "operation")];
  watched.add(id);
  try {
    for await (const { part } of client.parts(jobId, { signal })) {
      answer.add(part);
      showOperation(box, answer, jobId);
    }
    while (!continued.has(id) && answer.status !== "cancelled") {
      await new Promise((done) => setTimeout(done, 400));
      signal.throwIfAborted();
      if (by("stop").hidden) await open();
    }
  } finally {
    box.remove();
    watched.delete(id);
  }
}

/** @param {HTMLElement} box @param {Answer} answer @param {string} jobId */
function showOperation(box, answer, jobId) {
  const reason = /** @type {HTMLInputElement|null} */ (box.querySelector("[data-focus^=why]"))?.value ?? "";
  const names = [...answer.calls.values()].map((call) => call.name).join(", ");
  const cancel = /** @type {HTMLButtonElement} */ (element("button", "quiet-button", "Cancel"));
  cancel.onclick = () => reporting(() => client.cancel(jobId));
  const line = element("p", "state quiet", `${names} goes on in the background. `);
  line.append(cancel);
  box.replaceChildren(line, ...[...answer.checkpoints.values()].map((mark) => markBox(mark, reason)));
  by("operations").append(box);
}

/** Send a message; the answer as it comes. @param {any} body @param {AbortSignal} [signal] @returns {Promise<Response>} */
const post = (body, signal) => client.request("POST", "/api/chat", { body, signal, read: (response) => response });

/** The parts of a message that is sent now; a lost connection goes on with the job's own stream. @param {any} body */
async function* sent(body) {
  const signal = following?.signal;
  const response = await post(body, signal);
  let [jobId, lastId, over] = ["", "", false];
  try {
    for await (const event of serverSentEvents(response)) {
      if (event.data === "[DONE]") break; // its job may wait for a person
      const part = JSON.parse(event.data);
      over = part.type === "finish";
      [jobId, lastId] = [part.type === "start" ? part.messageId : jobId, event.id || lastId];
      yield part;
    }
  } catch (error) {
    if (signal?.aborted || !jobId) throw error;
  }
  if (jobId && !over) yield* followed(jobId, lastId);
}

/** @param {string} jobId @param {string} [lastId] */
async function* followed(jobId, lastId = "") {
  for await (const { part } of client.parts(jobId, { lastId, signal: following?.signal })) yield part;
}

/** @param {boolean} is */
function busy(is) {
  by("stop").hidden = by("when").hidden = !is;
}

/** How often a session was opened. */
let opened = 0;

/** Show what was said in the session, and follow what is being said. */
async function open() {
  following?.abort();
  following = new AbortController();
  const mine = ++opened;
  by("messages").replaceChildren();
  by("session").textContent = session;
  const found = await client.json("GET", `/api/sessions/${encodeURIComponent(session)}`).catch((error) => {
    if (error instanceof BatonError && error.status === 404) return { messages: [], activeStream: null };
    throw error;
  });
  if (mine !== opened) return; // meanwhile another session was opened, or this one again
  const told = found.messages.flatMap((/** @type {any} */ message) => message.parts ?? []);
  const operations = told.filter((/** @type {any} */ part) => part.type === "data-operation" && part.data.operationId);
  for (const { data } of operations) if (data.status !== "started") continued.add(data.operationId);
  for (const { data } of operations) if (!continued.has(data.operationId)) note(data);
  showMessages(found.messages);
  showEarlier(found.cursor);
  if (!found.activeStream) {
    if (found.queued?.length) setTimeout(() => reporting(open), 500); // accepted, and not in line yet
    return;
  }
  await follow(bubble("assistant"), followed(found.activeStream.jobId));
  if (found.queued.length) await open();
}

/** @param {any[]} messages @param {Element|null} [before] */
function showMessages(messages, before) {
  for (const message of messages) {
    if (message.role === "user") {
      showQuestion(message.parts, before);
      continue;
    }
    const into = bubble("assistant", before);
    showAnswer(into, stored(message), false);
    for (const { type, data } of message.parts) {
      if (type === "data-operation" && data.status === "started" && continued.has(data.operationId)) reporting(() => showDecided(into, data.jobId));
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

/** What was decided of a call that went on in the background stays with the answer that began it. @param {HTMLElement} into @param {string} jobId */
async function showDecided(into, jobId) {
  const { checkpoints } = await client.json("GET", `/api/agent-jobs/${encodeURIComponent(jobId)}/checkpoints`);
  into.append(...checkpoints.filter((/** @type {any} */ mark) => mark.status !== "pending").map((/** @type {any} */ mark) => markBox(mark, "")));
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
      const call = { id: part.toolCallId, name, input: part.input, error: part.errorText };
      answer.calls.set(part.toolCallId, "output" in part ? { ...call, output: part.output } : call);
    }
  });
  return answer;
}

/** Send a message while an answer is made: whoever makes it is told, or the session goes on otherwise. @param {any} body */
async function sendMeanwhile(body) {
  const response = await post(body);
  if (response.status === 202) return true; // the answer's stream shows it
  await response.body?.cancel();
  reporting(open);
  return true;
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
  if (!by("stop").hidden) {
    const sent = await reporting(() => sendMeanwhile({ ...body, whenBusy: by("when").value }));
    if (!sent) by("text").value ||= text;
    return;
  }
  following = new AbortController();
  showQuestion(message.parts);
  const into = bubble("assistant");
  if ((await reporting(() => follow(into, sent(body)).then(() => true))) === undefined && !into.querySelector(".text")) {
    by("text").value = by("text").value || text;
  }
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
  watching.abort();
  watching = new AbortController();
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
