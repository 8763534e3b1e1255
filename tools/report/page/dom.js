"use strict";
// The scripts of this folder are one, in the order of tools/ksc/CMakeLists.txt: they see each other's names.
// Every text of a recording was chosen by somebody else: it becomes a text node, never markup.

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * An element. A `class` and attributes by their names; `null` and `undefined` leave one out.
 * @param {string} tag
 * @param {Record<string, string | number | null | undefined>} [attributes]
 * @param {...(Node | string | number | null)} children
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  for (const child of children) {
    if (child !== null) made.append(typeof child === "number" ? String(child) : child);
  }
  return made;
}

/** A button. @param {string} label @param {() => void} act @param {Record<string, string>} [attributes] */
function makeButton(label, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

const numbers = new Intl.NumberFormat("en-US");
/** @param {number} number */
function count(number) {
  return numbers.format(number);
}
/** @param {number} number @param {string} noun */
function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** How long, in the unit that suits it. @param {number} ns */
function duration(ns) {
  for (const [unit, size] of /** @type {[string, number][]} */ ([["d", 864e11], ["h", 36e11], ["min", 6e10], ["s", 1e9], ["ms", 1e6], ["µs", 1e3]])) {
    if (ns >= size) return `${(ns / size).toFixed(ns / size < 10 ? 2 : 1).replace(/\.?0+$/, "")} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** Calls `act` once before the next frame, however often it is asked. @param {() => void} act */
function oncePerFrame(act) {
  let asked = 0;
  return () => {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      act();
    });
  };
}

const severities = ["critical", "high", "medium", "low", "info"];
/** @param {string} severity */
function severityMark(severity) {
  return make("span", { class: `severity ${severities.includes(severity) ? severity : "info"}` }, severity);
}
