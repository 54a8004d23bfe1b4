/** A figure with a bar of its share. */
import { h, setAttribute, setText } from "../dom.js";

/** @param {string} kind names the colour */
export function meter(kind) {
  return h("span", { class: "meter", "data-kind": kind }, h("span", { class: "figure" }), h("span", { class: "bar", "aria-hidden": "true" }), " ", h("span", { class: "of" }));
}

/**
 * @param {HTMLElement} node made by `meter`
 * @param {import("./figures.js").Figure} wanted its share is 0 to 1, or null where there is nothing to be a share of
 */
export function updateMeter(node, { text, share, title, of }) {
  const [figure, bar, whole] = /** @type {HTMLElement[]} */ ([...node.children]);
  setText(/** @type {HTMLElement} */ (figure), text);
  setText(/** @type {HTMLElement} */ (whole), of);
  setAttribute(node, "title", title);
  const part = /** @type {HTMLElement} */ (bar);
  const size = `${Number(Math.min(100, Math.max(0, (share ?? 0) * 100)).toFixed(1))}% 100%`;
  if (part.style.backgroundSize !== size) part.style.setProperty("background-size", size);
  setAttribute(node, "data-share", share == null ? "none" : share > 0.9 ? "high" : "normal");
}
