// The pages beside the table: what happened lately, and relays with their chains and sources.

import { make, shapeOf } from "./elements.js";
import { dayTime, duration, secondsSince, wordOf } from "./words.js";

const SOURCES_SHOWN = 256;
const FIGURES = ["height", "behind_blocks", "lag_ms", "score"]; // of a source's standing
const HEADS = ["Source", "State", "Breaker", "Height", "Behind", "Lag ms", "Score", "Why"];

export function eventsList(past, fleet, open) {
  if (!past.events.length) return [make("li", { class: "empty" }, "No breaker has changed its state, as far back as is known.")];
  return past.events.map((each) =>
    make("li", {},
      make("time", { datetime: each.at, title: each.at }, dayTime(each.at, fleet.now())),
      shapeOf(each.to, 12),
      make("div", {},
        make("button", { type: "button", class: "name", onclick: () => open(each.relay, each.breaker) }, fleet.nameOf({ relay: each.relay, name: each.breaker })),
        make("span", {}, ` ${wordOf(each.from)} → ${wordOf(each.to)}${each.shadow ? " (shadow)" : ""}`),
        make("p", { class: "quiet" }, each.evidence.text))));
}

export function relaysList(fleet) {
  const relays = [...fleet.relays.values()];
  if (!relays.length) return [make("p", { class: "empty" }, "No relay is known yet.")];
  return relays.map((relay) => {
    const health = relay.health ?? {};
    const lost = relay.connection !== "live";
    const said = lost
      ? `Not reached since ${dayTime(relay.since, fleet.now())} UTC (${duration(secondsSince(relay.since, fleet.now()))})${relay.reason ? `: ${relay.reason}` : ""}`
      : `Heard since ${dayTime(relay.since, fleet.now())} UTC; health ${health.status ?? "not told"}${health.version ? `, version ${health.version}` : ""}`;
    return make("section", { class: `relay-card ${lost ? "lost" : ""}` },
      make("h3", {}, relay.name, make("span", { class: `tag ${lost ? "bad" : "good"}` }, relay.connection)),
      make("p", {}, said),
      make("p", { class: "quiet" }, relay.url),
      (health.reasons ?? []).length ? make("ul", { class: "reasons" }, health.reasons.map((each) => make("li", {}, each))) : null,
      chainsOf(health.chains ?? {}, relay.sources ?? {}));
  });
}

function chainsOf(chains, sources) {
  const names = [...new Set([...Object.keys(chains), ...Object.keys(sources)])].sort();
  return names.map((name) => {
    const chain = chains[name] ?? {};
    const ready = chain.sources === undefined ? "" : ` · ${chain.sources_ready} of ${chain.sources} sources ready`;
    const rows = (sources[name] ?? []).slice(0, SOURCES_SHOWN).map(sourceRow);
    const heads = HEADS.map((head) => make("th", { scope: "col" }, head));
    return make("div", { class: "chain" },
      make("h4", {}, `${name}: ${chain.status ?? "unknown"}${ready}`),
      chain.reason ? make("p", { class: "quiet" }, chain.reason) : null,
      rows.length ? sourcesTable(name, heads, rows) : null);
  });
}

// Where it is wider than a phone it is pushed sideways, and by keyboard too.
function sourcesTable(chain, heads, rows) {
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Sources of ${chain}` },
    make("table", { class: "plain" }, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)));
}

function sourceRow(source) {
  const breaker = source.breaker;
  const notes = (source.notes ?? []).map((note) => make("p", { class: "quiet" }, note));
  return make("tr", {},
    make("th", { scope: "row" }, source.name),
    make("td", {}, source.state),
    make("td", {}, breaker ? shapeOf(breaker.state, 12) : null, breaker ? ` ${wordOf(breaker.state)}` : "–"),
    FIGURES.map((name) => make("td", { class: "number" }, figure(source.standing?.[name]))),
    make("td", {}, source.reason || breaker?.reason || "", notes));
}

// One that always wins has no lag behind a winner, and one that has announced nothing no height.
function figure(value) {
  return typeof value === "number" ? value.toLocaleString("en") : "–";
}
