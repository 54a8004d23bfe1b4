/** Who did what, when and with what outcome, for admins. */
import { get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { dateTime } from "../format.js";
import { failure, pollFailure } from "../parts/notice.js";
import { poll, SELDOM_MS } from "../poll.js";

/** @typedef {import("../types.js").AuditEntry} AuditEntry */

export const id = "record";
export const title = "Record";
export const access = "admin";

const HEADS = ["When", "Who", "From", "What", "On", "Outcome"];

class RecordView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.next = /** @type {number | null} */ (null);
    /** What is shown, by id, with the row and what it tells. */
    this.shown = /** @type {Map<number, {node: HTMLElement, state: string}>} */ (new Map());
    this.rows = h("tbody", {});
    this.loading = h("p", { class: "loading" }, "Loading …");
    this.none = h("p", { class: "none", hidden: true }, "Nothing has been done yet. Sign-ins, changes and actions on containers appear here.");
    this.older = h("button", { type: "button", hidden: true, onclick: () => this.loadOlder() }, "Show older");
    panel.append(h("div", { class: "page" }, h("h1", {}, "Record"),
      h("p", {}, "Who did what, the newest first. Nobody can change it from this page."),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Record" },
        h("table", { class: "listing stacked" }, h("thead", {}, h("tr", {}, HEADS.map((head) => h("th", { scope: "col" }, head)))), this.rows)),
      this.loading, this.none, this.older));
    this.polling = poll((signal) => this.load(signal), pollFailure, SELDOM_MS);
  }

  /** Show what is new, and how what had begun has ended. @param {AbortSignal} signal */
  async load(signal) {
    if (this.panel.hidden) return;
    const { entries, next } = await get("api/audit");
    if (signal.aborted) return;
    this.loading.remove();
    // So much is new that the page does not reach what is shown: begin anew.
    const isFirst = !entries.some((/** @type {AuditEntry} */ entry) => this.shown.has(entry.id));
    if (isFirst) {
      fill(this.rows);
      this.shown.clear();
      this.setNext(next);
    }
    for (const entry of entries.reverse()) this.show(entry);
    this.none.hidden = this.shown.size > 0;
  }

  async loadOlder() {
    try {
      const { entries, next } = await get(`api/audit?before=${this.next}`);
      for (const entry of entries) this.show(entry, true);
      this.setNext(next);
    } catch (error) {
      failure(error);
    }
  }

  /** @param {number | null} next */
  setNext(next) {
    this.next = next;
    this.older.hidden = next === null;
  }

  /** @param {AuditEntry} entry @param {boolean} [isOlder] than all that is shown */
  show(entry, isOlder = false) {
    const known = this.shown.get(entry.id);
    const state = JSON.stringify(entry);
    if (known?.state === state) return;
    const node = row(entry);
    if (known) known.node.replaceWith(node);
    else if (isOlder) this.rows.append(node);
    else this.rows.prepend(node);
    this.shown.set(entry.id, { node, state });
  }
}

/** @param {AuditEntry} entry */
function row(entry) {
  const on = [entry.target, entry.hostId].filter((text) => text !== null);
  return h("tr", {},
    h("th", { scope: "row" }, h("time", { datetime: entry.at, title: entry.at }, dateTime(entry.at))),
    h("td", {}, entry.actor === null ? (entry.address === null ? "command line" : "not signed in") : foreign(entry.actor), entry.token === null ? null : h("small", {}, " with token ", foreign(entry.token))),
    h("td", { "data-title": "From" }, entry.address ?? "—"),
    h("td", { "data-title": "What" }, h("code", {}, entry.action)),
    h("td", { "data-title": "On" }, on.length ? foreign(on.join(" on ")) : "—"),
    h("td", { "data-title": "Outcome", "data-outcome": entry.outcome }, entry.outcome === "begun" ? "begun, not ended" : entry.outcome, entry.detail ? h("p", { class: "how" }, foreign(entry.detail)) : null));
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const view = new RecordView(panel);
  return { shown: () => { view.polling.now(); }, unmount: () => { view.polling.stop(); } };
}
