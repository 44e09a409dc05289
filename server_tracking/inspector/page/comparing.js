// The same hit as several systems understood it, side by side.

import {$, FIELDS, answered, button, dot, headline, kindName, make, stateOf, CHECKS, systemName} from "./words.js";

const NEAR = 60; // seconds within which systems hear of the same hit
const ROWS = {
  kind: ["Kind", stored => kindName(stored.hit.kind)],
  name: ["Title or name", stored => headline(stored.hit)],
  ...Object.fromEntries(Object.entries(FIELDS).map(([field, label]) => [field, [label, stored => stored.hit[field]]])),
  parameters: ["Parameters", stored => String(stored.hit.parameters.length)],
  check: ["Check", stored => CHECKS[stateOf(stored)]],
  answer: ["Call", stored => `${stored.method} ${stored.path}, ${answered(stored.status)}`],
};
// What systems see alike unless something is wrong, as far as they tell it.
const ALIKE = {
  url: hit => hit.path,
  address: hit => hit.address,
  language: hit => hit.language.toLowerCase(),
  user_agent: hit => hit.user_agent,
};

export function comparison(stored, hits) {
  const same = sameHit(stored, hits);
  const head = make("tr", [make("td"), ...same.map(one => heading(make("th", [dot(one.hit.system), systemName(one.hit.system)]), "col"))]);
  const lines = Object.entries(ROWS).map(([field, [label, read]]) => {
    const values = same.map(one => read(one) || "");
    if (!values.some(Boolean)) return null;
    const seen = field in ALIKE ? same.map(one => ALIKE[field](one.hit)).filter(Boolean) : [];
    const differ = new Set(seen).size > 1;
    return make("tr", [heading(make("th", label), "row"), ...values.map(value => make("td", value || "–"))], differ ? "differs" : "");
  });
  const wide = make("div", [make("table", [make("thead", [head]), make("tbody", lines.filter(Boolean))])], "wide");
  wide.tabIndex = 0;
  $("comparison").replaceChildren(
    make("header", [make("h2", "The same hit in each system"), button("Close", () => $("comparison").close())]),
    make("p", same.length > 1
      ? "By page, kind and time. Marked lines are those in which systems should agree and do not."
      : "No other system has told of this hit within a minute.", "soft"),
    wide,
  );
  $("comparison").showModal();
}

function heading(cell, scope) {
  cell.scope = scope;
  return cell;
}

// A hit has no id on the wire: page, kind and name, order and time tell.
function sameHit(stored, hits) {
  const best = new Map([[stored.hit.system, [Infinity, stored]]]);
  const place = ordinal(stored, hits);
  for (const other of hits) {
    if (other.hit.system === stored.hit.system || Math.abs(other.arrived - stored.arrived) > NEAR) continue;
    const score = likeness(stored.hit, other.hit);
    if (score === 0) continue;
    const nearness = score - Math.abs(ordinal(other, hits) - place) - Math.abs(other.arrived - stored.arrived) / NEAR;
    if (nearness > (best.get(other.hit.system)?.[0] ?? -Infinity)) best.set(other.hit.system, [nearness, other]);
  }
  return [...best.values()].map(([, one]) => one)
    .sort((one, other) => systemName(one.hit.system).localeCompare(systemName(other.hit.system)));
}

function likeness(one, other) {
  const samePage = one.path === other.path;
  const sameName = headline(one) !== "" && plain(headline(one)) === plain(headline(other));
  if (one.kind === other.kind && samePage) return sameName ? 400 : 300;
  // A system without a word for it hears of an event.
  if (one.kind !== "pageview" && other.kind !== "pageview" && sameName) return 200;
  if ([one.kind, other.kind].includes("event") && samePage && one.kind !== "pageview" && other.kind !== "pageview") return 100;
  return 0;
}

const plain = text => text.toLowerCase().replace(/[^a-z0-9]+/g, "");

// Its place among the hits of its system, page and kind.
function ordinal(stored, hits) {
  return hits.filter(other => other.number < stored.number && other.hit.system === stored.hit.system
    && other.hit.path === stored.hit.path && other.hit.kind === stored.hit.kind
    && Math.abs(other.arrived - stored.arrived) <= NEAR).length;
}
