/**
 * A table of any length that holds only the rows in view. Rows are kept by
 * key, so an update touches what differs and loses neither focus nor
 * selection; the nodes of rows that leave serve those that come, which costs
 * a fraction of making them.
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

/**
 * @template T
 * @typedef {{node: HTMLElement, cells: HTMLElement[], line: Line<T> | null, index: number}} Shown
 */

/** Rows beyond the edges, so that scrolling meets none that is bare. */
const OVERSCAN = 8;
const SOON_MS = 100;
/** A browser lays out no more than this in a bearable time; who prints wants fewer. */
const PRINTED = 2000;
/** Rows kept for what comes. */
const SPARE = 100;
const HOVERS = matchMedia("(hover: hover)");

/** @template T */
export class Table {
  /**
   * @param {object} options
   * @param {string} options.label
   * @param {(id: string) => void} options.onSort
   * @param {(item: T) => boolean} options.isDim a dim row is not of now
   * @param {HTMLElement} options.around scrolls where the table itself does not: on a phone
   */
  constructor({ label, onSort, isDim, around }) {
    this.onSort = onSort;
    this.isDim = isDim;
    this.around = around;
    this.scrolls = true;
    this.pressed = false;
    this.head = h("div", { role: "row", class: "row head", "aria-rowindex": "1" });
    this.body = h("div", { role: "rowgroup", class: "rows" });
    this.node = h("div", { role: "table", class: "table", "aria-label": label, tabindex: "0" },
      h("div", { role: "rowgroup", class: "headgroup" }, this.head), this.body);
    /** @type {Column<T>[]} */
    this.columns = [];
    /** @type {Line<T>[]} */
    this.lines = [];
    /** @type {Map<string, Shown<T>>} */
    this.shown = new Map();
    /** Rows that nothing needs now. @type {Shown<T>[]} */
    this.spare = [];
    this.height = 40;
    this.seen = 0;
    this.beyond = OVERSCAN;
    this.soon = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    for (const place of [this.node, around]) place.addEventListener("scroll", () => this.draw(), { passive: true });
    const resized = new ResizeObserver(() => this.measure());
    for (const place of [this.node, around]) resized.observe(place);
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
    this.body.addEventListener("pointerdown", () => { this.pressed = true; });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { this.pressed = false; });
  }

  /** What the style sheet says for this width: who scrolls, and how high a row is. */
  measure() {
    const style = getComputedStyle(this.node);
    this.scrolls = style.overflowY !== "visible";
    this.height = Number.parseFloat(style.getPropertyValue("--row-height")) || 40;
    // While it is hidden it keeps the size that it will have again.
    this.seen = (this.scrolls ? this.node : this.around).clientHeight || this.seen;
    this.draw();
  }

  /** How many pixels of the rows are above the view. */
  get above() {
    if (this.scrolls) return this.node.scrollTop;
    return Math.max(0, this.around.getBoundingClientRect().top - this.body.getBoundingClientRect().top);
  }

  /** Whether a pointer, the focus or a selection is on a row, so that nothing may move. */
  get isTouched() {
    return this.isPointedAt || this.body.contains(document.activeElement) || this.isSelected;
  }

  get isPointedAt() {
    // After a touch, what was touched counts as hovered until the next one.
    return HOVERS.matches ? this.body.matches(":hover") : this.pressed;
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
      this.spare = [];
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
    // First what is seen: whoever types waits for nothing else. On paper all is.
    this.draw(this.beyond === PRINTED ? PRINTED : 0);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.draw(), SOON_MS);
  }

  /** What rows tell has changed, though their lines have not: the next draw brings all up to date. */
  renew() {
    for (const row of [...this.shown.values(), ...this.spare]) row.line = null;
  }

  /** Put the rows in view, and only those, where they belong. @param {number} beyond how many rows more on either side */
  draw(beyond = this.beyond) {
    const { height, above } = this;
    this.body.style.setProperty("height", `${this.lines.length * height}px`);
    const first = Math.max(0, Math.floor(above / height) - beyond);
    const last = Math.min(this.lines.length, Math.ceil((above + this.seen) / height) + beyond);
    const wanted = this.lines.slice(first, last);
    this.release(new Set(wanted.map((line) => line.key)));
    const nodes = wanted.map((line, offset) => this.place(line, first + offset));
    // Before the order: beside rows that leave, each that stays would be moved, and lose its selection.
    for (const { node } of this.spare) node.remove();
    this.order(nodes);
    this.spare.length = Math.min(this.spare.length, SPARE);
    const left = this.beyond === PRINTED ? this.lines.length - nodes.length : 0;
    setAttribute(this.node, "data-left-out", left > 0 ? String(left) : null);
  }

  /** On paper nobody scrolls: put all rows there, or as many as a browser can bear. @param {boolean} printing */
  print(printing) {
    const isSeen = this.node.offsetParent !== null;
    this.beyond = printing && isSeen ? PRINTED : OVERSCAN;
    if (isSeen) this.draw();
  }

  /**
   * Let go of the rows that leave; what is spare is used in the order of the
   * page, so that few move. A row that has the focus stays, or the keyboard
   * would lose its place.
   * @param {Set<string>} wanted
   */
  release(wanted) {
    for (const [key, row] of this.shown) {
      if (wanted.has(key)) continue;
      const hadFocus = row.node.contains(document.activeElement);
      const index = hadFocus ? this.lines.findIndex((line) => line.key === key) : -1;
      if (index >= 0) {
        this.place(/** @type {Line<T>} */ (this.lines[index]), index);
        continue;
      }
      if (hadFocus) this.node.focus({ preventScroll: true });
      this.shown.delete(key);
      this.spare.push(row);
    }
    this.spare.sort((a, b) => a.index - b.index);
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

  /** @param {Line<T>} line @param {number} index @returns {Element} */
  place(line, index) {
    let row = this.shown.get(line.key);
    if (!row) {
      row = this.rowFor(line);
      this.shown.set(line.key, row);
    }
    row.index = index;
    if (row.line !== line) {
      this.update(row, line);
      setAttribute(row.node, "data-dim", "item" in line && this.isDim(line.item) ? "" : null);
      row.line = line;
    }
    setAttribute(row.node, "aria-rowindex", String(index + 2));
    const transform = `translateY(${index * this.height}px)`;
    if (row.node.style.transform !== transform) row.node.style.setProperty("transform", transform);
    return row.node;
  }

  /** A row of the same kind that is spare, or a new one. @param {Line<T>} line @returns {Shown<T>} */
  rowFor(line) {
    const isItem = "item" in line;
    const place = this.spare.findIndex((one) => one.cells.length > 0 === isItem);
    const [old] = place < 0 ? [] : this.spare.splice(place, 1);
    if (old) return old;
    const row = { node: h("div", { role: "row", class: isItem ? "row" : "row group" }), cells: [], line: null, index: 0 };
    if (isItem) this.fillRow(row);
    return row;
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
