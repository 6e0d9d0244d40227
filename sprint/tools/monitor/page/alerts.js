// Alerts: those that stand, those that are over, silences, and what an operator says about them.

import { byId, make, say } from "./elements.js";
import { ask } from "./link.js";
import { dayTime, noOrdersSentence } from "./words.js";

const WHO_KEPT_AS = "sprint-operator";
const PAGE_SIZE = 100;
const SHOWN_MAX = 1_000;

export class Alerts {
  constructor(fleet, { open, told }) {
    Object.assign(this, { fleet, open, told });
    this.silences = [];
    this.sinks = undefined; // null where no alerts are raised
    this.older = []; // of the history, beyond what the service tells at first
    this.next = undefined; // asks for what is older; null where there is no more
    this.version = 0;
    this.drawn = null;
    this.doing = null; // what the form does when it is confirmed
    byId("alerts-older").addEventListener("click", () => this.readOlder());
    byId("alert-form").addEventListener("submit", (event) => this.submit(event));
    byId("alert-cancel").addEventListener("click", () => byId("alert").close());
  }

  async read() {
    const answer = await ask("api/alerts").catch(() => null);
    if (!answer) return;
    this.fleet.takeAlerts(answer.alerts);
    this.takeBesides(answer);
    Object.assign(this, { older: [], next: undefined });
    this.version += 1;
  }

  // How sinks do, and what others silence, is told by no message: while it is looked at, it is asked for.
  async look() {
    const answer = await ask("api/alerts").catch(() => null);
    if (answer && this.takeBesides(answer)) this.version += 1;
  }

  // Returns whether anything is other than it was.
  takeBesides({ silences = [], sinks = null }) {
    const before = JSON.stringify([this.silences, this.sinks]);
    Object.assign(this, { silences, sinks });
    return before !== JSON.stringify([silences, sinks]);
  }

  // Made anew only where something is other: a button must not go from under who is about to press it.
  render() {
    const drawn = `${this.version} ${this.fleet.alertsVersion} ${noOrdersSentence(this.fleet)}`;
    if (this.drawn === drawn) return;
    this.drawn = drawn;
    const focused = document.activeElement?.dataset.of;
    const alerts = [...this.fleet.alerts, ...this.older];
    const items = alerts.map((alert) => this.item(alert));
    const { replay } = this.fleet.tape;
    byId("alerts-none").hidden = this.sinks !== null || replay !== null;
    byId("alerts-sinks").replaceChildren(...(replay ? [] : sinksOf(this.sinks)));
    const none = replay ? "No alert so far, in what was recorded." : this.sinks ? "No alert." : "";
    byId("alerts-list").replaceChildren(...(items.length || !none ? items : [make("li", { class: "empty" }, none)]));
    byId("silences-list").replaceChildren(...this.silences.map((silence) => this.silenceItem(silence)));
    byId("silences-title").hidden = !this.silences.length;
    byId("alerts-older").hidden = this.next === null || !this.fleet.alerts.length || alerts.length >= SHOWN_MAX;
    if (focused) document.querySelector(`[data-of="${CSS.escape(focused)}"]`)?.focus();
  }

  async readOlder() {
    const before = this.next ? `&before=${this.next}` : "";
    try {
      const { alerts, next } = await ask(`api/alerts/history?limit=${PAGE_SIZE}${before}`);
      const known = new Set([...this.fleet.alerts, ...this.older].map(nameOf));
      this.older.push(...alerts.filter((alert) => !known.has(nameOf(alert))));
      this.next = next;
    } catch (error) {
      this.told(`What is over can't be read: ${error.message}`, true);
    }
    this.version += 1;
    this.render();
  }

  item(alert) {
    const over = alert.resolved_at ?? null;
    const now = this.fleet.now();
    const named = alert.breaker
      ? make("button", { type: "button", class: "name", onclick: () => this.open(alert.relay, alert.breaker) },
        this.fleet.nameOf({ relay: alert.relay, name: alert.breaker }))
      : null;
    const notes = notesOf(alert, now).map((note) => make("p", { class: "quiet" }, note));
    const button = (word, doing) => make("button", { type: "button", "data-of": `${word} ${nameOf(alert)}`, onclick: doing }, `${word}…`);
    const can = !over && !noOrdersSentence(this.fleet);
    const buttons = [
      can && !alert.acknowledged_at ? button("Acknowledge", () => this.acknowledge(alert)) : null,
      can && !alert.silenced ? button("Silence", () => this.silence(alert)) : null,
    ].filter(Boolean);
    return make("li", { class: `alert level-${alert.level}${over ? " over" : ""}` },
      make("time", { datetime: alert.at, title: alert.at }, dayTime(alert.at, now)),
      make("strong", { class: "level" }, over ? "over" : alert.level),
      make("div", {}, named, make("p", {}, alert.text ?? ""), notes,
        buttons.length ? make("p", { class: "orders" }, buttons) : null));
  }

