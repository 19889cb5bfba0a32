// The console works without this file; it keeps times and the page of a running job up to date.
"use strict";

// A change is a piece of markup with an id: it takes the place of the piece with that id.
function put(markup) {
  const made = document.createElement("template");
  made.innerHTML = markup; // from our own server, escaped there; the page's policy lets no script of it run
  const piece = made.content.firstElementChild;
  const old = document.getElementById(piece.id);
  if (!old) return;
  const [all, shown] = [(one, kind) => [...one.querySelectorAll(kind)], "details:not(.sure)"];
  const wasOpen = all(old, shown).map((details) => details.open);
  all(piece, shown).forEach((details, index) => (details.open = wasOpen[index] ?? details.open));
  // What acts is known by its words: in its place another button may stand by now.
  const words = (one) => `${one.tagName} ${one.name || one.textContent.trim()}`;
  const same = (one) => all(piece, one.tagName).find((other) => words(other) === words(one));
  for (const summary of all(old, ".sure[open] > summary")) if (same(summary)) same(summary).parentElement.open = true;
  for (const input of all(old, "input:not([type=hidden])")) if (same(input)) same(input).value = input.value;
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const place = active ? all(old, `${shown} > summary`).indexOf(active) : -1;
  old.replaceWith(piece);
  formatted(piece);
  tell();
  if (active) (place >= 0 ? all(piece, `${shown} > summary`)[place] : same(active))?.focus({ preventScroll: true });
}

// An answer in Markdown; without this file it is read as it was written.
async function formatted(box) {
  const texts = [...box.querySelectorAll("[data-markdown]:not(.markdown)")];
  if (!texts.length) return;
  const { markdown } = await import("/chat/markdown.js");
  for (const text of texts) {
    text.classList.add("markdown");
    text.replaceChildren(...markdown(text.textContent));
  }
}
formatted(document);

// What is shown may be old: the server does not answer, or the login has ended. A page says so until it hears again.
function stale(is) {
  const known = document.getElementById("stale");
  if (!is || known) return is || known?.remove();
  const note = document.createElement("p");
  [note.id, note.className, note.role] = ["stale", "notice", "status"];
  note.textContent = "This page is not kept up to date: the server does not answer, or your login has ended. Load it again.";
  document.getElementById("main").prepend(note);
}

function live(element) {
  const source = new EventSource(element.dataset.live);
  source.onopen = () => stale(false);
  source.onmessage = (message) => {
    const below = innerHeight + scrollY >= document.body.scrollHeight - 40;
    JSON.parse(message.data).forEach(put);
    if (below && scrollY > 0) scrollTo(0, document.body.scrollHeight);
  };
  source.addEventListener("done", () => source.close());
  // The browser comes back by itself, but not after an answer that is no stream, such as 503.
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    stale(true);
    setTimeout(() => live(element), 5000);
  };
}

// The picture of a run: + and - zoom it, 0 shows all of it, and the arrows lead from row to row.
function zoomable(frame) {
  let zoom = 1;
  const set = (to) => {
    const middle = (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth;
    zoom = Math.min(64, Math.max(1, to));
    frame.style.setProperty("--zoom", zoom);
    frame.classList.toggle("zoomed", zoom >= 4);
    frame.scrollLeft = middle * frame.scrollWidth - frame.clientWidth / 2;
  };
  const bar = document.createElement("p");
  bar.className = "buttons row";
  [["Zoom in (+)", () => set(zoom * 2)], ["Zoom out (-)", () => set(zoom / 2)], ["Whole run (0)", () => set(1)]].forEach(([name, act]) => {
    const button = document.createElement("button");
    button.className = "quiet";
    button.textContent = name;
    button.addEventListener("click", act);
    bar.append(button);
  });
  frame.before(bar);
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const links = [...frame.querySelectorAll("a")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) links[Math.min(links.length - 1, Math.max(0, links.indexOf(document.activeElement) + step))]?.focus();
    else if (event.key === "+" || event.key === "=") set(zoom * 2);
    else if (event.key === "-") set(zoom / 2);
    else if (event.key === "0") set(1);
    else return;
    event.preventDefault();
  });
}
document.querySelectorAll("[data-zoom]").forEach(zoomable);

