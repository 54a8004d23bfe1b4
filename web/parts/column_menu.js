/** Choosing which columns a list shows. */
import { h } from "../dom.js";
import { COLUMNS } from "./columns.js";

/** @typedef {{hidden: string[], added: string[]}} Choice what differs from the usual columns */

/** @param {import("./columns.js").ListColumn} column @param {Choice} choice */
export function isWanted(column, choice) {
  return column.usual ? !choice.hidden.includes(column.id) : choice.added.includes(column.id);
}

/** @param {Choice} choice @param {import("./columns.js").ListColumn} column @param {boolean} shown @returns {Choice} */
function changed(choice, column, shown) {
  const list = column.usual ? "hidden" : "added";
  const others = choice[list].filter((id) => id !== column.id);
  return { ...choice, [list]: shown === column.usual ? others : [...others, column.id] };
}

/** @param {() => Choice} choice @param {(choice: Choice) => void} onChange */
export function columnMenu(choice, onChange) {
  const boxes = COLUMNS.filter((column) => column.id !== "name").map((column) => {
    const box = h("input", { type: "checkbox", checked: isWanted(column, choice()), onchange: () => onChange(changed(choice(), column, box.checked)) });
    return h("label", {}, box, column.title);
  });
  const menu = h("details", { class: "menu" }, h("summary", {}, "Columns"), h("div", { class: "menu-body" }, boxes));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (menu.open && !menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  return menu;
}
