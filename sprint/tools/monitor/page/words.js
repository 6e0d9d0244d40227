// The words of the page: what a state is called, and why, since when and what next, as sentences.

// Worst first; the place in this list is the order. `withheld` is one that is closed only because nothing stands in for it.
export const KINDS = ["open", "force_open", "half_open", "withheld", "force_close", "closed"];

const REPLAY_TAKES_NONE =
  "This is a replay: it takes no orders. Filter, open and read what there was; with --tui the terminal's keys pause it and turn it back.";
const UNHEARD_TAKES_NONE = "Its relay is not heard: nothing can be told to it.";
// In place of what comes next: a relay that isn't heard may have gone on meanwhile.
export const UNHEARD = "Its relay is not heard: this is what it said last.";

const NAME_END_MAX = 16;

const WORDS = {
  open: "open",
  force_open: "forced open",
  half_open: "half open",
  withheld: "held closed",
  force_close: "forced closed",
  closed: "closed",
  unseen: "not heard",
};

export function wordOf(state) {
  return WORDS[state] ?? state;
}

// Which of KINDS a breaker is: its word and its colour are chosen by it.
export function kindOf(row) {
  return row.state === "closed" && row.withheld !== null ? "withheld" : row.state;
}

// Why it is so; of one that is held closed what would open it, before what it was once closed for.
export function whyOf(row) {
  return kindOf(row) === "withheld" ? row.withheld : row.reason;
}

// A score is of calls: while none is let through there is nothing to score, and the last one looks like health.
export function healthOf(row) {
  return (row.state === "open" || row.state === "force_open") && !row.shadow ? null : row.health;
}

// What began an outage, where a trial has failed since; empty where that is the reason, or isn't known.
export function firstSentence(row, past, nowMs) {
  if (row.state !== "open" && row.state !== "half_open") return "";
  const opening = past.findLast((each) => each.from !== "open" && each.from !== "half_open");
  if (!opening || opening.at === row.since) return "";
  return `First opened ${dayTime(opening.at, nowMs)} UTC (${duration(secondsSince(opening.at, nowMs))} ago): ${opening.evidence.text}`;
}

// A number is read at a glance with two figures; null is a dash, as 0 would be a lie.
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 100) return `${Math.round(value)} ms`;
  return `${value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

// Times are those of logs and terminal: UTC.
export function clockTime(at) {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "–" : time.toISOString().slice(11, 19);
}

// The same with its day, where that is another one than today: an alert that goes up tomorrow doesn't do so now.
export function dayTime(at, nowMs) {
  const day = String(at).slice(0, 10);
  return day === new Date(nowMs).toISOString().slice(0, 10) ? clockTime(at) : `${day} ${clockTime(at)}`;
}

// A name in two: what it begins with may be cut where there is no room, what tells it from the others may not.
export function nameParts(name) {
  const at = name.lastIndexOf(":") + 1;
  if (at > 0 && name.length - at <= NAME_END_MAX) return [name.slice(0, at), name.slice(at)];
  const signs = [...name]; // a sign of two code units is one
  return [signs.slice(0, -NAME_END_MAX).join(""), signs.slice(-NAME_END_MAX).join("")];
}

export function secondsSince(at, nowMs) {
  return (nowMs - Date.parse(at)) / 1000;
}

// Whether what is told is recorded, or comes of a recording; empty where neither.
export function tapeSentence({ recording, replay }, nowMs) {
  if (recording) return `● REC: what happens is recorded in ${recording}`;
  if (!replay) return "";
  const at = `${new Date(nowMs).toISOString().slice(0, 10)} ${clockTime(nowMs)} UTC`;
  if (replay.reason) return `▶ REPLAY of ${replay.file} at ${at}: it can't be shown on, as it is broken there: ${replay.reason}`;
  const how = replay.ended ? "at its end" : replay.paused ? "paused" : `×${replay.speed}`;
  return `▶ REPLAY of ${replay.file} at ${at}, ${how}: nothing of it happens now`;
}

// The same of one breaker: that of a relay that isn't heard can't be told anything.
export function refusalOf(fleet, row) {
  return noOrdersSentence(fleet) || (fleet.isSeen(row) ? "" : UNHEARD_TAKES_NONE);
}

// Why nothing can be told to a breaker here, and what can be done instead; empty where orders are taken.
export function noOrdersSentence({ readOnly, tape }) {
  if (tape.replay) return REPLAY_TAKES_NONE;
  return readOnly ? "The monitor was started with --read-only: it takes no orders." : "";
}

// What happens next with a breaker, short enough for a column.
export function nextOf(row, nowMs) {
  switch (row.state) {
    case "open":
      return row.next_trial_at === null ? "trial to come" : `trial ${trialIn(row, nowMs)}`;
    case "half_open":
      return "on trial";
    case "force_open":
    case "force_close":
      return "until released";
    default:
      return row.withheld ? "until another can stand in" : "–";
  }
}

// The same as a sentence that somebody who has never seen a breaker understands.
export function nextSentence(row, nowMs) {
  switch (row.state) {
    case "open":
      if (row.next_trial_at === null) return "Nothing is let through until a trial is due.";
      return `Nothing is let through; a trial call follows ${trialIn(row, nowMs)}.`;
    case "half_open":
      return "A few calls are let through to try: it closes if they succeed, and opens again if one fails.";
    case "force_open":
      return "Nothing is let through until an operator releases or resets it.";
    case "force_close":
      return "Everything is let through, whatever fails, until an operator releases or resets it.";
    default:
      if (row.withheld) return "Calls are let through though it fails, until another can stand in for it.";
      return "Calls are let through.";
  }
}

export function subject(row, many) {
  return many ? `${row.name} of ${row.relay}` : row.name;
}

function trialIn(row, nowMs) {
  const seconds = (Date.parse(row.next_trial_at) - nowMs) / 1000;
  return seconds > 0 ? `in ${duration(Math.ceil(seconds))}` : "with the next call";
}