let wanted = null;
// A click on a turn or a call of the picture shows its page beside it; elsewhere, and without this file, the link leads there.
document.querySelectorAll(".zoom").forEach((frame) => frame.addEventListener("click", async (event) => {
  const link = event.target.closest(".r-turn a, .r-call a, .r-mark a[href*=\"/jobs/\"]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  wanted = link;
  const response = await fetch(link.href).catch(() => null);
  if (wanted !== link) return; // another one was clicked meanwhile
  if (!response?.ok || response.redirected) return location.assign(link.href);
  const made = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
  const [title, whole, close] = ["h2", "a", "button"].map((name) => document.createElement(name));
  title.append(...made.querySelector("h1").childNodes);
  made.querySelector("h1").replaceWith(title);
  whole.href = link.href;
  whole.textContent = "Open as a page";
  const box = document.getElementById("piece");
  close.className = "quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => {
    box.replaceChildren();
    link.removeAttribute("aria-current");
    link.focus(); // leads back to its row
  });
  box.replaceChildren(whole, " ", close, ...made.childNodes);
  box.querySelectorAll("[data-json]").forEach(readable);
  const known = [...document.querySelectorAll("main > div details > pre")].filter((one) => !box.contains(one)).map((one) => one.textContent);
  for (const one of box.querySelectorAll("details > pre")) if (known.includes(one.textContent)) one.parentElement.open = false; // the page has it
  formatted(box);
  frame.querySelectorAll("[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
  link.setAttribute("aria-current", "true");
  if (box.getBoundingClientRect().top > innerHeight - 200) box.scrollIntoView({ block: "start" });
}));

// A value: its text can be copied; what has parts is searched, and what is found is opened.
function readable(box) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const copy = document.createElement("button");
  copy.className = "quiet";
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    // The text of a tree is JSON but for texts of several lines; read and written anew, large numbers lose digits.
    const value = box.querySelector(".tree, pre").cloneNode(true);
    for (const text of value.querySelectorAll(".prose")) text.textContent = JSON.stringify(text.textContent);
    await navigator.clipboard.writeText(value.textContent.trim());
    copy.textContent = "Copied";
  });
  if (navigator.clipboard) tools.append(copy); // pages without https have none
  if (box.querySelectorAll(".tree li").length > 5) {
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = search.ariaLabel = "Search in this value";
    const count = document.createElement("span");
    count.className = "dim";
    count.role = "status";
    search.addEventListener("input", () => {
      const wanted = search.value.toLowerCase();
      const own = (item) => (item.querySelector(":scope > details > summary") ?? item).textContent.toLowerCase();
      const found = [...box.querySelectorAll("li")].filter((item) => {
        const hit = wanted !== "" && own(item).includes(wanted);
        item.classList.toggle("hit", hit);
        return hit;
      });
      for (const item of found) for (let at = item.parentElement; at !== box; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
      found[0]?.scrollIntoView({ block: "nearest" });
      count.textContent = wanted && `${found.length} found`;
    });
    tools.append(search, count);
  }
  box.prepend(tools);
}
document.querySelectorAll("[data-json]").forEach(readable);

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const DAY = 86400000;
const midnight = (milliseconds) => new Date(milliseconds).setHours(0, 0, 0, 0);
function ago(milliseconds, now) {
  if (milliseconds - now >= 43200000) {
    const at = new Date(milliseconds);
    const days = Math.round((midnight(milliseconds) - midnight(now)) / DAY);
    const named = at.toLocaleDateString([], days < 7 ? { weekday: "long" } : { day: "numeric", month: "short", year: "numeric" });
    const day = ["today", "tomorrow"][days] ?? named;
    return `${day} ${at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })}`;
  }
  const seconds = Math.floor(Math.abs(now - milliseconds) / 1000);
  const step = STEPS.find(([size]) => seconds >= size);
  if (!step) return "now";
  const more = milliseconds > now ? Math.floor(step[0] / 20) : 0;
  const text = `${Math.floor((seconds + more) / step[0])} ${step[1]}`;
  return now > milliseconds ? `${text} ago` : `in ${text}`;
}
const tell = () => {
  const now = Date.now();
  document.querySelectorAll("time[data-ms]").forEach((time) => (time.textContent = ago(Number(time.dataset.ms), now)));
};
tell();
setInterval(tell, 5000);

