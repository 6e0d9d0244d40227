// Elements of the page, made without markup in strings: what a relay says is only ever text here.

const SVG = "http://www.w3.org/2000/svg";

// make("td", {class: "name", "aria-label": …, onclick: …}, child, …): a string child is text, null is left out.
export function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

// The shape that tells a state beside its word; the colour comes from the class.
export function shapeOf(state, size = 16, tone = state) {
  const use = draw("use", { href: `#shape-${state === "withheld" ? "closed" : state}` });
  return draw("svg", { class: `shape is-${tone}`, width: size, height: size, "aria-hidden": "true" }, use);
}

export function byId(id) {
  return document.getElementById(id);
}

// Write a text only where it differs: a browser lays out again for every write.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
