// The keyboard: single letters only where nothing is being typed and no modifier is held, so that copying stays copying.

import { byId } from "./elements.js";

export function listenToKeys({ table, detail, pages, order, figures, theme }) {
  const commands = {
    "/": () => byId("filter").focus(),
    j: () => table.move(1),
    ArrowDown: () => table.move(1),
    k: () => table.move(-1),
    ArrowUp: () => table.move(-1),
    PageDown: () => table.move(table.pageRows()),
    PageUp: () => table.move(-table.pageRows()),
    Home: () => table.move(-Infinity),
    End: () => table.goTo(table.shown.length - 1),
    "?": () => byId("help").showModal(),
    o: () => order("force_open"),
    c: () => order("force_close"),
    l: () => order("release"),
    r: () => order("reset"),
    e: figures,
    t: theme,
    1: () => pages.go("breakers"),
    2: () => pages.go("events"),
    3: () => pages.go("alerts"),
    4: () => pages.go("relays"),
  };
  const ofTable = new Set(["j", "k", "ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      leave(event, detail);
      return;
    }
    if (event.target.closest("input, textarea, select")) {
      if (event.target.id === "filter" && (event.key === "Enter" || event.key === "ArrowDown")) {
        event.preventDefault();
        table.goTo(0);
      }
      return;
    }
    if (ofTable.has(event.key) && (pages.page !== "breakers" || event.target.closest("#detail"))) return;
    const command = commands[event.key];
    if (!command) return;
    event.preventDefault();
    command();
  });
}

// Esc takes back one thing at a time: what is typed, then the filter, then the breaker that is open.
function leave(event, detail) {
  const filter = byId("filter");
  if (event.target === filter) {
    if (filter.value) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    } else filter.blur();
  } else detail.close();
}
