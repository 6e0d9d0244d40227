// What each of the eight algorithms sees of a breaker now, from the relay's explanation and the policy it goes by.

import { duration, milliseconds, percent, wordOf } from "./words.js";

const DECIDES = {
  consecutive_failures: "threshold",
  failure_rate: "window",
  slow_rate: "window",
  latency: "latency",
  health: "health",
  trials: "machine",
  operator: "machine",
  start: "machine",
  backoff: "backoff",
  recovery: "recovery",
  prediction: "prediction",
};

// Rows of {id, name, now, limit, share, decided}: `share` of its limit that is reached, null where there is none.
export function evidenceOf(explanation, config) {
  const decided = DECIDES[explanation.because.detector] ?? null;
  return [backoff, window, threshold, latency, health, machine, policy, recovery, prediction]
    .map((each) => each(explanation, config))
    .map((row) => ({ share: null, ...row, decided: row.id === decided }));
}

// The calls of the window by how they ended, for a bar of shares.
export function windowParts(statistics) {
  const fast = Math.max(0, statistics.successes - statistics.slow);
  return [
    { id: "fast", label: "succeeded", count: fast },
    { id: "slow", label: "slow", count: statistics.slow },
    { id: "failed", label: "failed", count: statistics.failures },
    { id: "rejected", label: "not let through", count: statistics.rejected },
  ];
}

function backoff(seen, { backoff: figures }) {
  const wait = seen.retry_after_s;
  const now = wait ? `next trial in ${duration(Math.ceil(wait))}` : "no wait";
  const jitter = figures.jitter === "none" ? "" : `, ${figures.jitter} jitter`;
  return {
    id: "backoff",
    name: "Backoff",
    now: `${now}; step ${seen.opening_step}, ${count(seen.failed_trials, "failed trial")}`,
    limit: `${figures.base_s} s × ${figures.multiplier}, at most ${figures.longest_s} s${jitter}`,
  };
}

function window(seen, config) {
  const { successes, failures, slow } = seen.statistics;
  const calls = successes + failures;
  const rate = calls ? failures / calls : 0;
  const limits = [];
  if (config.failure_rate_max !== null) limits.push(`${percent(config.failure_rate_max)} failed`);
  if (config.slow_rate_max !== null) limits.push(`${percent(config.slow_rate_max)} slow`);
  const over = config.window.kind === "time" ? `${config.window.span_s} s` : `${config.window.calls_max} calls`;
  const believed = calls >= config.window.minimum_calls;
  return {
    id: "window",
    name: "Window",
    now: calls ? `${failures} of ${calls} failed (${percent(rate)}), ${slow} slow` : "no call in it",
    limit: `${limits.join(", ") || "off"}, from ${config.window.minimum_calls} calls on, over ${over}`,
    share: believed && config.failure_rate_max ? rate / config.failure_rate_max : null,
  };
}

function threshold(seen, { adaptive }) {
  const most = seen.failures_to_open;
  const factor = adaptive.enabled ? `, factor ${seen.adaptive_factor.toFixed(2)}` : ", not adapted";
  return {
    id: "threshold",
    name: "Threshold",
    now: `${count(seen.failures_in_a_row, "failure")} in a row`,
    limit: most === null ? "off" : `${most} in a row${factor}`,
    share: most ? seen.failures_in_a_row / most : null,
  };
}

function latency(seen, { latency: figures }) {
  const p95 = seen.p95_s === null ? "no answer yet" : `95 % within ${milliseconds(seen.p95_s * 1000)}`;
  const slow = `slow is over ${milliseconds(seen.slow_over_s * 1000)}`;
  if (!figures.enabled) return { id: "latency", name: "Latency", now: p95, limit: `off; ${slow}` };
  return { id: "latency", name: "Latency", now: p95, limit: `${percent(figures.slow_share)} of the last ${figures.last} slow; ${slow}` };
}

function health(seen, { health: figures }) {
  if (!figures.enabled) return { id: "health", name: "Health score", now: "off", limit: "off" };
  const parts = seen.health_parts.map((part) => `${part.name.replaceAll("_", " ")} ${part.neutral ? "unknown" : part.score.toFixed(2)}`);
  const now = seen.health === null ? "no score yet" : `${seen.health.toFixed(2)}: ${parts.join(", ")}`;
  const share = seen.health === null || !figures.opens_below ? null : (1 - seen.health) / (1 - figures.opens_below);
  return { id: "health", name: "Health score", now, limit: `opens below ${figures.opens_below}`, share };
}

function machine(seen, config) {
  const trials = seen.trials;
  const on = trials ? `: ${trials.succeeded} of ${trials.asked_for} trials succeeded, ${trials.under_way} under way` : "";
  const said = seen.would_open ?? seen.withheld;
  const shadow = seen.shadow ? "; in shadow: it only says what it would do" : "";
  return {
    id: "machine",
    name: "State machine",
    now: `${wordOf(seen.state)} for ${duration(seen.for_s)}${on}${shadow}${said ? `; would be open: ${said.text}` : ""}`,
    limit: `${count(config.half_open_calls, "trial")}, each within ${config.trial_lease_s} s`,
  };
}

function policy(seen, config) {
  return { id: "policy", name: "Tier policy", now: seen.policy, limit: config.shadow ? "in shadow" : "in force" };
}

function recovery(seen, { recovery: figures }) {
  if (!figures.enabled) return { id: "recovery", name: "Recovery probability", now: "off", limit: "off" };
  const now = seen.recovery_probability;
  return {
    id: "recovery",
    name: "Recovery probability",
    now: now === null ? "only while open" : percent(now),
    limit: `a first trial from ${percent(figures.trial_from)} on`,
    share: now === null ? null : now / figures.trial_from,
  };
}

function prediction(seen, { prediction: figures }) {
  if (!figures.enabled) return { id: "prediction", name: "Failure foretold", now: "off", limit: "off" };
  const now = seen.failure_probability === null ? "nothing learned yet" : percent(seen.failure_probability);
  return { id: "prediction", name: "Failure foretold", now, limit: figures.opens_from === null ? "only said" : `opens from ${percent(figures.opens_from)} on` };
}

function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
