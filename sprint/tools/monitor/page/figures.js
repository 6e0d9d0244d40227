// The form that lays figures over a breaker's policy: what may be changed, what it is, what it may be; then what
// would change, to be confirmed. What is laid over takes the place of all that was laid over before.

import { byId, make, say, setAttribute } from "./elements.js";
import { ask, breakerPath } from "./link.js";

const NONE = "none";

export class FiguresForm {
  constructor(fleet, told) {
    Object.assign(this, { fleet, told }); // told(text, failed)
    this.dialog = byId("figures");
    this.figures = null; // those that there are, asked once
    this.row = null;
    this.known = null; // { now, laid } by dotted names
    this.plan = null;
    byId("figures-form").addEventListener("submit", (event) => this.submit(event));
    byId("figures-cancel").addEventListener("click", () => this.dialog.close());
    byId("figures-back").addEventListener("click", () => this.look(null));
    byId("figures-none").addEventListener("click", () => this.takeAllBack());
  }

  async ask(row) {
    this.row = row;
    say(byId("figures-title"), `Figures of ${this.fleet.nameOf(row)}`);
    try {
      const [detail, { figures }] = await Promise.all([ask(breakerPath(row)), this.figures ?? ask("api/figures")]);
      if (detail.unheard) throw new Error(detail.unheard);
      this.figures = { figures };
      this.known = { now: valuesIn(detail.config), laid: valuesIn(detail.laid_over?.fields ?? {}) };
    } catch (error) {
      this.told(`The figures of ${this.fleet.nameOf(row)} are not known: ${error.message}`, true);
      return;
    }
    byId("figures-none").hidden = !Object.keys(this.known.laid).length;
    byId("figures-fields").replaceChildren(...groupsOf(this.figures.figures, this.known));
    this.look(null);
    this.dialog.showModal();
    byId("figures-fields").querySelector("input, select").focus();
  }

  // Enter and the button at the right: first what would change, then it is done.
  submit(event) {
    event.preventDefault();
    if (this.plan) this.send();
    else this.review();
  }

  review() {
    say(byId("figures-said"), "");
    for (const field of this.fields()) setAttribute(field, "aria-invalid", null);
    const typed = Object.fromEntries(this.fields().map((field) => [field.name, field.value.trim()]));
    try {
      const plan = planOf(this.figures.figures, this.known, typed);
      if (plan.changes.length) this.look(plan);
      else say(byId("figures-said"), "Nothing differs from what holds now.");
    } catch (error) {
      this.refused(error.message);
    }
  }

  takeAllBack() {
    const changes = Object.keys(this.known.laid).map((name) => `${name}: ${said(this.known.now[name])} is taken back`);
    this.look({ fields: {}, changes });
  }

  // Show the fields, or what a plan would change.
  look(plan) {
    this.plan = plan;
    byId("figures-fields").hidden = plan !== null;
    byId("figures-review").hidden = plan === null;
    byId("figures-back").hidden = plan === null;
    byId("figures-none").hidden = plan !== null || !Object.keys(this.known.laid).length;
    say(byId("figures-confirm"), plan ? "Lay over" : "Look at the changes…");
    setAttribute(byId("figures-confirm"), "class", plan ? "danger" : "primary");
    say(byId("figures-said"), "");
    byId("figures-changes").replaceChildren(...(plan?.changes ?? []).map((each) => make("li", {}, each)));
    if (plan) byId("figures-back").focus();
  }

  async send() {
    byId("figures-confirm").disabled = true;
    say(byId("figures-said"), "Asking the relay …");
    try {
      await ask(breakerPath(this.row, "/config"), { method: "PUT", body: this.plan.fields });
      this.dialog.close();
      const back = Object.keys(this.plan.fields).length ? "laid over" : "as the config has them again";
      this.told(`Figures of ${this.fleet.nameOf(this.row)} are ${back}.`, false);
    } catch (error) {
      this.look(null);
      this.refused(error.message);
    } finally {
      byId("figures-confirm").disabled = false;
    }
  }

