// How things are called, and how they are written.

export const KINDS = {
  pageview: "page view", screenview: "screen view", product_action: "product action",
};
export const FIELDS = {
  url: "Address", title: "Title", referrer: "Referrer", campaign: "Campaign", client_id: "Visitor",
  user_id: "User", session_id: "Session", address: "IP address", language: "Language", user_agent: "User agent",
};
export const CHECKS = {valid: "✓ valid", noted: "! note", refused: "✕ refused"};
const NAMES = {posthog: "PostHog", goatcounter: "GoatCounter", unknown: "Unknown"};

export const $ = id => document.getElementById(id);

// Text only: what visitors sent must never become markup here.
export function make(tag, content = "", name = "") {
  const element = document.createElement(tag);
  if (Array.isArray(content)) element.append(...content);
  else element.textContent = content;
  if (name) element.className = name;
  return element;
}

export function button(text, action, name = "") {
  const element = make("button", text, name);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

export const systemName = name =>
  NAMES[name] ?? name.split("_").map(word => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
export const kindName = kind => KINDS[kind] ?? kind;
export const clock = seconds => new Date(seconds * 1000).toLocaleTimeString([], {hourCycle: "h23"});
export const stateOf = stored => stored.valid ? (stored.hit.problems.length ? "noted" : "valid") : "refused";
export const headline = hit => (hit.kind === "pageview" && hit.title) || hit.name || hit.title || "";
export const counted = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
export const answered = status => status ? `answered ${status}` : "cut without an answer";

export function dot(system) {
  const element = make("span", "", "dot");
  let sum = 0;
  for (const character of system) sum = (sum * 31 + character.codePointAt(0)) % 360;
  element.style.setProperty("--hue", sum);
  return element;
}

// Some systems are told no id; they know a visitor by address and browser.
export const visitorOf = hit =>
  hit.client_id || hit.user_id || [hit.address, hit.user_agent].filter(Boolean).join(" · ");
