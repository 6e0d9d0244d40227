// What is known of the breakers: the messages of /ws laid over each other, bounded, and nothing drawn here.

import { KINDS, kindOf, subject } from "./words.js";

const POINTS_MAX = 720;
const ALERTS_MAX = 500;
const BETWEEN = "\u001f"; // in no name

export function keyOf(relay, name) {
  return relay + BETWEEN + name;
}

export class Fleet {
  constructor() {
    this.rows = new Map(); // key -> row, with its relay and key
    this.relays = new Map(); // name -> relay
    this.alerts = []; // those that stand first, of each the newest first
    this.alertsVersion = 0;
    this.last = null; // the transition that was told last
    this.trends = new Map(); // key -> points, oldest first
    this.demo = false;
    this.readOnly = false;
    this.tape = { recording: null, replay: null };
    this.anchorMs = Date.now(); // the service's clock when it told something, and this one then
    this.anchoredAt = Date.now();
    this.seq = null;
    this.told = null; // when it was last told anything, by the service's clock
    this.version = 0;
  }

  now() {
    return this.anchorMs + (Date.now() - this.anchoredAt) * this.rate;
  }

  // A recording has its own time.
  get rate() {
    const { replay } = this.tape;
    if (!replay) return 1;
    return replay.paused || replay.ended ? 0 : replay.speed;
  }

  // Take a message in. False where one before it is missing: connect again for a new snapshot.
  take(message) {
    const whole = message.type === "snapshot";
    if (!whole && this.seq !== null && message.seq !== undefined && message.seq !== this.seq + 1) return false;
    if (message.seq !== undefined) this.seq = message.seq;
    if (message.at) {
      this.told = message.at;
      this.anchorMs = Date.parse(message.at);
      this.anchoredAt = Date.now();
    }
    this[`on_${message.type}`]?.(message);
    this.version += 1;
    return true;
  }

  // How a breaker is called: with its relay where there are several.
  nameOf(row) {
    return subject(row, this.relays.size > 1);
  }

  counts() {
    const counts = Object.fromEntries([...KINDS, "unseen"].map((kind) => [kind, 0]));
    for (const row of this.rows.values()) counts[this.isSeen(row) ? kindOf(row) : "unseen"] += 1;
    return counts;
  }

  // Those that are not reached: what is shown of them is what they said last.
  lostRelays() {
    return [...this.relays.values()].filter((relay) => relay.connection === "lost");
  }

  relayOf(row) {
    return this.relays.get(row.relay);
  }

  isSeen(row) {
    const relay = this.relayOf(row);
    return !relay || relay.connection === "live";
  }

  // A snapshot comes in parts; the first voids what was known.
  on_snapshot(message) {
    if (message.part === 1) {
      this.rows.clear();
      if (this.tape.replay) this.trends.clear(); // it may be an earlier place of the recording
      this.tape = { recording: null, replay: null };
      this.takeRelays(message.relays);
      this.demo = message.demo;
      this.readOnly = message.read_only;
    }
    for (const fields of message.breakers) this.lay(fields);
    if (message.part < message.parts) return;
    for (const key of this.trends.keys()) if (!this.rows.has(key)) this.trends.delete(key);
  }

  on_delta(message) {
    for (const relay of message.relays) this.relays.set(relay.name, relay);
    for (const fields of message.changed) this.lay(fields);
    for (const gone of message.removed) {
      const key = keyOf(gone.relay, gone.name);
      this.rows.delete(key);
      this.trends.delete(key);
    }
  }

  on_transition(message) {
    const transition = { relay: message.relay, ...message.transition };
    this.last = transition;
    // The row follows with the next delta; its state must not wait for that.
    const row = this.rows.get(keyOf(transition.relay, transition.breaker));
    if (row && !transition.shadow) {
      const told = { state: transition.to, since: transition.at, reason: transition.evidence.text };
      Object.assign(row, told, { evidence: transition.evidence, next_trial_at: null });
    }
  }

  on_metrics(message) {
    for (const [name, point] of Object.entries(message.points)) {
      const key = keyOf(message.relay, name);
      const points = this.trends.get(key);
      if (points) addPoint(points, point);
      else if (this.rows.has(key)) this.trends.set(key, [point]);
    }
  }

  on_tape(message) {
    this.tape = message;
  }

  on_alert(message) {
    const alert = message.alert;
    this.alerts = [alert, ...this.alerts.filter((each) => each.id === undefined || each.id !== alert.id)];
    this.alerts.sort(byWhatStands);
    this.alerts.length = Math.min(this.alerts.length, ALERTS_MAX);
    this.alertsVersion += 1;
  }

  // Put what was asked for before the points that came meanwhile.
  takePoints(key, points) {
    const known = this.trends.get(key) ?? [];
    const last = points.length ? points[points.length - 1].at : "";
    this.trends.set(key, [...points, ...known.filter((point) => point.at > last)].slice(-POINTS_MAX));
    this.version += 1;
  }

  takeAlerts(alerts) {
    this.alerts = alerts;
    this.alertsVersion += 1;
  }

  takeRelays(relays) {
    this.relays = new Map(relays.map((relay) => [relay.name, relay]));
  }

  lay(fields) {
    const key = keyOf(fields.relay, fields.name);
    const row = this.rows.get(key);
    if (row) Object.assign(row, fields);
    else this.rows.set(key, { ...fields, key });
  }
}

// Those that stand before those that are over, of each the newest first, as the service's own list is.
function byWhatStands(one, other) {
  const over = Number(Boolean(one.resolved_at)) - Number(Boolean(other.resolved_at));
  return over || Date.parse(other.at) - Date.parse(one.at);
}

function addPoint(points, point) {
  if (points.length && points[points.length - 1].at >= point.at) return;
  points.push(point);
  if (points.length > POINTS_MAX) points.splice(0, points.length - POINTS_MAX);
}
