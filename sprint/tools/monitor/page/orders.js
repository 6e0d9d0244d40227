// Orders to a breaker: what each does, said before it is given; a reason; and what came of it.

import { byId, say, setAttribute } from "./elements.js";
import { ask, breakerPath } from "./link.js";
import { kindOf, whyOf, wordOf } from "./words.js";

const ACTIONS = {
  force_open: {
    label: "Force open…",
    danger: true,
    title: "Force open",
    effect: "No call is let through any more. A source's connection is closed and it isn't tried, be it the last of its chain, until it is released or reset, or its relay is restarted.",
  },
  force_close: {
    label: "Force closed…",
    danger: true,
    title: "Force closed",
    effect: "Every call is let through, whatever fails, until it is released or reset, or its relay is restarted.",
  },
  release: {
    label: "Release…",
    title: "Release",
    effect: "It decides by itself again: from forced open with a trial at the next call, from forced closed with what was counted.",
  },
  reset: {
    label: "Reset…",
    title: "Reset",
    effect: "It is closed at once, with fresh statistics and the shortest delay.",
  },
};
const STORE_EFFECT = " The store's breaker guards the relay's log: held open, nothing is logged and nothing delivered.";

export function actionsFor(row) {
  const forced = row.state === "force_open" || row.state === "force_close";
  const names = ["force_open", "force_close", ...(forced ? ["release"] : []), "reset"].filter((name) => name !== row.state);
  return names.map((action) => ({ action, ...ACTIONS[action] }));
}

export class Orders {
  constructor(fleet, told) {
    Object.assign(this, { fleet, told }); // told(text, failed)
    this.dialog = byId("order");
    this.row = null;
    this.action = null;
    byId("order-form").addEventListener("submit", (event) => this.submit(event));
    byId("order-cancel").addEventListener("click", () => this.dialog.close());
  }

  ask(row, action) {
    const { title, effect, danger } = ACTIONS[action];
    Object.assign(this, { row, action });
    say(byId("order-title"), `${title}: ${this.fleet.nameOf(row)}`);
    say(byId("order-effect"), effect + (action === "force_open" && row.kind === "store" ? STORE_EFFECT : ""));
    say(byId("order-confirm"), title);
    setAttribute(byId("order-confirm"), "class", danger ? "danger" : "primary");
    say(byId("order-said"), "");
    byId("order-reason").value = "";
    this.renderState(row);
    this.dialog.showModal();
    byId("order-reason").focus();
  }

  // A breaker goes on while somebody thinks about it.
  render() {
    if (this.dialog.open) this.renderState(this.fleet.rows.get(this.row.key));
  }

  renderState(row) {
    say(byId("order-state"), row ? `It is ${wordOf(kindOf(row))} now: ${whyOf(row)}` : "It is no longer there.");
  }

  async submit(event) {
    event.preventDefault();
    const { row, action } = this;
    const reason = byId("order-reason").value.trim();
    const body = reason ? { action, reason } : { action };
    byId("order-confirm").disabled = true;
    say(byId("order-said"), "Asking the relay …");
    try {
      const { changed } = await ask(breakerPath(row, "/state"), { method: "POST", body });
      this.dialog.close();
      this.told(`${ACTIONS[action].title}: ${this.fleet.nameOf(row)}${changed ? "" : ", which was so already"}.`, false);
    } catch (error) {
      say(byId("order-said"), `Not done: ${error.message}`);
    } finally {
      byId("order-confirm").disabled = false;
    }
  }
}