  silenceItem(silence) {
    const end = make("button", { type: "button", "data-of": `End ${silence.id}`, onclick: () => this.end(silence) }, "End…");
    return make("li", {},
      make("div", {}, make("p", {}, `${meantBy(silence)}: ${silence.why}`),
        make("p", { class: "quiet" }, `by ${silence.by}, until ${dayTime(silence.until, this.fleet.now())} UTC`)),
      noOrdersSentence(this.fleet) ? null : end);
  }

  acknowledge(alert) {
    this.question("Acknowledge", this.about(alert), false, (by) =>
      ask(`api/alerts/${encodeURIComponent(alert.id)}/acknowledge`, { method: "POST", body: { by } }));
  }

  // Of this alert alone: its names stand for themselves, whatever signs of a pattern they hold.
  silence(alert) {
    const named = ["rule", "relay", "breaker"].filter((name) => alert[name]).map((name) => [name, literal(alert[name])]);
    this.question("Silence", this.about(alert), true, (by, lasts, why) =>
      ask("api/silences", { method: "POST", body: { ...Object.fromEntries(named), for: lasts, by, why } }));
  }

  about(alert) {
    return this.fleet.relays.size > 1 ? `${alert.relay}: ${alert.text}` : alert.text;
  }

  end(silence) {
    this.question("End silence", silence.why, false, () =>
      ask(`api/silences/${encodeURIComponent(silence.id)}`, { method: "DELETE" }), false);
  }

  question(word, about, silences, doing, wantsWho = true) {
    Object.assign(this, { doing, word });
    say(byId("alert-title"), `${word}?`);
    say(byId("alert-about"), about);
    say(byId("alert-confirm"), word);
    say(byId("alert-said"), "");
    byId("alert-who").hidden = !wantsWho;
    byId("alert-silence").hidden = !silences;
    byId("alert-by").value = kept();
    byId("alert-why").value = "";
    byId("alert").showModal();
    byId(silences ? "alert-why" : wantsWho ? "alert-by" : "alert-confirm").focus();
  }

  async submit(event) {
    event.preventDefault();
    const by = byId("alert-by").value.trim();
    byId("alert-confirm").disabled = true;
    try {
      await this.doing(by, byId("alert-for").value, byId("alert-why").value.trim());
      keep(by);
      byId("alert").close();
      this.told(`${this.word}: done.`, false);
      await this.read();
      this.render();
    } catch (error) {
      say(byId("alert-said"), `Not done: ${error.message}`);
    } finally {
      byId("alert-confirm").disabled = false;
    }
  }
}

// Where alerts go, and whether they arrive: one that reaches nobody is worse than none.
function sinksOf(sinks) {
  if (sinks && !sinks.length) {
    return [make("li", { class: "failing" }, "Alerts are sent to nobody: give the monitor --webhook URL, or another sink in [monitor.alerts].")];
  }
  return (sinks ?? []).map(({ kind, where, sent, refused, waiting, failure }) => {
    const counts = [`${sent} sent`, waiting ? `${waiting} waiting` : "", refused ? `${refused} refused` : ""].filter(Boolean).join(", ");
    const name = `${kind} at ${where}`;
    const why = failure.startsWith(name) ? failure.slice(name.length).replace(/^[: ]+/, "") : failure;
    return make("li", { class: failure ? "failing" : "quiet" }, `${name}: ${counts}${failure ? `; failing: ${why}` : ""}`);
  });
}

function notesOf(alert, now) {
  const notes = alert.rule ? [`rule ${alert.rule}`] : [];
  if (alert.resolved_at) notes.push(`over since ${dayTime(alert.resolved_at, now)} UTC`);
  if (alert.silenced) notes.push(`silenced until ${dayTime(alert.silenced.until, now)} UTC by ${alert.silenced.by}: ${alert.silenced.why}`);
  if (alert.acknowledged_at) notes.push(`acknowledged by ${alert.acknowledged_by || "?"}`);
  if (alert.escalated_to) notes.push(`gone up to ${alert.escalated_to}: nobody acknowledged it`);
  if (alert.escalates_at && !alert.resolved_at) notes.push(`goes a level up at ${dayTime(alert.escalates_at, now)} UTC unless it is acknowledged`);
  return notes;
}

function nameOf(alert) {
  return `${alert.id} ${alert.at}`;
}

// Whom a silence is for, in words; patterns stay as they are written.
function meantBy({ rule, relay, breaker }) {
  const named = [
    breaker === "*" ? "everything" : breaker,
    relay === "*" ? "of every relay" : `of ${relay}`,
    rule === "*" ? "by every rule" : `by rule ${rule}`,
  ];
  return named.join(" ");
}

function literal(name) {
  return name.replace(/[*?[]/g, "[$&]");
}

function kept() {
  try {
    return localStorage.getItem(WHO_KEPT_AS) ?? "";
  } catch {
    return "";
  }
}

function keep(who) {
  try {
    if (who) localStorage.setItem(WHO_KEPT_AS, who);
  } catch {
    // A browser that keeps nothing asks again.
  }
}
