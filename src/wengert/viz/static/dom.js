// Small helpers for the document.

const SVG_NAMES = "http://www.w3.org/2000/svg";
const find = (selector, root = document) => root.querySelector(selector);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG_NAMES, tag), attributes, children);

// Names with a bar over each letter get one bar, which every font draws well.
function barred(text, tag = make) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(/(?:[\p{L}\p{N}_]\u0305)+/gu)) {
    parts.push(text.slice(last, match.index));
    const plain = match[0].replace(/\u0305/g, "");
    parts.push(tag === make ? make("span", { class: "over" }, plain) : draw("tspan", { "text-decoration": "overline" }, plain));
    last = match.index + match[0].length;
  }
  parts.push(text.slice(last));
  return parts.filter((part) => part !== "");
}

function say(text) { find("#status").textContent = text; }

function readStored(key) {
  try { return localStorage.getItem(key); } catch { return null; } // a page from a file may have no storage
}

function store(key, value) {
  try { localStorage.setItem(key, value); } catch { /* the choice then lasts as long as the page */ }
}
