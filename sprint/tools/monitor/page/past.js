// What happened: what was told since the page was opened, and before that what the service knows, page by page.

import { ask } from "./link.js";

const PAGE_SIZE = 100;
const AGAIN_MS = 2_000; // after a failure
const EVENTS_MAX = 1_000; // as many as the service keeps

export class Past {
  constructor(changed) {
    this.changed = changed;
    this.events = []; // newest first
    this.next = null; // asks for what is older; null where there is no more
    this.version = 0;
    this.asking = false;
    this.read = false;
    this.mayAskAt = 0;
  }

  // A transition was told. What comes late, after a connection was lost, stands where it belongs.
  add(event) {
    const at = this.events.findIndex((each) => each.at < event.at || (each.at === event.at && each.number <= event.number));
    if (this.events.slice(Math.max(0, at), at + 8).some((each) => isSame(each, event))) return;
    this.events.splice(at < 0 ? this.events.length : at, 0, event);
    this.events.length = Math.min(this.events.length, EVENTS_MAX);
    this.version += 1;
  }

  // After a new connection all is read anew when it is looked at: something may have been missed.
  forget() {
    this.events = [];
    this.version += 1;
    this.read = false;
    this.mayAskAt = 0;
  }

  look() {
    if (!this.read && performance.now() >= this.mayAskAt) this.ask("");
  }

  older() {
    if (this.next !== null) this.ask(this.next);
  }

  get hasOlder() {
    return this.next !== null && this.events.length < EVENTS_MAX;
  }

  async ask(before) {
    if (this.asking) return;
    this.asking = true;
    const query = before ? `&before=${encodeURIComponent(before)}` : "";
    try {
      const { events, next } = await ask(`api/events?limit=${PAGE_SIZE}${query}`);
      if (!before) {
        const oldest = events[events.length - 1];
        this.events = oldest ? this.events.filter((each) => each.at >= oldest.at) : [];
        this.read = true;
      }
      for (const event of events) this.add(event);
      this.next = next;
    } catch {
      // The page says that the monitor doesn't answer; it is asked again with a later look.
      this.mayAskAt = performance.now() + AGAIN_MS;
    } finally {
      this.asking = false;
      this.version += 1;
      this.changed();
    }
  }
}

function isSame(one, other) {
  return one.at === other.at && one.number === other.number && one.relay === other.relay;
}
