// The sentence on top: what is wrong, why, since when and what next; the title and icon of the tab say it too.

import { byId, make, say, setAttribute, shapeOf } from "./elements.js";
import { ask, breakerPath } from "./link.js";
import { needsAnEye, rank } from "./order.js";
import { actionsFor } from "./orders.js";
import { dayTime, duration, firstSentence, KINDS, kindOf, nextSentence, refusalOf, secondsSince, UNHEARD, whyOf, wordOf } from "./words.js";

const COLOURS = { open: "#c62828", force_open: "#7c3aed", half_open: "#b26a00", force_close: "#7c3aed", closed: "#1b7f4b" };
const SHOWN_MAX = 3;
const LOST_SHOWN_MAX = 3;
// On a phone the list below must be seen too; how many more there are is said.
const NARROW = matchMedia("(max-width: 640px)");
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
    const lost = this.fleet.lostRelays();
    this.renderCounts(counts);
    this.renderTab(worst, counts, lost);
    this.renderLost(lost);
    this.renderLines(worst);
    setAttribute(byId("headline"), "class", `is-${lost.length ? "open" : worst.length ? kindOf(worst[0]) : "closed"}`);
    say(byId("all-well"), worst.length ? "" : this.wellSentence(lost));
  }

  // A relay that is not heard comes first: nobody knows how its breakers are.
  renderLost(lost) {
    const now = this.fleet.now();
    const again = this.fleet.tape.replay ? "" : " It is tried again within 2 s.";
    const texts = lost.slice(0, NARROW.matches ? 1 : LOST_SHOWN_MAX).map((relay) => {
      const since = `since ${dayTime(relay.since, now)} UTC (${duration(secondsSince(relay.since, now))})`;
      return [`Relay ${relay.name} is not heard ${since}`, `: ${relay.reason || "no reason known"}.${again}`];
    });
    if (lost.length > texts.length) texts.push([`${lost.length - texts.length} more of ${this.fleet.relays.size} relays are not heard`, ""]);
    const list = byId("lost-relays");
    while (list.children.length > texts.length) list.lastChild.remove();
    while (list.children.length < texts.length) {
      list.append(make("li", { class: "is-open" }, shapeOf("unseen", 22, "open"), make("p", { class: "said" }, make("strong"), make("span"))));
    }
    texts.forEach(([what, why], index) => {
      say(list.children[index].querySelector("strong"), what);
      say(list.children[index].querySelector("span"), why);
    });
  }

  wellSentence(lost) {
    const heard = [...this.fleet.rows.values()].filter((row) => this.fleet.isSeen(row)).length;
    if (lost.length) return heard ? `All ${heard} breakers of relays that are heard let calls through.` : "";
    if (heard) return `All ${heard} breakers let calls through.`;
    const waited = [...this.fleet.relays.values()].find((relay) => relay.connection === "connecting");
    return waited ? `Waiting for what relay ${waited.name} says, at ${waited.url}.` : "No breaker is known yet.";
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
    const few = worst.slice(0, NARROW.matches ? 1 : SHOWN_MAX);
    const shown = few.map((row) => `${kindOf(row)} ${refusalOf(this.fleet, row)}`).join(" ");
    const list = byId("worst");
    if (shown !== this.shown || !this.lines.length) {
      this.shown = shown;
      this.lines = few.map((row) => this.line(row));
      list.replaceChildren(...this.lines.map((line) => line.root));
    }
    const now = this.fleet.now();
    for (const [index, line] of this.lines.entries()) {
      const row = worst[index];
      line.row = row;
      say(line.name, this.fleet.nameOf(row));
      for (const button of line.buttons) setAttribute(button, "aria-label", `${button.textContent} ${this.fleet.nameOf(row)}`);
      say(line.what, ` is ${wordOf(kindOf(row))}: ${whyOf(row)}`);
      const since = kindOf(row) === "withheld" ? "Closed since" : "Since";
      say(line.when, `${since} ${dayTime(row.since, now)} UTC (${duration(secondsSince(row.since, now))}). ${this.fleet.isSeen(row) ? nextSentence(row, now) : UNHEARD}`);
      say(line.first, firstSentence(row, this.pastOf(row), now));
    }
    this.forget(worst);
    const more = worst.length - this.lines.length;
    say(byId("more"), more > 0 ? `and ${more} more, in the table below` : "");
  }

  line(row) {
    const name = make("button", { type: "button", class: "name" });
    const what = make("span", { class: "what" });
    const when = make("p", { class: "when" });
    const first = make("p", { class: "when first" });
    const kind = kindOf(row);
    const line = { name, what, when, first, row };
    const offered = refusalOf(this.fleet, row) ? [] : actionsFor(row).map(({ action, label }) =>
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
      list.append(...[...KINDS, "unseen"].map((kind) =>
        make("li", { class: `is-${kind}` }, shapeOf(kind, 14), make("b", {}, "0"), make("span", {}, wordOf(kind)))));
    }
    [...KINDS, "unseen"].forEach((state, index) => {
      const item = list.children[index];
      say(item.querySelector("b"), String(counts[state]));
      setAttribute(item, "data-none", counts[state] ? null : "");
    });
  }

  renderTab(worst, counts, lost) {
    const state = lost.length ? "open" : worst[0]?.state ?? "closed";
    const kind = worst.length ? kindOf(worst[0]) : "closed";
    const said = [
      lost.length ? `${lost.length} relay${lost.length === 1 ? "" : "s"} not heard` : "",
      counts[kind] && worst.length ? `${counts[kind]} ${wordOf(kind)}` : "",
      "cb-monitor",
    ];
    const title = said.filter(Boolean).join(" · ");
    if (document.title !== title) document.title = title;
    if (this.icon === state) return;
    this.icon = state;
    const shape = state === "closed" ? "<circle cx='8' cy='8' r='6' fill='C'/>" : "<circle cx='8' cy='8' r='5.5' fill='none' stroke='C' stroke-width='3'/>";
    const picture = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${shape.replace("C", COLOURS[state])}</svg>`;
    byId("icon").href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
  }
}
