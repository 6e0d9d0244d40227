// One breaker: why it is in its state, since when, what next; figures over time, evidence, policy, transitions, orders.

import { chart, FIGURES, stateBand } from "./charts.js";
import { byId, make, say, setAttribute, shapeOf } from "./elements.js";
import { evidenceOf, windowParts } from "./evidence.js";
import { ask, breakerPath } from "./link.js";
import { actionsFor } from "./orders.js";
import { dayTime, duration, firstSentence, kindOf, nextSentence, refusalOf, secondsSince, UNHEARD, whyOf, wordOf } from "./words.js";

// The charts reach back as far as anything is known, within these.
const SPAN_MS_MIN = 2 * 60_000;
const SPAN_MS_MAX = 60 * 60_000;
const CHART_WIDTH_MIN = 280;
// The state that the first known transition came from held for some time before it.
const BEFORE_FIRST_MS = 10_000;
const ASKED_AGAIN_MS = 2_000;
const CHARTS_AGAIN_MS = 1_000;
const TRANSITIONS_PAGE = 50;
const GONE = "gone";

export class Detail {
  constructor(fleet, { order, figures, closed }) {
    Object.assign(this, { fleet, order, figures, closed });
    this.key = null;
    this.root = byId("detail");
    this.transitions = [];
    this.asking = false;
    this.askedAt = -Infinity;
    this.drawnAt = -Infinity;
    this.shownState = null;
    byId("detail-close").addEventListener("click", () => this.close());
    byId("transitions-older").addEventListener("click", () => {
      this.transitionsShown += TRANSITIONS_PAGE;
      this.renderTransitions();
    });
  }

  show(row) {
    if (this.key === row.key) return;
    Object.assign(this, { key: row.key, transitions: [], transitionsShown: TRANSITIONS_PAGE, shownState: null, askedAt: -Infinity, drawnAt: -Infinity });
    this.root.hidden = false;
    document.body.classList.add("with-detail");
    for (const id of ["detail-charts", "detail-evidence", "detail-policy", "detail-transitions", "detail-window"]) byId(id).replaceChildren();
    this.read(row);
    this.render();
    byId("detail-name").focus({ preventScroll: true });
  }

  close() {
    if (this.key === null) return;
    const key = this.key;
    this.key = null;
    this.root.hidden = true;
    document.body.classList.remove("with-detail");
    this.closed(key);
  }

  render() {
    const row = this.fleet.rows.get(this.key);
    if (this.key === null) return;
    if (!row) {
      this.renderGone();
      return;
    }
    const now = this.fleet.now();
    say(byId("detail-name"), row.name);
    say(byId("detail-relay"), `relay ${row.relay} · policy ${row.policy}`);
    say(byId("detail-why"), whyOf(row));
    say(byId("detail-since"), `since ${dayTime(row.since, now)} UTC, ${duration(secondsSince(row.since, now))}`);
    say(byId("detail-first"), firstSentence(row, this.transitions, now));
    say(byId("detail-next"), this.fleet.isSeen(row) ? nextSentence(row, now) : UNHEARD);
    this.renderState(row);
    const clock = performance.now();
    if (clock - this.drawnAt > CHARTS_AGAIN_MS) {
      this.drawnAt = clock;
      this.renderCharts(row, now);
    }
    if (clock - this.askedAt > ASKED_AGAIN_MS) this.askMore(row);
  }

  // What the relay says may be other than it was: ask with the next frame.
  askAgain() {
    this.askedAt = -Infinity;
  }

  // All may be other than it was: the connection was lost, or a recording is at another place.
  readAgain() {
    const row = this.fleet.rows.get(this.key);
    this.drawnAt = -Infinity;
    if (row) this.read(row);
  }

  // A transition was told: what it changes is asked for at once.
  happened(transition, key) {
    if (key !== this.key) return;
    this.transitions = [...this.transitions, transition].slice(-256);
    this.drawnAt = this.askedAt = -Infinity;
    this.renderTransitions();
  }

  renderState(row) {
    const kind = kindOf(row);
    const refused = refusalOf(this.fleet, row);
    const shown = `${kind} ${refused}`;
    if (shown === this.shownState) return;
    this.shownState = shown;
    byId("detail-state").replaceChildren(shapeOf(row.state, 22, kind), make("span", {}, wordOf(kind)));
    setAttribute(byId("detail-head"), "class", `is-${kind}`);
    const buttons = actionsFor(row).map(({ action, label, danger }) =>
      make("button", { type: "button", class: danger ? "danger" : null, "data-action": action, onclick: () => this.order(this.fleet.rows.get(this.key), action) }, label));
    const change = make("button", { type: "button", onclick: () => this.figures(this.fleet.rows.get(this.key)) }, "Change figures…");
    byId("detail-orders").replaceChildren(...(refused ? [make("p", { class: "quiet" }, refused)] : [...buttons, change]));
  }

