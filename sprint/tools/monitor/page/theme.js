// Light or dark: as the system has it, until somebody chooses here.

import { say, setAttribute } from "./elements.js";

const KEPT_AS = "sprint-theme";
const CHOICES = ["system", "light", "dark"];

export class Theme {
  constructor(button) {
    this.button = button;
    this.choice = this.kept();
    button.addEventListener("click", () => this.turn());
    this.apply();
  }

  turn() {
    this.choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEPT_AS, this.choice);
    } catch {
      // A browser that keeps nothing shows it for this time.
    }
    this.apply();
  }

  kept() {
    try {
      const kept = localStorage.getItem(KEPT_AS);
      return CHOICES.includes(kept) ? kept : "system";
    } catch {
      return "system";
    }
  }

  apply() {
    setAttribute(document.documentElement, "data-theme", this.choice === "system" ? null : this.choice);
    say(this.button, `theme: ${this.choice}`);
  }
}
