// The sentence on top: what is wrong, why, since when and what next; the title and icon of the tab say it too.

import { byId, make, say, setAttribute, shapeOf } from "./elements.js";
import { needsAnEye, rank, toneOf } from "./order.js";
import { clockTime, duration, nextSentence, secondsSince, STATES, subject, wordOf } from "./words.js";

const COLOURS = { open: "#c62828", force_open: "#7c3aed", half_open: "#b26a00", force_close: "#7c3aed", closed: "#1b7f4b" };
const SHOWN_MAX = 3;

export class Headline {
  constructor(fleet, open) {
    Object.assign(this, { fleet, open });
    this.lines = [];
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
    const keys = worst.slice(0, SHOWN_MAX).map((row) => `${row.key} ${toneOf(row)}`).join("\n");
    const shown = `${keys}\n${worst.length > SHOWN_MAX}`;
    const list = byId("worst");
    if (shown !== this.shown || !this.lines.length) {
      this.shown = shown;
      this.lines = worst.slice(0, SHOWN_MAX).map((row) => this.line(row));
      list.replaceChildren(...this.lines.map((line) => line.root));
      setAttribute(byId("headline"), "class", `is-${worst.length ? toneOf(worst[0]) : "closed"}`);
    }
    const many = this.fleet.relays.size > 1;
    const now = this.fleet.now();
    for (const [index, line] of this.lines.entries()) {
      const row = worst[index];
      line.row = row;
      say(line.name, subject(row, many));
      say(line.what, ` is ${toneOf(row) === "withheld" ? "held closed" : wordOf(row.state)}: ${row.reason}`);
      say(line.when, `Since ${clockTime(row.since)} UTC (${duration(secondsSince(row.since, now))}). ${nextSentence(row, now)}`);
    }
    const more = worst.length - this.lines.length;
    say(byId("more"), more > 0 ? `and ${more} more, in the table below` : "");
    const none = this.fleet.rows.size ? `All ${this.fleet.rows.size} breakers let calls through.` : "No breaker is known yet.";
    say(byId("all-well"), worst.length ? "" : none);
  }

  line(row) {
    const name = make("button", { type: "button", class: "name" });
    const what = make("span", { class: "what" });
    const when = make("p", { class: "when" });
    const root = make("li", { class: `is-${toneOf(row)}` }, shapeOf(row.state, 22, toneOf(row)), make("div", {}, make("p", {}, name, what), when));
    const line = { root, name, what, when, row };
    name.addEventListener("click", () => this.open(line.row));
    return line;
  }

  renderCounts(counts) {
    const list = byId("counts");
    if (!list.children.length) {
      list.append(...STATES.map((state) => make("li", { class: `is-${state}` }, shapeOf(state, 14), make("b", {}, "0"), make("span", {}, wordOf(state)))));
    }
    STATES.forEach((state, index) => {
      const item = list.children[index];
      say(item.querySelector("b"), String(counts[state]));
      setAttribute(item, "data-none", counts[state] ? null : "");
    });
  }

  renderTab(worst, counts) {
    const state = worst[0]?.state ?? "closed";
    const said = state === "closed" ? `${worst.length} held closed` : `${counts[state]} ${wordOf(state)}`;
    const title = worst.length ? `${said} · cb-monitor` : "cb-monitor";
    if (document.title !== title) document.title = title;
    if (this.icon === state) return;
    this.icon = state;
    const shape = state === "closed" ? "<circle cx='8' cy='8' r='6' fill='C'/>" : "<circle cx='8' cy='8' r='5.5' fill='none' stroke='C' stroke-width='3'/>";
    const picture = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${shape.replace("C", COLOURS[state])}</svg>`;
    byId("icon").href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
  }
}
