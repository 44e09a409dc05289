// One hit in full: the neutral view, the wire, the raw call, what is wrong.

import {comparison} from "./comparing.js";
import {setFilter} from "./filters.js";
import {$, FIELDS, answered, button, clock, dot, headline, kindName, make, systemName} from "./words.js";

export function showDetail(stored, page) {
  const {hit} = stored;
  const parts = [heading(stored), actions(stored, page)];
  if (hit.problems.length) parts.push(section("Check", hit.problems.map(problem)));
  parts.push(understood(hit));
  if (hit.parameters.length) parts.push(section("On the wire", [wire(hit.parameters)]));
  parts.push(rawCall(stored));
  const detail = $("detail");
  detail.replaceChildren(...parts.filter(Boolean));
  detail.hidden = false;
  detail.scrollTop = 0;
}

function heading(stored) {
  const {hit} = stored;
  const name = headline(hit);
  const call = `${stored.method} ${stored.path}, ${stored.bytes} bytes, ${answered(stored.status)}`;
  return make("header", [
    make("h2", told(kindName(hit.kind), name)),
    make("p", [dot(hit.system), `${systemName(hit.system)}, ${clock(stored.arrived)}`, stored.bot ? ", a bot" : ""], "soft"),
    make("p", call, "soft"),
  ]);
}

// Some systems say the kind in the name.
function told(kind, name) {
  if (!name) return kind;
  return name.toLowerCase().startsWith(kind.toLowerCase()) ? name : `${kind}: ${name}`;
}

function actions(stored, page) {
  const kept = page.kept.has(stored.number);
  const keep = button(kept ? "★ Kept" : "☆ Keep", () =>
    fetch(`keep?number=${stored.number}&keep=${kept ? "no" : "yes"}`, {method: "POST"}), "keep");
  keep.setAttribute("aria-pressed", kept);
  keep.title = "What is kept outlives Clear";
  const close = button("Close", page.shut, "close");
  close.title = "Escape";
  return make("div", [
    button("Compare", () => comparison(stored, [...page.hits.values()]), "compare"),
    keep,
    button("Copy as curl", event => copy(event.target, `call.sh?number=${stored.number}`), "curl"),
    close,
  ], "actions");
}

async function copy(label, address) {
  const answer = await fetch(address);
  const text = await answer.text();
  try {
    if (!answer.ok) throw new Error(text);
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    label.textContent = answer.ok ? "No clipboard here" : "No longer kept";
  }
  setTimeout(() => { label.textContent = "Copy as curl"; }, 1500);
}

function understood(hit) {
  const rows = Object.keys(FIELDS).filter(field => hit[field]).flatMap(field => {
    const known = make("dd", hit[field]);
    if (field === "client_id" || field === "user_id") {
      known.append(" ", button("only this", () => setFilter("visitor", hit[field]), "link"));
    }
    return [make("dt", FIELDS[field]), known];
  });
  if (hit.time) rows.push(make("dt", "Happened"), make("dd", new Date(hit.time * 1000).toISOString()));
  return rows.length ? section("What the system understands", [make("dl", rows)]) : null;
}

function rawCall(stored) {
  const text = make("pre", [make("code", "…")]);
  text.tabIndex = 0;
  const shown = make("details", [make("summary", "The raw call"), text], "raw");
  shown.addEventListener("toggle", async () => {
    if (!shown.open) return;
    const answer = await fetch(`call.json?number=${stored.number}`);
    text.firstChild.textContent = answer.ok ? written(await answer.json()) : "This call is no longer kept.";
  }, {once: true});
  return make("section", [shown]);
}

function written(call) {
  const headers = Object.entries(call.headers).map(([name, value]) => `${name}: ${value}`);
  return [`${call.method} ${call.target}`, ...headers, "", readable(call.body), call.whole ? "" : "… (not whole)"].join("\n");
}

function readable(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function section(title, content) {
  return make("section", [make("h3", title), ...content]);
}

function problem(found) {
  const effect = found.fatal ? "The system refuses this hit" : "Note";
  return make("div", [
    make("p", [make("b", `${effect}: `), make("code", found.field)]),
    make("p", found.message),
    make("p", found.source, "soft"),
  ], found.fatal ? "problem fatal" : "problem");
}

function wire(parameters) {
  const lines = parameters.map(parameter => make("tr", [
    make("td", [make("code", breakable(parameter.name)), make("span", parameter.meaning, "soft")]),
    make("td", [make("code", parameter.value)]),
  ]));
  return make("table", [make("tbody", lines)]);
}

// Long names break between their parts.
function breakable(name) {
  return name.split(/(?<=[._\]])/).flatMap(part => [part, make("wbr")]);
}
