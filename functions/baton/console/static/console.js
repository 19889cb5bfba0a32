// The console works without this file; it keeps times and the page of a running job up to date.
"use strict";

// A change is a piece of markup with an id: it takes the place of the piece with that id, or goes to the end of its list.
function put(markup) {
  const made = document.createElement("template");
  made.innerHTML = markup; // from our own server, escaped there; the page's policy lets no script of it run
  const piece = made.content.firstElementChild;
  const old = document.getElementById(piece.id);
  if (!old) {
    const list = document.getElementById(piece.dataset.into);
    if (list) list.append(piece);
    return;
  }
  const wasOpen = [...old.querySelectorAll("details")].map((details) => details.open);
  [...piece.querySelectorAll("details")].forEach((details, index) => (details.open = wasOpen[index] ?? details.open));
  const focused = old.contains(document.activeElement) && [...old.querySelectorAll("a,button,summary")].indexOf(document.activeElement);
  old.replaceWith(piece);
  if (focused !== false && focused >= 0) piece.querySelectorAll("a,button,summary")[focused]?.focus();
}

function live(element, after) {
  const source = new EventSource(after ? element.dataset.live.replace(/after=.*/, `after=${after}`) : element.dataset.live);
  source.onmessage = (message) => {
    after = message.lastEventId;
    const below = innerHeight + scrollY >= document.body.scrollHeight - 40;
    JSON.parse(message.data).forEach(put);
    if (below && scrollY > 0) scrollTo(0, document.body.scrollHeight);
  };
  source.addEventListener("done", () => source.close());
  // The browser comes back by itself, but not after an answer that is no stream, such as 503.
  source.onerror = () => source.readyState === EventSource.CLOSED && setTimeout(() => live(element, after), 5000);
}

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function ago(milliseconds, now) {
  const seconds = Math.floor(Math.abs(now - milliseconds) / 1000);
  const step = STEPS.find(([size]) => seconds >= size);
  if (!step) return "now";
  const text = `${Math.floor(seconds / step[0])} ${step[1]}`;
  return now > milliseconds ? `${text} ago` : `in ${text}`;
}
setInterval(() => {
  const now = Date.now();
  document.querySelectorAll("time[data-ms]").forEach((time) => (time.textContent = ago(Number(time.dataset.ms), now)));
}, 5000);

document.querySelectorAll("[data-live]").forEach((element) => live(element));
// One box that ticks all others of its form.
document.querySelectorAll("input[data-all]").forEach((all) => {
  all.hidden = false;
  all.addEventListener("change", () => {
    all.form.querySelectorAll("input[type=checkbox][name]").forEach((box) => (box.checked = all.checked));
  });
});
