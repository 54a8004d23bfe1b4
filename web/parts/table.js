/**
 * A table of any length that holds only the rows in view. Rows are kept by
 * key, so an update touches what differs and loses neither focus nor
 * selection.
 */
import { fill, h, setAttribute } from "../dom.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {string} id
 * @property {string} title
 * @property {boolean} [sortable]
 * @property {() => HTMLElement} make an empty cell's content
 * @property {(node: HTMLElement, item: T) => void} update
 */

/**
 * @template T
 * @typedef {{key: string, item: T} | {key: string, heading: string, count: number, trouble: number, doubt: string}} Line
 */

const OVERSCAN = 8;

/** @template T */
export class Table {
  /** @param {{label: string, onSort: (id: string) => void, isDim: (item: T) => boolean}} options a dim row is not of now */
  constructor({ label, onSort, isDim }) {
    this.onSort = onSort;
    this.isDim = isDim;
    this.head = h("div", { role: "row", class: "row head", "aria-rowindex": "1" });
    this.body = h("div", { role: "rowgroup", class: "rows" });
    this.node = h("div", { role: "table", class: "table", "aria-label": label, tabindex: "0" },
      h("div", { role: "rowgroup", class: "headgroup" }, this.head), this.body);
    /** @type {Column<T>[]} */
    this.columns = [];
    /** @type {Line<T>[]} */
    this.lines = [];
    /** @type {Map<string, {node: HTMLElement, cells: HTMLElement[], line: Line<T> | null}>} */
    this.shown = new Map();
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => {
      this.height = this.rowHeight();
      this.draw();
    }).observe(this.node);
    this.height = 40;
  }

  /** Whether a pointer, the focus or a selection is on a row, so that nothing may move. */
  get isTouched() {
    return this.isPointedAt || this.body.contains(document.activeElement) || this.isSelected;
  }

  get isPointedAt() {
    return this.body.matches(":hover");
  }

  get isSelected() {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && this.body.contains(selection.anchorNode);
  }

  /** @param {Column<T>[]} columns @param {string} sort @param {boolean} descending */
  setColumns(columns, sort, descending) {
    if (columns.map((column) => column.id).join() !== this.columns.map((column) => column.id).join()) {
      this.columns = columns;
      setAttribute(this.node, "data-columns", columns.map((column) => column.id).join(" "));
      this.node.style.setProperty("--columns", columns.map((column) => `var(--w-${column.id})`).join(" "));
      this.body.replaceChildren();
      this.shown.clear();
      fill(this.head, columns.map((column) => this.heading(column)));
    }
    this.columns.forEach((column, index) => {
      const sorted = column.id === sort;
      const cell = /** @type {Element} */ (this.head.children[index]);
      setAttribute(cell, "aria-sort", sorted ? (descending ? "descending" : "ascending") : column.sortable ? "none" : null);
    });
  }

  /** @param {Column<T>} column */
  heading(column) {
    const content = column.sortable
      ? h("button", { type: "button", onclick: () => this.onSort(column.id) }, column.title)
      : h("span", {}, column.title);
    return h("div", { role: "columnheader", class: "cell", "data-column": column.id }, content);
  }

  /** @param {Line<T>[]} lines */
  setLines(lines) {
    this.lines = lines;
    setAttribute(this.node, "aria-rowcount", String(lines.length + 1));
    this.draw();
  }

  /** Put the rows in view, and only those, where they belong. */
  draw() {
    const height = this.height;
    this.body.style.setProperty("height", `${this.lines.length * height}px`);
    const top = this.node.scrollTop;
    const first = Math.max(0, Math.floor(top / height) - OVERSCAN);
    const last = Math.min(this.lines.length, Math.ceil((top + this.node.clientHeight) / height) + OVERSCAN);
    const wanted = new Set();
    const nodes = [];
    for (let index = first; index < last; index += 1) {
      const line = /** @type {Line<T>} */ (this.lines[index]);
      wanted.add(line.key);
      nodes.push(this.place(line, index, height));
    }
    for (const [key, row] of this.shown) {
      if (wanted.has(key)) continue;
      const hadFocus = row.node.contains(document.activeElement);
      const index = hadFocus ? this.lines.findIndex((line) => line.key === key) : -1;
      // A row that has the focus stays, so that the keyboard does not lose its place.
      if (index >= 0) {
        this.place(/** @type {Line<T>} */ (this.lines[index]), index, height);
        continue;
      }
      row.node.remove();
      this.shown.delete(key);
      if (hadFocus) this.node.focus({ preventScroll: true });
    }
    this.order(nodes);
  }

  /**
   * Bring rows into the order they are seen in, which is the order they are
   * read and tabbed through. The row that has the focus would lose it by being
   * moved, so the others move around it.
   * @param {Element[]} nodes
   */
  order(nodes) {
    nodes.forEach((node, index) => {
      const there = this.body.children[index];
      if (there === node) return;
      if (!node.contains(document.activeElement)) {
        this.body.insertBefore(node, there ?? null);
        return;
      }
      while (this.body.children[index] !== node) this.body.append(/** @type {Element} */ (this.body.children[index]));
    });
  }

  rowHeight() {
    return Number.parseFloat(getComputedStyle(this.node).getPropertyValue("--row-height")) || 40;
  }

  /** @param {Line<T>} line @param {number} index @param {number} height @returns {Element} */
  place(line, index, height) {
    let row = this.shown.get(line.key);
    if (!row) {
      row = { node: h("div", { role: "row", class: "item" in line ? "row" : "row group" }), cells: [], line: null };
      this.shown.set(line.key, row);
      if ("item" in line) this.fillRow(row);
      this.body.append(row.node);
    }
    if (row.line !== line) {
      this.update(row, line);
      setAttribute(row.node, "data-dim", "item" in line && this.isDim(line.item) ? "" : null);
      row.line = line;
    }
    setAttribute(row.node, "aria-rowindex", String(index + 2));
    const transform = `translateY(${index * height}px)`;
    if (row.node.style.transform !== transform) row.node.style.setProperty("transform", transform);
    return row.node;
  }

  /** @param {{node: HTMLElement, cells: HTMLElement[]}} row */
  fillRow(row) {
    row.cells = this.columns.map((column) => column.make());
    row.node.append(...this.columns.map((column, index) =>
      h("div", { role: "cell", class: "cell", "data-column": column.id }, row.cells[index])));
  }

  /** @param {{node: HTMLElement, cells: HTMLElement[]}} row @param {Line<T>} line */
  update(row, line) {
    if ("heading" in line) {
      fill(row.node, h("div", { role: "cell", class: "cell", "aria-colspan": this.columns.length }, h("bdi", {}, line.heading), h("span", { class: "count" }, String(line.count)),
        line.doubt ? h("span", { class: "trouble" }, line.doubt) : null, line.trouble ? h("span", { class: "trouble" }, `${line.trouble} in trouble`) : null));
      return;
    }
    this.columns.forEach((column, index) => column.update(/** @type {HTMLElement} */ (row.cells[index]), line.item));
  }
}