document.querySelectorAll("[data-live]").forEach(live);
// One box that ticks all others of its form.
document.querySelectorAll("input[data-all]").forEach((all) => {
  all.hidden = false;
  all.addEventListener("change", () => {
    all.form.querySelectorAll("input[type=checkbox][name]").forEach((box) => (box.checked = all.checked));
  });
});

// A list of rows that keeps up with the server: rows change in place, new ones come first. It looks less and less often
// while nothing changes, and not at all while nobody sees the page.
function refreshed(list) {
  const [FIRST, LONGEST] = [3000, 60000];
  const news = document.getElementById(list.dataset.refresh);
  let pause = FIRST, timer;
  async function look() {
    const response = await fetch(location.href, { redirect: "error" });
    if (!response.ok) throw new Error(response.status);
    const made = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-refresh]");
    const rows = [...(made?.children ?? [])];
    const kept = [...list.children].find((row) => row.getBoundingClientRect().bottom > 0 && rows.some((one) => one.id === row.id));
    const top = kept?.getBoundingClientRect().top;
    let [came, changed] = [0, 0];
    rows.forEach((row, index) => {
      const old = document.getElementById(row.id);
      const place = list.children[index] ?? null;
      if (!old) {
        came += 1;
        row.classList.add("fresh");
        list.insertBefore(row, place);
        return;
      }
      const says = row.dataset.stamp;
      if (!says || old.dataset.stamp !== says) {
        changed += says ? 1 : 0; // what has none is no news
        put(row.outerHTML);
      }
      const now = document.getElementById(row.id);
      if (now !== list.children[index] && !now.contains(document.activeElement)) list.insertBefore(now, list.children[index]);
    });
    const ids = new Set(rows.map((row) => row.id));
    for (const row of [...list.children]) if (!ids.has(row.id) && !row.contains(document.activeElement)) row.remove();
    const shown = kept && document.getElementById(kept.id);
    if (shown && scrollY > 0) scrollBy(0, shown.getBoundingClientRect().top - top);
    if (came + changed) news.textContent = [came && `${came} new`, changed && `${changed} changed`].filter(Boolean).join(", ");
    return came + changed;
  }
  const later = () => {
    clearTimeout(timer);
    if (document.hidden) return;
    timer = setTimeout(async () => {
      try {
        pause = (await look()) ? FIRST : Math.min(LONGEST, pause * 1.5);
        stale(false);
      } catch {
        stale(true);
        pause = LONGEST;
      }
      later();
    }, pause);
  };
  document.addEventListener("visibilitychange", () => {
    pause = FIRST / 10;
    later();
  });
  later();
}
document.querySelectorAll("[data-refresh]").forEach(refreshed);

// Filters that somebody keeps: addresses in this browser, beside the common ones.
function filters(bar) {
  const KEY = "baton.filters";
  const kept = () => JSON.parse(localStorage.getItem(KEY) ?? "[]");
  const keep = (all) => localStorage.setItem(KEY, JSON.stringify(all));
  const own = document.createElement("span");
  const button = (text, act) => {
    const made = document.createElement("button");
    made.className = "quiet";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };
  const name = document.createElement("input");
  name.placeholder = name.ariaLabel = "Name of this filter";
  name.maxLength = 40;
  const show = () => {
    const links = kept().flatMap(([title, query]) => {
      const link = document.createElement("a");
      link.href = `/console/jobs${query}`;
      link.textContent = title;
      if (query === location.search) link.setAttribute("aria-current", "page");
      const drop = button("×", () => (keep(kept().filter(([other]) => other !== title)), show()));
      drop.ariaLabel = `Forget filter ${title}`;
      return [link, drop];
    });
    own.replaceChildren(...links, ...(location.search ? [name, save] : []));
  };
  const save = button("Save this filter", () => {
    const title = name.value.trim();
    if (!title) return name.focus();
    keep([...kept().filter(([other]) => other !== title), [title, location.search]]);
    name.value = "";
    show();
  });
  for (const link of bar.querySelectorAll("a")) if (link.pathname === location.pathname && link.search === location.search) link.setAttribute("aria-current", "page");
  own.className = "own";
  bar.append(own);
  show();
}
document.querySelectorAll("[data-filters]").forEach(filters);
