/** A container's standing as icon, word and colour: never colour alone. */
import { h, icon, setAttribute, setText } from "../dom.js";
import { ICONS } from "../state.js";

/** @typedef {import("../state.js").Standing} Standing */

/** @param {Standing} standing */
export function badge(standing) {
  const label = h("span", {});
  const node = h("span", { class: "badge" }, label);
  updateBadge(node, standing);
  return node;
}

/** @param {HTMLElement} node made by `badge` @param {Standing} standing */
export function updateBadge(node, standing) {
  if (node.dataset["kind"] !== standing.kind) {
    node.dataset["kind"] = standing.kind;
    node.querySelector("svg")?.remove();
    node.prepend(icon(ICONS[standing.kind] ?? ICONS["created"] ?? ""));
  }
  setText(/** @type {Element} */ (node.lastElementChild), standing.label);
  setAttribute(node, "data-current", standing.current ? "yes" : "no");
}
