/** Sections of a detail page: names and values, and lists with a filter. */
import { fill, foreign, h } from "../dom.js";

/** A value the source does not report; other than an empty one. */
export function absent() {
  return h("span", { class: "absent" }, "— ", h("small", {}, "not reported by this source"));
}

/** @param {string | null | undefined} value @param {(value: string) => Node | string} [show] */
export function textOr(value, show = foreign) {
  if (value == null) return absent();
  return value === "" ? h("span", { class: "none" }, "none") : show(value);
}

/** @param {string} title @param {...(Node | null)} children */
export function section(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

/** What became of a value, beside it. @param {string | null | undefined} mark */
function was(mark) {
  return mark ? h("small", { class: "was" }, foreign(mark)) : null;
}

/** @param {[string, Node | string][]} entries @param {import("./changes.js").Marks} [marks] */
export function facts(entries, marks = () => null) {
  return h("dl", { class: "facts" }, entries.map(([name, value]) => h("div", { "data-changed": marks(name) !== null }, h("dt", {}, name), h("dd", {}, value, marks(name) ? " " : null, was(marks(name))))));
}

/**
 * @param {string} label
 * @param {string[]} heads
 * @param {(Node | string)[][] | null} rows null: not reported
 * @param {(string | null)[]} [marks] what became of each row
 */
export function listing(label, heads, rows, marks = []) {
  if (rows === null) return h("p", {}, absent());
  if (rows.length === 0) return h("p", { class: "none" }, "none");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "listing" },
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map((cells, row) => h("tr", { "data-changed": Boolean(marks[row]) }, cells.map((cell, column) => h("td", {}, cell, column === cells.length - 1 ? was(marks[row]) : null)))))));
}

/** What is typed in a filter, and how high the list was before: as high it stays, or the cards would be spread anew. @typedef {{query: string, height: number}} Filter */

/**
 * Names and values with a filter above when there are many.
 * @param {string} label
 * @param {[string, string][] | null} pairs
 * @param {import("./changes.js").Marks} marks
 * @param {Filter} filter kept for the list that takes this one's place
 */
export function filtered(label, pairs, marks, filter) {
  if (pairs === null || pairs.length < 8) return pairTable(label, pairs, marks);
  const body = h("div", { class: "filtered" });
  const input = h("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": `Filter ${label}`, value: filter.query, oninput: () => {
    if (!filter.query) filter.height = body.offsetHeight;
    filter.query = input.value;
    draw();
  } });
  const draw = () => {
    const wanted = filter.query.toLowerCase();
    body.style.setProperty("--height", filter.query ? `${filter.height}px` : "0");
    fill(body, pairTable(label, pairs.filter((pair) => pair.join("=").toLowerCase().includes(wanted)), marks));
  };
  draw();
  // Its input knows these pairs: it is replaced as a whole.
  return h("div", { "data-whole": true }, input, body);
}

/** @param {string} label @param {[string, string][] | null} pairs @param {import("./changes.js").Marks} marks */
function pairTable(label, pairs, marks) {
  return listing(label, ["Name", "Value"], pairs?.map(([key, value]) => [h("code", {}, foreign(key)), h("code", { class: "value" }, foreign(value))]) ?? null, pairs?.map(([key]) => marks(key)));
}
