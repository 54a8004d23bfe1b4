/** Choosing which columns a list shows. */
import { h } from "../dom.js";
import * as session from "../session.js";
import { COLUMNS } from "./columns.js";

/** @typedef {{hidden: string[], added: string[]}} Choice what differs from the usual columns */

/** @param {import("./columns.js").ListColumn} column */
function isAllowed(column) {
  return column.access !== "admin" || session.isAdmin();
}

/** @param {import("./columns.js").ListColumn} column @param {Choice} choice */
export function isWanted(column, choice) {
  if (!isAllowed(column)) return false;
  return column.usual ? !choice.hidden.includes(column.id) : choice.added.includes(column.id);
}

/** @param {Choice} choice @param {import("./columns.js").ListColumn} column @param {boolean} shown @returns {Choice} */
function changed(choice, column, shown) {
  const list = column.usual ? "hidden" : "added";
  const others = choice[list].filter((id) => id !== column.id);
  const { hidden, added } = choice;
  return { hidden, added, [list]: shown === column.usual ? others : [...others, column.id] };
}

/** @param {() => Choice} choice @param {(choice: Choice) => void} onChange @returns {{node: HTMLElement, update: () => void}} */
export function columnMenu(choice, onChange) {
  const boxes = COLUMNS.filter((column) => column.id !== "name" && isAllowed(column)).map((column) => {
    const box = h("input", { type: "checkbox", onchange: () => onChange(changed(choice(), column, box.checked)) });
    return { column, box };
  });
  const update = () => { for (const { column, box } of boxes) box.checked = isWanted(column, choice()); };
  update();
  const menu = h("details", { class: "menu" }, h("summary", {}, "Columns"), h("div", { class: "menu-body" }, boxes.map(({ column, box }) => h("label", { "data-usual": column.usual ? null : "no" }, box, column.title))));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (menu.open && !menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  return { node: menu, update };
}
