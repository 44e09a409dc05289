"use strict";

const KEPT = 10_000; // hits, as in the inspector itself
const ROWS = 500; // drawn; older hits are found by the filters
const NAMES = {posthog: "PostHog", goatcounter: "GoatCounter", unknown: "Unknown"};
const KINDS = {pageview: "page view", screenview: "screen view", product_action: "product action"};
const FIELDS = {
  url: "Address", title: "Title", referrer: "Referrer", campaign: "Campaign", client_id: "Visitor",
  user_id: "User", session_id: "Session", address: "IP address", language: "Language", user_agent: "User agent",
};
const CHECKS = {valid: "✓ valid", noted: "! note", refused: "✕ refused"};

const $ = id => document.getElementById(id);
const filters = $("filters").elements;
const hits = new Map(); // by number, oldest first
let waiting = []; // arrived, not drawn yet
let run = "";
let chosen = null;

// Text only: what visitors sent must never become markup here.
function make(tag, content = "", name = "") {
  const element = document.createElement(tag);
  if (Array.isArray(content)) element.append(...content);
  else element.textContent = content;
  if (name) element.className = name;
  return element;
}

const systemName = name =>
  NAMES[name] ?? name.split("_").map(word => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
const kindName = kind => KINDS[kind] ?? kind;
const clock = seconds => new Date(seconds * 1000).toLocaleTimeString([], {hourCycle: "h23"});
const stateOf = stored => stored.valid ? (stored.hit.problems.length ? "noted" : "valid") : "refused";
const headline = hit => (hit.kind === "pageview" && hit.title) || hit.name || hit.title || "";

function dot(system) {
  const element = make("span", "", "dot");
  let sum = 0;
  for (const character of system) sum = (sum * 31 + character.codePointAt(0)) % 360;
  element.style.setProperty("--hue", sum);
  return element;
}

// The list

function row(stored) {
  const {hit} = stored;
  const state = stateOf(stored);
  const line = make("tr", [
    make("td", clock(stored.arrived), "time"),
    make("td", [dot(hit.system), systemName(hit.system)], "system"),
    make("td", [make("span", kindName(hit.kind), "badge")], "kind"),
    make("td", hit.path || hit.url, "path"),
    make("td", headline(hit), "title"),
    make("td", hit.client_id || hit.user_id, "visitor"),
    make("td", hit.campaign, "campaign"),
    make("td", CHECKS[state], `check ${state}`),
  ]);
  for (const cell of line.cells) if (cell.textContent) cell.title = cell.textContent;
  line.tabIndex = 0;
  line.dataset.number = stored.number;
  if (stored.number === chosen) line.className = "chosen";
  return line;
}

function wanted(stored) {
  const {hit} = stored;
  const words = filters.words.value.trim().toLowerCase();
  return (!filters.system.value || hit.system === filters.system.value)
    && (!filters.kind.value || hit.kind === filters.kind.value)
    && (!filters.state.value || stateOf(stored) === filters.state.value)
    && (!words || (stored.text ??= JSON.stringify(hit).toLowerCase()).includes(words));
}

function offer(select, value, label) {
  if ([...select.options].some(option => option.value === value)) return;
  const option = make("option", label);
  option.value = value;
  const after = [...select.options].slice(1).find(other => other.text > label);
  select.add(option, after ?? null);
}

function drawAll() {
  waiting = [];
  const lines = [...hits.values()].filter(wanted).slice(-ROWS).map(row);
  $("hits").replaceChildren(...lines.reverse());
  tell();
}

function drawNew() {
  const lines = waiting.filter(wanted).slice(-ROWS).map(row);
  waiting = [];
  for (const line of lines) line.classList.add("new");
  $("hits").prepend(...lines.reverse());
  while ($("hits").children.length > ROWS) $("hits").lastChild.remove();
  tell();
}

function tell() {
  const shown = $("hits").children.length;
  const filtered = ["words", "system", "kind", "state"].some(name => filters[name].value);
  $("empty").hidden = hits.size > 0;
  $("nothing").hidden = hits.size === 0 || shown > 0;
  document.querySelector("#list table").hidden = shown === 0;
  const all = `${hits.size} ${hits.size === 1 ? "hit" : "hits"}`;
  $("count").textContent = hits.size === 0 ? ""
    : filtered ? `${shown}${shown === ROWS ? "+" : ""} of ${all}`
    : shown < hits.size ? `${all}, the newest ${shown} shown` : all;
}

// One hit

function open(number) {
  const stored = hits.get(number);
  if (!stored) return;
  chosen = number;
  const {hit} = stored;
  const close = make("button", "Close");
  close.addEventListener("click", shut);
  const about = `${systemName(hit.system)}, ${clock(stored.arrived)}`;
  const call = `${stored.method} ${stored.path}, ${stored.bytes} bytes, answered ${stored.status}`;
  const name = headline(hit);
  const parts = [make("header", [
    make("div", [
      make("h2", name ? `${kindName(hit.kind)}: ${name}` : kindName(hit.kind)),
      make("p", [dot(hit.system), about], "soft"),
      make("p", call, "soft"),
    ]),
    close,
  ])];
  if (hit.problems.length) parts.push(section("Check", hit.problems.map(problem)));
  const known = Object.keys(FIELDS).filter(field => hit[field]);
  const times = hit.time ? [make("dt", "Happened"), make("dd", new Date(hit.time * 1000).toISOString())] : [];
  if (known.length || times.length) {
    const pairs = known.flatMap(field => [make("dt", FIELDS[field]), make("dd", hit[field])]);
    parts.push(section("What the system understands", [make("dl", [...pairs, ...times])]));
  }
  if (hit.parameters.length) parts.push(section("On the wire", [wire(hit.parameters)]));
  $("detail").replaceChildren(...parts);
  $("detail").hidden = false;
  $("detail").scrollTop = 0;
  document.querySelector("main").classList.add("open");
  mark();
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

function shut() {
  const line = $("hits").querySelector(".chosen");
  chosen = null;
  $("detail").hidden = true;
  document.querySelector("main").classList.remove("open");
  mark();
  line?.focus({preventScroll: true});
}

function mark() {
  for (const line of $("hits").children) line.classList.toggle("chosen", +line.dataset.number === chosen);
}

// What the user does

$("hits").addEventListener("click", event => open(+event.target.closest("tr").dataset.number));
$("hits").addEventListener("keydown", event => {
  const line = event.target.closest("tr");
  const next = {ArrowDown: line.nextSibling, ArrowUp: line.previousSibling, Enter: line}[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (chosen !== null || event.key === "Enter") open(+next.dataset.number);
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && chosen !== null) shut();
  if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    filters.words.focus();
  }
});
filters.words.addEventListener("input", drawAll);
$("filters").addEventListener("change", drawAll);
$("filters").addEventListener("submit", event => event.preventDefault());
$("reset").addEventListener("click", () => { $("filters").reset(); drawAll(); });
$("clear").addEventListener("click", () => fetch("/clear", {method: "POST"}));

// What arrives

function forget(upTo) {
  for (const number of hits.keys()) if (number <= upTo) hits.delete(number);
  if (chosen !== null && !hits.has(chosen)) shut();
  drawAll();
}

function arrive(stored) {
  if (hits.has(stored.number)) return;
  hits.set(stored.number, stored);
  if (hits.size > KEPT) hits.delete(hits.keys().next().value);
  offer(filters.system, stored.hit.system, systemName(stored.hit.system));
  offer(filters.kind, stored.hit.kind, kindName(stored.hit.kind));
  // A burst is drawn at once; a timer runs in hidden tabs too, unlike a frame.
  if (waiting.push(stored) === 1) setTimeout(drawNew, 30);
}

function listen() {
  const stream = new EventSource("/stream");
  stream.addEventListener("open", () => {
    document.body.classList.add("live");
    $("link").textContent = "live";
  });
  stream.addEventListener("error", () => {
    document.body.classList.remove("live");
    $("link").textContent = "inspector stopped; trying again";
    // The browser itself tries again, unless it got an answer that was no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  });
  stream.addEventListener("run", event => {
    // Another inspector at the same address counts from 1 again.
    if (run && run !== event.data) forget(Infinity);
    run = event.data;
  });
  stream.addEventListener("clear", event => forget(+event.data));
  stream.addEventListener("message", event => arrive(JSON.parse(event.data)));
}

$("example").textContent = `Plausible("example.com", url="${location.origin}")`;
tell();
listen();
