// The page: what arrives, what is chosen, and what the user does.

import {showCounts} from "./counts.js";
import {showDetail} from "./detail.js";
import {anyFilter, matcher, offer, queryString} from "./filters.js";
import {showJourneys} from "./journeys.js";
import {addBelow, addToList, drawList, markChosen} from "./list.js";
import {$, counted, kindName, systemName} from "./words.js";

const KEPT = 10_000; // hits held here; the inspector may have more
const MORE = 200; // older hits asked for at once
const REACH = 100_000; // hits that are looked through at once, for a second at most
const VIEWS = ["hits", "visitors", "counts"];

// Hits by number, oldest first; those that were asked for besides.
const page = {hits: new Map(), older: new Map(), kept: new Set(), chosen: null, shut};
let waiting = []; // arrived, not drawn yet
let run = "";
let view = "hits";
let drawn = ""; // for which filters

// Drawing

function drawAll() {
  waiting = [];
  const hits = [...page.hits.values()].filter(matcher());
  if (view === "hits") drawList(hits, page);
  if (view === "visitors") showJourneys(hits, open);
  if (view === "counts") showCounts(hits);
  drawn = queryString();
  exhausted = false;
  looked = null;
  tell(hits.length);
}

function drawNew() {
  if (view !== "hits") return drawAll();
  addToList(waiting.filter(matcher()), page);
  waiting = [];
  tell();
}

function tell(number) {
  const shown = $("hits").children.length;
  const some = view === "hits" ? shown > 0 : (number ?? page.hits.size) > 0;
  const size = page.hits.size;
  $("empty").hidden = size > 0;
  $("nothing").hidden = size === 0 || some;
  document.querySelector("#list table").hidden = view !== "hits" || shown === 0;
  $("journeys").hidden = view !== "visitors" || !some;
  $("counts").hidden = view !== "counts" || !some;
  const all = counted(size, "hit");
  const left = view === "hits" ? shown : number ?? size;
  $("count").textContent = size === 0 ? ""
    : anyFilter() ? `${left}${view === "hits" && shown >= 500 ? "+" : ""} of ${all}`
    : view === "hits" && shown < size ? `${all}, the newest ${shown} shown` : all;
  $("older").textContent = looked === null ? "Older hits"
    : `Looked back to hit ${looked.toLocaleString("en")}; look further`;
  $("older").hidden = view !== "hits" || exhausted || (shown < 500 && size < KEPT);
}

// A page holds the newest hits; the inspector may know older ones that fit.

let exhausted = false;
let looked = null; // down to which number, if the search stopped there

async function showOlder() {
  const last = looked ?? $("hits").lastElementChild?.dataset.number ?? Math.min(...page.hits.keys());
  const asked = queryString({before: last, limit: MORE, reach: REACH});
  const filters = drawn;
  $("older").disabled = true;
  const answer = await fetch(`hits.json?${asked}`).finally(() => { $("older").disabled = false; });
  const older = await answer.json();
  if (filters !== drawn) return; // somebody looks for something else by now
  for (const stored of older) page.older.set(stored.number, stored);
  addBelow(older, page);
  const after = +answer.headers.get("X-Searched-After");
  exhausted = older.length < MORE && after === 0;
  looked = older.length < MORE && after > 0 ? after + 1 : null;
  tell();
}

// One hit

function open(number) {
  const stored = page.hits.get(number) ?? page.older.get(number);
  if (!stored) return;
  page.chosen = number;
  showDetail(stored, page);
  document.querySelector("main").classList.add("open");
  markChosen(number);
}

function shut() {
  const line = $("hits").querySelector(".chosen");
  page.chosen = null;
  $("detail").hidden = true;
  document.querySelector("main").classList.remove("open");
  markChosen(null);
  line?.focus({preventScroll: true});
}

// What the user does

function turnTo(name) {
  view = name;
  for (const tab of document.querySelectorAll("#views button")) tab.setAttribute("aria-pressed", tab.value === view);
  drawAll();
}

$("hits").addEventListener("click", event => open(+event.target.closest("tr").dataset.number));
$("hits").addEventListener("keydown", event => {
  const line = event.target.closest("tr");
  const next = {ArrowDown: line.nextSibling, ArrowUp: line.previousSibling, Enter: line}[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (page.chosen !== null || event.key === "Enter") open(+next.dataset.number);
});
document.addEventListener("keydown", event => {
  if ($("comparison").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && page.chosen !== null) shut();
  if (/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) return;
  if (event.key === "/") {
    event.preventDefault();
    $("filters").elements.words.focus();
  }
  const number = "123".indexOf(event.key);
  if (number >= 0) turnTo(VIEWS[number]);
  if (event.key === "c" && page.chosen !== null) $("detail").querySelector(".compare").click();
});
$("views").addEventListener("click", event => event.target.value && turnTo(event.target.value));
let typing = 0;
$("filters").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(drawAll, page.hits.size > 2000 ? 150 : 0);
});
// It also comes when a field is left, by a click on a line perhaps: what is drawn
// already must not be replaced under the pointer.
$("filters").addEventListener("change", () => { if (queryString() !== drawn) drawAll(); });
$("filters").addEventListener("submit", event => event.preventDefault());
$("reset").addEventListener("click", () => { $("filters").reset(); drawAll(); });
$("older").addEventListener("click", showOlder);
$("clear").addEventListener("click", () => fetch("clear", {method: "POST"}));
for (const link of document.querySelectorAll("#export a")) {
  // Set when it is followed: the export holds what the filters leave.
  link.addEventListener("click", () => { link.href = `${link.dataset.file}?${queryString()}`; });
}

// What arrives

function forget(upTo, kept = new Set()) {
  for (const number of page.hits.keys()) if (number <= upTo && !kept.has(number)) page.hits.delete(number);
  page.older.clear();
  if (page.chosen !== null && !page.hits.has(page.chosen)) shut();
  drawAll();
}

function arrive(stored) {
  if (page.hits.has(stored.number)) return;
  page.hits.set(stored.number, stored);
  if (page.hits.size > KEPT) page.hits.delete(page.hits.keys().next().value);
  offer("system", stored.hit.system, systemName(stored.hit.system));
  offer("kind", stored.hit.kind, kindName(stored.hit.kind));
  // A burst is drawn at once; a timer runs in hidden tabs too, unlike a frame.
  if (waiting.push(stored) === 1) setTimeout(drawNew, view === "hits" ? 30 : 1000);
}

function listen() {
  const stream = new EventSource("stream");
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
  stream.addEventListener("kept", event => {
    page.kept = new Set(JSON.parse(event.data));
    drawAll();
    if (page.chosen !== null) open(page.chosen);
  });
  stream.addEventListener("clear", event => forget(+event.data, page.kept));
  stream.addEventListener("message", event => arrive(JSON.parse(event.data)));
}

$("example").textContent = `Plausible("example.com", url="${new URL(".", location.href).href.slice(0, -1)}")`;
tell();
listen();
