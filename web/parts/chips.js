/** How many containers stand how, and showing only those. */
import { h, setAttribute, setText } from "../dom.js";
import { FILTERS, isTrouble, TROUBLE } from "../state.js";

export class Chips {
  /** @param {Set<string>} chosen @param {() => void} changed */
  constructor(chosen, changed) {
    this.chosen = chosen;
    this.chips = new Map(FILTERS.map(({ id, label, note, rare = false }) => {
      const count = h("span", { class: "count" });
      const node = h("button", { type: "button", class: "chip", "data-filter": id, "aria-pressed": "false", title: note ?? null, onclick: () => this.toggle(id) }, h("span", { class: "dot", "aria-hidden": "true" }), `${label} `, count);
      return [id, { node, count, rare }];
    }));
    this.changed = changed;
    this.node = h("div", { class: "chips", role: "group", "aria-label": "Filter by state" }, [...this.chips.values()].map(({ node }) => node));
  }

  /** @param {string} id */
  toggle(id) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.changed();
  }

  /** @param {{item: import("../types.js").Row}[]} lines */
  update(lines) {
    const counts = /** @type {Record<string, number>} */ ({});
    for (const { item: { standing } } of lines) counts[standing.filter] = (counts[standing.filter] ?? 0) + 1;
    counts[TROUBLE] = lines.filter(({ item }) => isTrouble(item.standing)).length;
    for (const [id, { node, count, rare }] of this.chips) {
      setText(count, String(counts[id] ?? 0));
      setAttribute(node, "aria-pressed", String(this.chosen.has(id)));
      setAttribute(node, "data-empty", counts[id] ? "no" : "yes");
      node.hidden = rare && !counts[id] && !this.chosen.has(id);
    }
  }
}
