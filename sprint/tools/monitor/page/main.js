// The page of cb-monitor: what the service tells is taken in as it comes, and drawn once a frame where it is seen.

import { Alerts } from "./alerts.js";
import { Detail } from "./detail.js";
import { byId, say, setAttribute } from "./elements.js";
import { FiguresForm } from "./figures.js";
import { Fleet, keyOf } from "./fleet.js";
import { Headline } from "./headline.js";
import { listenToKeys } from "./keys.js";
import { ask, breakerPath, Link } from "./link.js";
import { eventsList, relaysList } from "./lists.js";
import { Orders } from "./orders.js";
import { Past } from "./past.js";
import { Pages } from "./pages.js";
import { SignIn } from "./sign_in.js";
import { Table } from "./table.js";
import { Speaker } from "./speaker.js";
import { Theme } from "./theme.js";
import { clockTime, duration, refusalOf, tapeSentence } from "./words.js";

const TICK_MS = 1_000; // durations are told in whole seconds
const TRENDS_AT_ONCE = 4;
const TREND_POINTS = 40;
const TREND_AGAIN_MS = 10_000; // after a failure
const NOTICE_MS = 8_000;
// What is told is drawn so often at most; what somebody does here is drawn with the next frame.
const TOLD_DRAWN_MS = 40;
const ASKED_AGAIN_MS = 5_000;
const EVENTS_DRAWN_MS = 400;

const fleet = new Fleet();
const speaker = new Speaker(byId("announce"), fleet);
const theme = new Theme(byId("theme"));
const orders = new Orders(fleet, notice);
const figures = new FiguresForm(fleet, figuresTold);
const detail = new Detail(fleet, {
  order: (row, action) => orders.ask(row, action),
  figures: (row) => figures.ask(row),
  closed: (key) => backTo(key),
});
const alerts = new Alerts(fleet, { open: openNamed, told: notice });
const headline = new Headline(fleet, { open: (row) => open(row), order: (row, action) => orders.ask(row, action) });
const table = new Table(byId("scroller"), byId("lines"), fleet, { open: (row) => open(row), seen: fillTrends });
const past = new Past(() => redraw());
const pages = new Pages(turned);
const link = new Link("ws", { tell: take, status: connection });
const signIn = new SignIn(() => link.socket || link.open());
const asked = new Map(); // keys whose trend was asked for -> when it may be asked for again
let frame = 0;
let later = 0;
let renderedAt = 0;
let drawn = -1;
let lost = null;
let asking = 0;
let askedAt = -Infinity;
let eventsDrawn = -1;
let eventsDrawnAt = -Infinity;

function take(message) {
  if (!fleet.take(message)) return false;
  if (message.type === "snapshot" && message.part === message.parts) {
    asked.clear();
    past.forget();
    detail.readAgain();
    readAlerts();
  } else if (message.type === "transition") {
    const transition = fleet.last;
    past.add(transition);
    speaker.transition(transition);
    detail.happened(transition, keyOf(transition.relay, transition.breaker));
  } else if (message.type === "tape" && message.replay?.reason) {
    speaker.say(`The recording can't be shown on: ${message.replay.reason}`);
  }
  speaker.relays();
  redrawSoon();
  return true;
}

function redrawSoon() {
  const waitMs = renderedAt + TOLD_DRAWN_MS - performance.now();
  if (waitMs <= 0) redraw();
  else if (!later) later = setTimeout(redraw, waitMs);
}

function redraw() {
  clearTimeout(later);
  if (!frame) frame = requestAnimationFrame(render);
}

function render() {
  frame = later = 0;
  renderedAt = performance.now();
  if (pages.page === "breakers") table.render();
  headline.render();
  detail.render();
  orders.render();
  if (pages.page === "events") renderEvents();
  if (pages.page === "alerts") alerts.render();
  if (drawn !== fleet.version) {
    drawn = fleet.version;
    renderLists();
  }
  say(byId("found"), table.shown.length === fleet.rows.size ? "" : `${table.shown.length} of ${fleet.rows.size}`);
  byId("nothing").hidden = table.shown.length > 0 || !fleet.rows.size;
  byId("demo").hidden = !fleet.demo;
  const tape = tapeSentence(fleet.tape, fleet.now());
  byId("tape").hidden = !tape;
  say(byId("tape"), tape);
  renderConnection();
}

// A list of hundreds is not made anew 25 times a second.
function renderEvents() {
  past.look();
  const now = performance.now();
  if (eventsDrawn === past.version || now - eventsDrawnAt < EVENTS_DRAWN_MS) return;
  eventsDrawn = past.version;
  eventsDrawnAt = now;
  byId("events-list").replaceChildren(...eventsList(past, fleet, openNamed));
  byId("events-older").hidden = !past.hasOlder;
}

function renderLists() {
  if (pages.page === "relays") byId("relays-list").replaceChildren(...relaysList(fleet));
  const standing = fleet.alerts.filter((each) => !each.resolved_at).length;
  say(byId("alerts-count"), standing ? String(standing) : "");
}

