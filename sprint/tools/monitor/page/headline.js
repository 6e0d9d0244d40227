// The sentence on top: what is wrong, why, since when and what next; the title and icon of the tab say it too.

import { byId, make, say, setAttribute, shapeOf } from "./elements.js";
import { ask, breakerPath } from "./link.js";
import { needsAnEye, rank } from "./order.js";
import { actionsFor } from "./orders.js";
import { clockTime, duration, firstSentence, KINDS, kindOf, nextSentence, secondsSince, subject, whyOf, wordOf } from "./words.js";

const COLOURS = { open: "#c62828", force_open: "#7c3aed", half_open: "#b26a00", force_close: "#7c3aed", closed: "#1b7f4b" };
const SHOWN_MAX = 3;
const PAST_ASKED_MS = 250;

export class Headline {
  constructor(fleet, { open, order }) {
    Object.assign(this, { fleet, open, order });
    this.lines = [];
    this.pasts = new Map(); // of those that are shown: key -> {since, transitions}
    this.askedAt = -Infinity;
    this.icon = null;
    this.shown = "";
  }

  render() {
    const worst = this.worst();
    const counts = this.fleet.counts();
    this.renderCounts(counts);
    this.renderTab(worst, counts);
    this.renderLines(worst);
  }

  // The worst few, in one pass: this runs for every frame that shows something new.
  worst() {
    const found = [];
    for (const row of this.fleet.rows.values()) if (needsAnEye(row)) found.push(row);
    found.sort((a, b) => rank(a) - rank(b) || (a.since < b.since ? 1 : -1));
    return found;
  }

  renderLines(worst) {
    // Lines are made anew only where their shapes or buttons differ: where many change, other breakers stand there each frame.
    const shown = `${worst.slice(0, SHOWN_MAX).map(kindOf).join(" ")} ${this.fleet.readOnly}`;
    const list = byId("worst");
    if (shown !== this.shown || !this.lines.length) {
      this.shown = shown;
      this.lines = worst.slice(0, SHOWN_MAX).map((row) => this.line(row));
      list.replaceChildren(...this.lines.map((line) => line.root));
      setAttribute(byId("headline"), "class", `is-${worst.length ? kindOf(worst[0]) : "closed"}`);
    }
    const many = this.fleet.relays.size > 1;
    const now = this.fleet.now();
    for (const [index, line] of this.lines.entries()) {
      const row = worst[index];
      line.row = row;
      say(line.name, subject(row, many));
      for (const button of line.buttons) setAttribute(button, "aria-label", `${button.textContent} ${row.name}`);
      say(line.what, ` is ${wordOf(kindOf(row))}: ${whyOf(row)}`);
      const since = kindOf(row) === "withheld" ? "Closed since" : "Since";
      say(line.when, `${since} ${clockTime(row.since)} UTC (${duration(secondsSince(row.since, now))}). ${nextSentence(row, now)}`);
      say(line.first, firstSentence(row, this.pastOf(row), now));
    }
    this.forget(worst);
    const more = worst.length - this.lines.length;
    say(byId("more"), more > 0 ? `and ${more} more, in the table below` : "");
    const none = this.fleet.rows.size ? `All ${this.fleet.rows.size} breakers let calls through.` : "No breaker is known yet.";
    say(byId("all-well"), worst.length ? "" : none);
  }

  line(row) {
    const name = make("button", { type: "button", class: "name" });
    const what = make("span", { class: "what" });
    const when = make("p", { class: "when" });
    const first = make("p", { class: "when first" });
    const kind = kindOf(row);
    const line = { name, what, when, first, row };
    const offered = this.fleet.readOnly ? [] : actionsFor(row).map(({ action, label }) =>
      make("button", { type: "button", onclick: () => this.order(line.row, action) }, label));
    line.buttons = [...offered, make("button", { type: "button", onclick: () => this.open(line.row) }, "Detail")];
    line.root = make("li", { class: `is-${kind}` }, shapeOf(row.state, 22, kind),
      make("div", { class: "said" }, make("p", {}, name, what), when, first), make("div", { class: "orders" }, line.buttons));
    name.addEventListener("click", () => this.open(line.row));
    return line;
  }

  // What happened to a breaker before is asked for with each change of its state; where many change, of some.
  pastOf(row) {
    const known = this.pasts.get(row.key);
    const early = performance.now() - this.askedAt < PAST_ASKED_MS;
    if (known?.since === row.since || early || (row.state !== "open" && row.state !== "half_open")) return known?.transitions ?? [];
    this.askedAt = performance.now();
    const past = { since: row.since, transitions: known?.transitions ?? [] };
    this.pasts.set(row.key, past);
    ask(breakerPath(row, "/history")).then(({ transitions }) => (past.transitions = transitions), () => undefined);
    return past.transitions;
  }

  forget(worst) {
    const shown = new Set(worst.slice(0, SHOWN_MAX).map((row) => row.key));
    for (const key of this.pasts.keys()) if (!shown.has(key)) this.pasts.delete(key);
  }

  renderCounts(counts) {
    const list = byId("counts");
    if (!list.children.length) {
      list.append(...KINDS.map((kind) => make("li", { class: `is-${kind}` }, shapeOf(kind, 14), make("b", {}, "0"), make("span", {}, wordOf(kind)))));
    }
    KINDS.forEach((state, index) => {
      const item = list.children[index];
      say(item.querySelector("b"), String(counts[state]));
      setAttribute(item, "data-none", counts[state] ? null : "");
    });
  }

  renderTab(worst, counts) {
    const state = worst[0]?.state ?? "closed";
    const kind = worst.length ? kindOf(worst[0]) : "closed";
    const said = `${counts[kind]} ${wordOf(kind)}`;
    const title = worst.length ? `${said} · cb-monitor` : "cb-monitor";
    if (document.title !== title) document.title = title;
    if (this.icon === state) return;
    this.icon = state;
    const shape = state === "closed" ? "<circle cx='8' cy='8' r='6' fill='C'/>" : "<circle cx='8' cy='8' r='5.5' fill='none' stroke='C' stroke-width='3'/>";
    const picture = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${shape.replace("C", COLOURS[state])}</svg>`;
    byId("icon").href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
  }
}
