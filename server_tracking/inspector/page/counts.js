// Counts and small charts of the hits that the filters leave.

import {$, clock, counted, headline, kindName, make, stateOf, systemName} from "./words.js";

const MINUTES = 30;
const TOP = 8;

export function showCounts(hits) {
  const pages = hits.filter(one => one.hit.kind === "pageview");
  const events = hits.filter(one => one.hit.kind !== "pageview");
  $("counts").replaceChildren(
    minutes(hits),
    top("Systems", hits, one => systemName(one.hit.system)),
    top("Top pages", pages, one => one.hit.path || one.hit.url),
    top("Events", events, one => headline(one.hit) || kindName(one.hit.kind)),
    top("Campaigns", hits, one => one.hit.campaign),
    top("Bots", hits, one => one.bot ? one.hit.user_agent : ""),
    top("Check", hits, one => stateOf(one)),
    top("What is wrong", hits.flatMap(one => one.hit.problems.map(({field, message}) => `${field}: ${message}`)), text => text),
  );
}

function minutes(hits) {
  const last = Math.floor(Date.now() / 60_000);
  const bars = new Array(MINUTES).fill(0);
  for (const one of hits) {
    const ago = last - Math.floor(one.arrived / 60);
    if (ago >= 0 && ago < MINUTES) bars[MINUTES - 1 - ago] += 1;
  }
  const most = Math.max(1, ...bars);
  const chart = make("div", bars.map((number, index) => {
    const bar = make("span", "", "bar");
    bar.style.setProperty("--part", number / most);
    bar.title = `${clock((last - MINUTES + 1 + index) * 60)}: ${counted(number, "hit")}`;
    return bar;
  }), "chart");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `Hits per minute in the last ${MINUTES} minutes, at most ${most}, in this minute ${bars.at(-1)}`);
  return card("Hits per minute", [chart,
    make("p", [make("span", `${MINUTES} minutes ago`), make("span", `at most ${most.toLocaleString("en")}`), make("span", "now")], "axis soft")], "broad");
}

function top(title, things, nameOf) {
  const numbers = new Map();
  for (const thing of things) {
    const name = nameOf(thing);
    if (name) numbers.set(name, (numbers.get(name) ?? 0) + 1);
  }
  const first = [...numbers].sort((one, other) => other[1] - one[1]).slice(0, TOP);
  if (!first.length) return card(title, [make("p", "None", "soft")]);
  const most = first[0][1];
  const lines = first.map(([name, number]) => {
    const line = make("tr", [make("td", name), make("td", number.toLocaleString("en"), "number")]);
    line.style.setProperty("--part", number / most);
    line.cells[0].title = name;
    return line;
  });
  return card(title, [make("table", [make("tbody", lines)])]);
}

function card(title, content, name = "") {
  return make("section", [make("h2", title), ...content], `card ${name}`);
}