function connection({ state, retryAt }) {
  const was = lost !== null;
  lost = state === "lost" ? { retryAt, told: fleet.told } : null;
  // Every attempt that fails comes here; it is news only once.
  if (was !== (lost !== null)) speaker.say(lost ? "Connection to the monitor lost." : "Connected to the monitor again.");
  if (lost) signIn.look();
  redraw();
}

function renderConnection() {
  const live = lost === null && fleet.told !== null;
  setAttribute(byId("connection"), "data-state", lost ? "lost" : live ? "live" : "connecting");
  say(byId("connection"), lost ? "not connected" : live ? "live" : "connecting");
  byId("lost").hidden = lost === null;
  document.body.classList.toggle("stale", lost !== null);
  if (lost === null) return;
  const seconds = Math.max(0, Math.ceil((lost.retryAt - Date.now()) / 1000));
  const shown = lost.told ? `What is shown is as it was at ${clockTime(lost.told)}. ` : "";
  say(byId("lost-text"), `Connection to the monitor lost. ${shown}Trying again${seconds ? ` in ${duration(seconds)}` : " now"}.`);
}

function open(row) {
  if (!row) return;
  pages.go("breakers");
  table.current = row.key;
  detail.show(row);
  redraw();
}

function openNamed(relay, name) {
  const row = fleet.rows.get(keyOf(relay, name));
  if (row) open(row);
  else notice(`${fleet.nameOf({ relay, name })} is no longer there.`, true);
}

function backTo(key) {
  const index = table.places.get(key);
  if (pages.page === "breakers" && index !== undefined) table.goTo(index);
  redraw();
}

function withCurrent(doing) {
  const row = fleet.rows.get(detail.key) ?? table.currentRow();
  if (!row) notice("Choose a breaker first: j and k move, Enter opens one.", true);
  else if (refusalOf(fleet, row)) notice(refusalOf(fleet, row), true);
  else doing(row);
}

function figuresTold(text, failed) {
  notice(text, failed);
  detail.askAgain();
  redraw();
}

let noticeTimer = 0;
function notice(text, failed) {
  const place = byId("notice");
  say(place, text);
  setAttribute(place, "class", failed ? "failed" : "done");
  place.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (place.hidden = true), NOTICE_MS);
}

// What was before this page was opened is asked for, for the rows in sight alone.
function fillTrends(rows) {
  for (const row of rows) {
    if (asking >= TRENDS_AT_ONCE) return;
    if ((asked.get(row.key) ?? 0) > performance.now()) continue;
    asked.set(row.key, Infinity);
    asking += 1;
    ask(breakerPath(row, "/metrics", `&limit=${TREND_POINTS}`))
      .then(({ points }) => fleet.takePoints(row.key, points), () => void asked.set(row.key, performance.now() + TREND_AGAIN_MS))
      .finally(() => {
        asking -= 1;
        redraw();
      });
  }
}

async function readAlerts() {
  await alerts.read();
  fleet.version += 1;
  redraw();
}

// Chains, sources and sinks change without a message: while they are looked at, they are asked for.
async function readWhatIsLookedAt() {
  if (document.hidden || !["relays", "alerts"].includes(pages.page) || performance.now() - askedAt < ASKED_AGAIN_MS) return;
  askedAt = performance.now();
  if (pages.page === "alerts") await alerts.look();
  else await readRelays();
  redraw();
}

function turned() {
  askedAt = -Infinity;
  readWhatIsLookedAt();
  redraw();
}

async function readRelays() {
  const { relays } = await ask("api/health").catch(() => ({}));
  if (Array.isArray(relays)) fleet.takeRelays(relays);
  fleet.version += 1;
}

function look() {
  const filter = byId("filter");
  try {
    table.look(filter.value, byId("sort").value);
    setAttribute(filter, "aria-invalid", null);
    say(byId("filter-said"), "");
  } catch (error) {
    setAttribute(filter, "aria-invalid", "true");
    say(byId("filter-said"), error.message);
  }
  for (const head of document.querySelectorAll("[data-sort]")) {
    setAttribute(head.parentElement, "aria-sort", head.dataset.sort === byId("sort").value ? "other" : null);
  }
  byId("scroller").scrollTop = 0;
  redraw();
}

byId("filter").addEventListener("input", look);
byId("sort").addEventListener("change", look);
byId("scroller").addEventListener("scroll", redraw, { passive: true });
byId("events-older").addEventListener("click", () => past.older());
byId("retry").addEventListener("click", () => link.hurry());
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());
for (const head of document.querySelectorAll("[data-sort]")) {
  head.addEventListener("click", () => {
    byId("sort").value = byId("sort").value === head.dataset.sort ? "worst" : head.dataset.sort;
    look();
  });
}
new ResizeObserver(() => {
  table.measured();
  table.sortedVersion = -1;
  redraw();
}).observe(byId("scroller"));
listenToKeys({ table, detail, pages, order: (action) => withCurrent((row) => orders.ask(row, action)), figures: () => withCurrent((row) => figures.ask(row)), theme: () => theme.turn() });
setInterval(() => {
  readWhatIsLookedAt();
  if (!document.hidden) redraw();
}, TICK_MS);
// A phone has no key to name.
if (matchMedia("(pointer: coarse), (max-width: 640px)").matches) byId("filter").placeholder = "Filter";
table.measured();
signIn.look().then((open) => open && link.open());
