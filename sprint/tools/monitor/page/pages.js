// Which of the pages is shown: the part of the address behind #, so that Back goes back and a page can be linked.

import { byId, setAttribute } from "./elements.js";

const NAMES = ["breakers", "events", "alerts", "relays"];

export class Pages {
  constructor(changed) {
    this.page = "breakers";
    this.changed = changed;
    addEventListener("hashchange", () => this.read());
    this.read(true);
  }

  go(name) {
    if (name !== this.page) location.hash = name;
  }

  read(first = false) {
    const named = location.hash.slice(1);
    this.page = NAMES.includes(named) ? named : "breakers";
    for (const name of NAMES) {
      byId(`page-${name}`).hidden = name !== this.page;
      setAttribute(document.querySelector(`nav a[href="#${name}"]`), "aria-current", name === this.page ? "page" : null);
    }
    if (!first) this.changed();
  }
}
