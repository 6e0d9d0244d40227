// Small drawings: a trend for a row, charts over time for one breaker, and the band of its states.

import { draw, make } from "./elements.js";
import { clockTime, milliseconds, percent, wordOf } from "./words.js";

const HEIGHT = 120;
const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
const TREND_POINTS = 40;
const GAP_S = 30; // figures further apart are not joined

export const FIGURES = [
  { id: "rate", title: "Failure rate", text: percent, most: 1, lines: [["failure_rate", "failed"], ["slow_rate", "slow"]] },
  {
    id: "latency",
    title: "Latency",
    text: milliseconds,
    most: null,
    lines: [["latency_ms_p50", "p50"], ["latency_ms_p95", "p95"], ["latency_ms_p99", "p99"]],
  },
  { id: "health", title: "Health", text: (value) => (value ?? 0).toFixed(2), most: 1, lines: [["health", "score"]] },
  { id: "calls", title: "Calls a second", text: (value) => (value ?? 0).toPrecision(2), most: null, lines: [["calls_per_s", "calls"]] },
];

// The failure rate of the newest points as bars: a look tells quiet from failing.
export function sparkline(points) {
  const shown = points.slice(-TREND_POINTS);
  if (shown.length < 2) return [];
  const width = 80;
  const step = width / TREND_POINTS;
  const from = TREND_POINTS - shown.length;
  const bars = shown.map((point, index) => {
    const height = point.failures ? Math.max(1.5, point.failure_rate * 22) : 0;
    return `M${((from + index) * step).toFixed(1)} 24v-${height.toFixed(1)}`;
  });
  const said = `failure rate lately: ${percent(shown[0].failure_rate)} to ${percent(shown[shown.length - 1].failure_rate)}`;
  return [
    draw("svg", { class: "spark", viewBox: `0 0 ${width} 25`, role: "img", "aria-label": said },
      draw("path", { class: "ground", d: `M0 24.5h${width}` }), draw("path", { class: "bars", d: bars.join("") })),
  ];
}

// One chart: a figure's lines over [from, to] in ms. The last values stand beside the title, so that no pointer is needed.
export function chart(figure, points, { from, to, width }) {
  const values = points.flatMap((point) => figure.lines.map(([field]) => point[field])).filter((value) => value !== null);
  const most = figure.most ?? Math.max(niceAbove(Math.max(0, ...values)), 0.001);
  const last = points[points.length - 1];
  const legend = figure.lines.map(([field, label], index) =>
    make("span", { class: `legend line-${index}` }, `${label} ${last && last[field] !== null ? figure.text(last[field]) : "–"}`));
  const caption = make("figcaption", {}, make("strong", {}, figure.title), ...legend);
  if (!values.length) return make("figure", { class: "chart" }, caption, make("p", { class: "empty" }, "No figures, or none yet."));
  const said = `${figure.title} from ${clockTime(from)} to ${clockTime(to)}; now ${legend.map((each) => each.textContent).join(", ")}`;
  const x = (at) => LEFT + ((at - from) / Math.max(1, to - from)) * (width - LEFT - RIGHT);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": said },
    axes(figure, most, width), timeAxis(from, to, x, HEIGHT - BOTTOM),
    figure.lines.map(([field], index) => draw("path", { class: `line-${index}`, d: path(points, field, most, from, x) })));
  return make("figure", { class: "chart" }, caption, picture);
}

// The states over [from, to]: a band whose height and hatching tell them apart, not the colour alone.
export function stateBand(transitions, state, { from, known, to, width }) {
  const spans = spansOf(transitions, state, Math.max(from, known), to);
  const x = (at) => LEFT + ((at - from) / Math.max(1, to - from)) * (width - LEFT - RIGHT);
  const shapes = spans.map((span) => {
    const height = { closed: 10, force_close: 10, half_open: 20 }[span.state] ?? 30;
    const wide = Math.max(1.5, x(span.to) - x(span.from));
    return draw("rect", { class: `span is-${span.state}`, x: x(span.from), y: 34 - height, width: wide, height },
      draw("title", {}, `${wordOf(span.state)}, ${clockTime(span.from)} to ${clockTime(span.to)}`));
  });
  const told = spans.slice(-6).map((span) => `${wordOf(span.state)} from ${clockTime(span.from)}`).join(", ");
  const picture = draw("svg", { viewBox: `0 0 ${width} 54`, role: "img", "aria-label": `States: ${told}` }, shapes, timeAxis(from, to, x, 34));
  const key = ["closed", "half_open", "open"].map((each) => make("span", { class: `key is-${each}` }, wordOf(each)));
  return make("figure", { class: "chart states" }, make("figcaption", {}, make("strong", {}, "States"), ...key), picture);
}

export function spansOf(transitions, state, from, to) {
  const spans = [];
  let end = to;
  let held = state;
  for (const each of [...transitions].reverse().filter((one) => !one.shadow)) {
    const at = Date.parse(each.at);
    held = each.to;
    if (at < end) spans.unshift({ state: held, from: Math.max(at, from), to: end });
    end = Math.min(end, at);
    held = each.from;
    if (end <= from) break;
  }
  if (end > from) spans.unshift({ state: held, from, to: end });
  return spans;
}

function axes(figure, most, width) {
  const y = (share) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const lines = [0, 0.5, 1].map((share) => [
    draw("path", { class: "grid", d: `M${LEFT} ${y(share)}H${width - RIGHT}` }),
    draw("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, figure.text(share * most)),
  ]);
  return lines.flat();
}

function timeAxis(from, to, x, y) {
  return [0, 0.5, 1].map((share) => {
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    const at = from + share * (to - from);
    return draw("text", { x: x(at), y: y + 15, "text-anchor": anchor }, clockTime(at));
  });
}

function path(points, field, most, from, x) {
  const parts = [];
  let before = null;
  for (const point of points) {
    const at = Date.parse(point.at);
    if (point[field] === null || at < from) {
      before = null;
      continue;
    }
    const share = Math.min(1, point[field] / most);
    const y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
    const joined = before !== null && at - before <= GAP_S * 1000;
    parts.push(`${joined ? "L" : "M"}${x(at).toFixed(1)} ${y.toFixed(1)}${joined ? "" : "h.5"}`);
    before = at;
  }
  return parts.join("");
}

function niceAbove(value) {
  if (value <= 0) return 0;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * unit >= value) * unit;
}
