// Which breakers are shown and in what order: the filter's words, and the sorts, as the terminal has them.

import { healthOf } from "./words.js";

const FIGURES = {
  fail: (row) => (row.calls ? row.failure_rate * 100 : null),
  slow: (row) => (row.calls ? row.slow_rate * 100 : null),
  lat: (row) => row.latency_ms_mean,
  health: (row) => row.health,
  calls: (row) => row.calls,
  failures: (row) => row.failures,
  transitions: (row) => row.transitions,
};
const TEXTS = {
  relay: (row) => row.relay,
  name: (row) => row.name,
  kind: (row) => row.kind,
  chain: (row) => row.chain ?? "",
  source: (row) => row.source ?? "",
  policy: (row) => row.policy,
  why: whyBoth,
};
const STATES_MEANT = {
  open: (row) => row.state === "open" || row.state === "force_open",
  closed: (row) => row.state === "closed" || row.state === "force_close",
  half_open: (row) => row.state === "half_open",
  half: (row) => row.state === "half_open",
  force_open: (row) => row.state === "force_open",
  force_close: (row) => row.state === "force_close",
  forced: (row) => row.state === "force_open" || row.state === "force_close",
  withheld: (row) => row.withheld !== null,
  shadow: (row) => row.shadow,
  bad: needsAnEye,
};
const RANKS = { open: 0, force_open: 2, half_open: 3, force_close: 6, closed: 8 };
const WITHHELD_RANK = 4;
const SHADOW_RANK = 5; // what only says what it would do shuts nothing out
const FAILING_RANK = 7;
const WORD = /^(\w+)([:<>])(.*)$/;

export const SORTS = {
  worst: (a, b) => rank(a) - rank(b) || newer(a, b) || named(a, b),
  name: named,
  rate: (a, b) => b.failure_rate - a.failure_rate || named(a, b),
  latency: (a, b) => (b.latency_ms_mean ?? -1) - (a.latency_ms_mean ?? -1) || named(a, b),
  health: (a, b) => (healthOf(a) ?? 2) - (healthOf(b) ?? 2) || named(a, b),
  since: (a, b) => compared(b.since, a.since) || named(a, b),
};

// All words must hold: `alice` in name, relay, policy or reason; `state:open`, `chain:…`, `relay:…`; `fail>50`,
// `lat>100`, `health<0.8`; a minus before any of them turns it round. An error says which word can't be.
export function filterOf(text) {
  const tests = text.split(/\s+/).filter(Boolean).map(testOf);
  return (row) => tests.every((test) => test(row));
}

export function rank(row) {
  if (row.state === "closed") {
    if (row.withheld !== null) return WITHHELD_RANK;
    return row.failures ? FAILING_RANK : RANKS.closed;
  }
  if (row.shadow && (row.state === "open" || row.state === "half_open")) return SHADOW_RANK;
  return RANKS[row.state];
}

// Whether it is other than it should be: neither closed, nor closed by an operator's word.
export function needsAnEye(row) {
  return rank(row) <= SHADOW_RANK;
}

function testOf(word) {
  if (word.length > 1 && word.startsWith("-")) {
    const inner = testOf(word.slice(1));
    return (row) => !inner(row);
  }
  const [, name, sign, value] = WORD.exec(word) ?? [];
  if (sign === ":" && name === "state") return stateTest(value);
  // `source:litecoin:alice` is a field with a value, and how that breaker is called.
  if (sign === ":" && TEXTS[name]) return (row) => holds(TEXTS[name](row), value) || holds(row.name, word);
  if (sign !== ":" && FIGURES[name]) return figureTest(name, sign, value);
  return (row) => [row.name, row.relay, whyBoth(row), row.policy].some((each) => holds(each, word));
}

// What would open one that is held closed is a reason too.
function whyBoth(row) {
  return row.withheld ? `${row.reason} ${row.withheld}` : row.reason;
}

function stateTest(value) {
  const test = STATES_MEANT[value.toLowerCase()];
  if (!test) throw new Error(`state:${value}: want one of ${Object.keys(STATES_MEANT).join(", ")}`);
  return test;
}

function figureTest(name, sign, value) {
  const limit = Number(value);
  if (value === "" || Number.isNaN(limit)) throw new Error(`${name}${sign}${value}: want a number behind ${sign}`);
  return (row) => {
    const figure = FIGURES[name](row);
    return figure !== null && (sign === ">" ? figure > limit : figure < limit);
  };
}

function holds(text, wanted) {
  return text.toLowerCase().includes(wanted.toLowerCase());
}

// Rows of closed breakers keep their places by name: they have been so for longer than anybody looks.
function newer(a, b) {
  return a.state === "closed" ? 0 : compared(b.since, a.since);
}

function named(a, b) {
  return compared(a.name, b.name) || compared(a.relay, b.relay);
}

function compared(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
