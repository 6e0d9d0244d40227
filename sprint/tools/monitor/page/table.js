// The table of breakers. Only the rows in sight exist; what didn't change isn't written.

import { sparkline } from "./charts.js";
import { make, say, setAttribute, shapeOf } from "./elements.js";
import { filterOf, needsAnEye, SORTS } from "./order.js";
import { duration, healthOf, kindOf, milliseconds, nameParts, nextOf, percent, secondsSince, whyOf, wordOf } from "./words.js";

const ROWS_BEYOND = 4;
// A row must not slip away from under a pointer that is about to press it, nor from one who steps through the rows.
const ORDER_HELD_MS = 1_200;

export class Table {
  constructor(scroller, body, fleet, { open, seen }) {
    Object.assign(this, { scroller, body, fleet, open, seen });
    this.filter = filterOf("");
    this.sort = "worst";
    this.shown = []; // rows in order
    this.places = new Map(); // key -> index in `shown`
    this.current = null; // key
    this.pool = [];
    this.height = 40;
    this.touchedAt = -Infinity;
    this.sortedVersion = -1;
    scroller.addEventListener("pointermove", () => (this.touchedAt = performance.now()));
    scroller.addEventListener("pointerleave", () => (this.touchedAt = -Infinity));
    body.addEventListener("click", (event) => this.pressed(event));
    body.addEventListener("focusin", (event) => this.focused(event));
  }

  look(filterText, sort) {
    this.filter = filterOf(filterText);
    this.sort = sort;
    this.sortedVersion = -1;
    this.touchedAt = -Infinity;
  }

  measured() {
    this.height = parseFloat(getComputedStyle(this.body).getPropertyValue("--row")) || 40;
  }