  // Its relay has it no longer: what was known stays to be read, and there is nobody to be told anything.
  renderGone() {
    if (this.shownState === GONE) return;
    this.shownState = GONE;
    say(byId("detail-next"), "This breaker is no longer there.");
    setAttribute(byId("detail-head"), "class", null);
    byId("detail-state").replaceChildren(make("span", {}, GONE));
    byId("detail-orders").replaceChildren();
  }

  renderCharts(row, now) {
    const known = this.fleet.trends.get(row.key) ?? [];
    const first = Math.min(...[known[0], { at: row.since }].filter(Boolean).map((each) => Date.parse(each.at)),
      ...this.transitions.slice(0, 1).map((each) => Date.parse(each.at) - BEFORE_FIRST_MS));
    const from = Math.min(now - SPAN_MS_MIN, Math.max(now - SPAN_MS_MAX, first));
    const points = known.filter((point) => Date.parse(point.at) >= from);
    const place = byId("detail-charts");
    const frame = { from, known: first, to: now, width: Math.max(CHART_WIDTH_MIN, place.clientWidth) };
    const figures = FIGURES.map((figure) => chart(figure, points, frame));
    place.replaceChildren(stateBand(this.transitions, row.state, frame), ...figures);
  }

  async read(row) {
    try {
      const [{ points }, { transitions }] = await Promise.all([
        ask(breakerPath(row, "/metrics")),
        ask(breakerPath(row, "/history")),
      ]);
      if (row.key !== this.key) return;
      this.fleet.takePoints(row.key, points);
      this.transitions = transitions;
      this.drawnAt = -Infinity;
      this.renderTransitions();
    } catch (error) {
      this.say(error.message);
    }
  }

  async askMore(row) {
    if (this.asking || document.hidden) return;
    this.asking = true;
    this.askedAt = performance.now();
    try {
      const { explanation, config, laid_over, unheard } = await ask(breakerPath(row));
      if (row.key !== this.key) return;
      if (unheard) this.say(`What its relay sees is not known: ${unheard}`);
      else this.renderMore(explanation, config, laid_over);
    } catch (error) {
      if (row.key === this.key) this.say(error.message);
    } finally {
      this.asking = false;
    }
  }

  renderMore(explanation, config, laidOver) {
    this.say("");
    byId("detail-evidence").replaceChildren(...evidenceOf(explanation, config).map(evidenceRow));
    byId("detail-window").replaceChildren(windowBar(windowParts(explanation.statistics)));
    const figures = Object.entries(config).flatMap(([name, value]) => policyRows(name, value));
    const laid = laidOver ? `Laid over since ${dayTime(laidOver.at, this.fleet.now())} UTC: ${JSON.stringify(laidOver.fields)}` : "As the config has it.";
    byId("detail-policy").replaceChildren(make("p", { class: "quiet" }, laid), make("dl", {}, ...figures));
  }

  renderTransitions() {
    byId("transitions-older").hidden = this.transitions.length <= this.transitionsShown;
    const rows = [...this.transitions].reverse().slice(0, this.transitionsShown).map((each) =>
      make("li", {}, make("time", { datetime: each.at, title: each.at }, dayTime(each.at, this.fleet.now())), shapeOf(each.to, 12),
        make("span", {}, `${wordOf(each.to)}${each.shadow ? " (shadow)" : ""}: ${each.evidence.text}`)));
    byId("detail-transitions").replaceChildren(...(rows.length ? rows : [make("li", { class: "empty" }, "None so far.")]));
  }

  say(text) {
    say(byId("detail-said"), text);
  }
}

function evidenceRow({ id, name, now, limit, share, decided }) {
  const reached = share === null ? null : Math.min(100, Math.round(share * 100));
  const meter = reached === null ? null
    : make("meter", { min: 0, max: 100, value: reached, high: 80, low: 50, optimum: 0, "aria-label": `${name}: ${reached} % of its limit` });
  const mark = decided ? make("strong", { class: "decided" }, "decided") : null;
  return make("tr", { class: decided ? "decided-row" : null, "data-algorithm": id },
    make("th", { scope: "row" }, name, mark), make("td", {}, now, meter), make("td", {}, limit));
}

function windowBar(parts) {
  const most = parts.reduce((sum, part) => sum + part.count, 0);
  const bar = make("div", { class: "window-bar", "aria-hidden": "true" });
  for (const part of parts) {
    const piece = make("span", { class: `part-${part.id}` });
    piece.style.flexGrow = String(most ? part.count : 0);
    bar.append(piece);
  }
  const legend = parts.map((part) => make("span", { class: `key part-${part.id}` }, `${part.count} ${part.label}`));
  return make("div", {}, bar, make("p", { class: "legend-line" }, ...legend));
}

function policyRows(name, value) {
  if (value !== null && typeof value === "object") {
    return Object.entries(value).flatMap(([inner, each]) => policyRows(`${name}.${inner}`, each));
  }
  return [make("div", {}, make("dt", {}, name), make("dd", {}, value === null ? "none" : String(value)))];
}
