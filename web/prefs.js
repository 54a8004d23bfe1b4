/** What a person chose about the page, kept in this browser. */
import { inTab, onDevice } from "./keep.js";

/** @template {object} T @param {string} name @param {T} defaults @returns {T} */
export function read(name, defaults) {
  try {
    return { ...defaults, ...JSON.parse(onDevice.getItem(`archnest.${name}`) ?? "{}") };
  } catch {
    return { ...defaults };
  }
}

/** @param {string} name @param {object} value */
export function write(name, value) {
  onDevice.setItem(`archnest.${name}`, JSON.stringify(value));
}

/** Write what changed and leave the rest as it is stored now: other tabs of the browser write, too. @param {string} name @param {object} changes */
export function change(name, changes) {
  write(name, { ...read(name, {}), ...changes });
}

/** Be told when another tab of the browser has written. @param {string} name @param {() => void} listener @returns {() => void} ends it */
export function follow(name, listener) {
  const onStorage = (/** @type {StorageEvent} */ { key }) => { if (key === `archnest.${name}`) listener(); };
  addEventListener("storage", onStorage);
  return () => removeEventListener("storage", onStorage);
}

/** Like `read`, of what lasts as long as this browser tab. @template {object} T @param {string} name @param {T} defaults @returns {T} */
export function readHere(name, defaults) {
  try {
    return { ...defaults, ...JSON.parse(inTab.getItem(`archnest.${name}`) ?? "{}") };
  } catch {
    return { ...defaults };
  }
}

/** @param {string} name @param {object} value */
export function writeHere(name, value) {
  inTab.setItem(`archnest.${name}`, JSON.stringify(value));
}

/** @typedef {"system" | "light" | "dark"} Theme */

/** @returns {Theme} */
export function theme() {
  return read("theme", { value: /** @type {Theme} */ ("system") }).value;
}

/** @param {Theme} value */
export function setTheme(value) {
  write("theme", { value });
  applyTheme();
}

export function applyTheme() {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}