  render() {
    this.arrange();
    const focused = this.pool.find((line) => line.root.contains(document.activeElement))?.key;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.height) - ROWS_BEYOND);
    const count = Math.ceil(this.scroller.clientHeight / this.height) + 2 * ROWS_BEYOND;
    const last = Math.min(this.shown.length, first + count);
    while (this.pool.length < count) this.pool.push(this.line());
    const inSight = [];
    for (let index = first; index < last; index += 1) {
      const line = this.pool[index % this.pool.length];
      this.write(line, this.shown[index], index);
      inSight.push(this.shown[index]);
    }
    for (const line of this.pool) if (line.index < first || line.index >= last) this.hide(line);
    if (focused) this.keepFocus(focused);
    this.seen(inSight);
  }

  // Move the current row by so many; returns whether there is one.
  move(by) {
    if (!this.shown.length) return;
    const from = this.places.get(this.current) ?? (by > 0 ? -1 : 0);
    this.goTo(Math.min(this.shown.length - 1, Math.max(0, from + by)));
  }

  goTo(index) {
    const row = this.shown[index];
    if (!row) return;
    this.current = row.key;
    this.touchedAt = performance.now();
    const top = index * this.height;
    const bottom = top + this.height - this.scroller.clientHeight;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (bottom > this.scroller.scrollTop) this.scroller.scrollTop = bottom;
    this.render();
    this.lineOf(row.key)?.name.focus({ preventScroll: true });
  }

  currentRow() {
    return this.fleet.rows.get(this.current);
  }

  pageRows() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
  }

  arrange() {
    const moving = this.touchedAt + ORDER_HELD_MS > performance.now();
    const same = this.shown.every((row) => this.fleet.rows.get(row.key) === row);
    const held = moving && same && this.fleet.rows.size === this.size;
    if (this.sortedVersion === this.fleet.version || held) return;
    this.sortedVersion = this.fleet.version;
    this.size = this.fleet.rows.size;
    this.shown = [...this.fleet.rows.values()].filter(this.filter).sort(SORTS[this.sort]);
    this.places = new Map(this.shown.map((row, index) => [row.key, index]));
    const height = `${this.shown.length * this.height}px`;
    if (this.body.style.height !== height) this.body.style.height = height;
    setAttribute(this.body.parentElement, "aria-rowcount", String(this.shown.length + 1));
  }

  line() {
    const cell = (name, ...inside) => make("div", { role: "cell", class: `cell ${name}` }, ...inside);
    const word = make("span", { class: "word" });
    const name = make("button", { class: "name", type: "button", tabindex: "-1" }, make("span"), make("span"));
    const relay = make("span", { class: "relay" });
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
    const rate = make("span", { class: "figure" });
    const why = make("span", { class: "lines" });
    const [latency, health, since, next] = ["latency", "health", "since", "next"].map((each) => cell(each));
    const trend = cell("trend");
    const state = cell("state", word);
    const label = make("div", { role: "rowheader", class: "cell label" }, name, relay);
    const cells = [state, label, cell("why", why), cell("rate", bar, rate), latency, health, trend, since, next];
    const root = make("div", { role: "row", class: "line", hidden: true }, cells);
    this.body.append(root);
    const line = { root, state, word, name, relay, why, bar: bar.firstChild, rate, latency, health, trend, since, next };
    return Object.assign(line, { key: null, index: -1, drawn: null });
  }

  write(line, row, index) {
    if (line.index !== index) {
      line.index = index;
      line.root.style.transform = `translateY(${index * this.height}px)`;
      setAttribute(line.root, "aria-rowindex", String(index + 2));
      line.root.hidden = false;
    }
    line.key = row.key;
    const now = this.fleet.now();
    const unseen = !this.fleet.isSeen(row);
    this.writeState(line, row, unseen);
    this.writeName(line, row.name);
    const beside = this.fleet.relays.size > 1 || unseen ? row.relay : row.chain ?? row.kind;
    say(line.relay, beside);
    const said = row.name.includes(beside) ? "" : null;
    setAttribute(line.relay, "data-in-name", said);
    setAttribute(line.name, "data-alone", said);
    say(line.why, unseen ? `not seen: its relay is not reached. Last: ${whyOf(row)}` : whyOf(row));
    setAttribute(line.why.parentElement, "title", line.why.textContent);
    say(line.rate, row.calls ? percent(row.failure_rate) : "–");
    const width = `${Math.round(row.failure_rate * 100)}%`;
    if (line.bar.style.width !== width) line.bar.style.width = width;
    say(line.latency, milliseconds(row.latency_ms_mean));
    const health = healthOf(row);
    say(line.health, health === null ? "–" : health.toFixed(2));
    say(line.since, duration(secondsSince(row.since, now)));
    const next = unseen ? "–" : nextOf(row, now);
    say(line.next, next);
    setAttribute(line.next, "data-none", next === "–" ? "" : null);
    this.writeTrend(line, row);
    const current = row.key === this.current;
    setAttribute(line.root, "aria-current", current ? "true" : null);
    setAttribute(line.name, "tabindex", current ? "0" : "-1");
  }

  // The end of a name is what tells it from those beside it, so only its beginning is cut.
  writeName(line, name) {
    if (line.name.textContent === name) return;
    const [beginning, end] = nameParts(name);
    say(line.name.firstChild, beginning);
    say(line.name.lastChild, end);
    setAttribute(line.name, "aria-label", name);
    setAttribute(line.name, "title", name);
  }

  writeState(line, row, unseen) {
    const kind = `line is-${kindOf(row)}${needsAnEye(row) ? " trouble" : ""}${unseen ? " unseen" : ""}`;
    const word = wordOf(kindOf(row)) + (row.shadow ? ", shadow" : "");
    if (line.root.className !== kind) {
      line.root.className = kind;
      line.state.querySelector("svg")?.remove();
      line.state.prepend(shapeOf(row.state, 16, kindOf(row)));
    }
    say(line.word, word);
  }

  writeTrend(line, row) {
    const points = this.fleet.trends.get(row.key) ?? [];
    const drawn = `${row.key} ${points.length} ${points[points.length - 1]?.at}`;
    if (line.drawn === drawn) return;
    line.drawn = drawn;
    line.trend.replaceChildren(...sparkline(points));
  }

  hide(line) {
    if (line.index < 0) return;
    Object.assign(line, { index: -1, key: null });
    line.root.hidden = true;
  }

  lineOf(key) {
    return this.pool.find((line) => line.key === key);
  }

  keepFocus(key) {
    const line = this.lineOf(key);
    if (line && document.activeElement !== line.name) line.name.focus({ preventScroll: true });
    else if (!line) this.scroller.focus({ preventScroll: true });
  }

  pressed(event) {
    const line = this.pool.find((each) => each.root.contains(event.target));
    if (line?.key) this.open(this.fleet.rows.get(line.key));
  }

  focused(event) {
    const line = this.pool.find((each) => each.root.contains(event.target));
    if (line?.key) this.current = line.key;
  }
}
