// What a screen reader is told: one sentence at a time, and of many changes at once only how many.

import { needsAnEye } from "./order.js";
import { wordOf } from "./words.js";

const INTERVAL_MS = 2_000;
const TOLD_SINGLY_MAX = 2;

export class Speaker {
  constructor(region, fleet) {
    Object.assign(this, { region, fleet });
    this.waiting = [];
    this.connections = new Map(); // relay -> connection, as it was told of
    this.timer = null;
  }

  say(text) {
    this.waiting.push(text);
    this.timer ??= setTimeout(() => this.speak(), 50);
  }

  transition(transition) {
    if (!transition.shadow) this.say(`${transition.breaker} is ${wordOf(transition.to)}: ${transition.evidence.text}`);
  }

  // A relay that isn't heard any more is news, and so is its return; that one is heard at first is none.
  relays() {
    for (const { name, connection } of this.fleet.relays.values()) {
      const before = this.connections.get(name);
      if (before === connection) continue;
      this.connections.set(name, connection);
      if (connection === "lost") this.say(`Relay ${name} is not heard.`);
      else if (before === "lost") this.say(`Relay ${name} is heard again.`);
    }
  }

  speak() {
    const waiting = this.waiting.splice(0);
    this.timer = null;
    if (!waiting.length) return;
    this.region.textContent = waiting.length <= TOLD_SINGLY_MAX ? waiting.join(" ") : this.summary(waiting.length);
    this.timer = setTimeout(() => this.speak(), INTERVAL_MS);
  }

  summary(changes) {
    const trouble = [...this.fleet.rows.values()].filter(needsAnEye).length;
    return `${changes} changes; not closed now: ${trouble}.`;
  }
}