  // What is refused begins with the field that it is about; the words are the relay's.
  refused(text) {
    say(byId("figures-said"), `Not done: ${text}`);
    const field = this.fields().find((each) => text.startsWith(`${each.name}:`) || text.startsWith(`${each.name} `));
    if (!field) return;
    setAttribute(field, "aria-invalid", "true");
    field.focus();
  }

  fields() {
    return [...byId("figures-fields").querySelectorAll("input, select")];
  }
}

// What is to be laid over, and a sentence for each figure that is other than before. An emptied field is as the
// config has it again. An error names the first figure that can't be.
export function planOf(figures, { now, laid }, typed) {
  const after = { ...laid };
  const changes = [];
  for (const figure of figures) {
    const before = said(now[figure.name]);
    const text = typed[figure.name] ?? before;
    if (text === before) continue;
    if (text !== "") {
      after[figure.name] = read(figure, text);
      changes.push(`${figure.name}: ${before} → ${said(after[figure.name])}`);
    } else if (figure.name in laid) {
      delete after[figure.name];
      changes.push(`${figure.name}: ${before} is taken back`);
    }
  }
  return { fields: nested(after), changes };
}

function read(figure, text) {
  const word = text.toLowerCase();
  if (figure.may_be_none && word === NONE) return null;
  if (figure.kind === "switch" && ["true", "false"].includes(word)) return word === "true";
  if (figure.kind === "choice" && figure.choices.includes(word)) return word;
  if (figure.kind === "number" || figure.kind === "count") {
    const number = Number(text);
    const whole = figure.kind === "number" || Number.isInteger(number);
    const above = figure.least_excluded ? number > figure.least : number >= figure.least;
    if (whole && above && number <= figure.greatest) return number;
  }
  throw new Error(`${figure.name}: "${text.slice(0, 40)}"; want ${figure.wants}`);
}

function said(value) {
  return value === null || value === undefined ? NONE : String(value);
}

function valuesIn(fields, prefix = "") {
  return Object.assign({}, ...Object.entries(fields).map(([name, value]) =>
    value !== null && typeof value === "object" ? valuesIn(value, `${prefix}${name}.`) : { [prefix + name]: value }));
}

function nested(values) {
  const fields = {};
  for (const [name, value] of Object.entries(values)) {
    const [record, inner] = name.split(".");
    if (inner === undefined) fields[record] = value;
    else fields[record] = { ...fields[record], [inner]: value };
  }
  return fields;
}

function groupsOf(figures, known) {
  const groups = new Map();
  for (const figure of figures) {
    const [record, inner] = figure.name.split(".");
    const group = inner === undefined ? "breaker" : record;
    groups.set(group, [...(groups.get(group) ?? []), figure]);
  }
  return [...groups].map(([name, each]) =>
    make("fieldset", {}, make("legend", {}, name), each.map((figure) => fieldOf(figure, known))));
}

function fieldOf(figure, { now, laid }) {
  const id = `figure-${figure.name.replace(".", "-")}`;
  const isLaid = figure.name in laid;
  const value = said(now[figure.name]);
  const attributes = { id, name: figure.name, "aria-describedby": `${id}-wants` };
  const field = figure.kind === "switch" || figure.kind === "choice"
    ? choiceOf(figure, value, isLaid, attributes)
    : make("input", { ...attributes, type: "text", value, inputmode: "decimal", autocomplete: "off", maxlength: 40 });
  const mark = isLaid ? make("span", { class: "laid" }, "laid over; empty: as configured") : null;
  return make("div", { class: "figure-field" },
    make("label", { for: id }, figure.name.split(".").pop()), field,
    make("span", { id: `${id}-wants`, class: "quiet" }, figure.wants, mark));
}

function choiceOf(figure, value, isLaid, attributes) {
  const choices = figure.kind === "switch" ? ["true", "false"] : figure.choices;
  const options = choices.map((each) => make("option", { value: each, selected: each === value }, each));
  const back = isLaid ? [make("option", { value: "" }, "as configured")] : [];
  return make("select", attributes, options, back);
}
