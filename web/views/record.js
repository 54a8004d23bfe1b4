/** Who did what, when and with what outcome, for admins. */
import { get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { dateTime } from "../format.js";
import { failure } from "../parts/notice.js";

/** @typedef {import("../types.js").AuditEntry} AuditEntry */

export const id = "record";
export const title = "Record";
export const access = "admin";

const HEADS = ["When", "Who", "From", "What", "On", "Outcome"];

class RecordView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.next = /** @type {number | null} */ (null);
    this.rows = h("tbody", {});
    this.none = h("p", { class: "none", hidden: true }, "Nothing has been done yet. Sign-ins, changes and actions on containers appear here.");
    this.older = h("button", { type: "button", hidden: true, onclick: () => this.load(this.next) }, "Show older");
    panel.append(h("div", { class: "page" }, h("h1", {}, "Record"),
      h("p", {}, "Who did what, the newest first. Nobody can change it from this page."),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Record" },
        h("table", { class: "listing stacked" }, h("thead", {}, h("tr", {}, HEADS.map((head) => h("th", { scope: "col" }, head)))), this.rows)),
      this.none, this.older));
  }

  /** @param {number | null} before the `next` of what is shown; null begins anew */
  async load(before = null) {
    try {
      const page = await get(before === null ? "api/audit" : `api/audit?before=${before}`);
      const rows = page.entries.map(row);
      if (before === null) fill(this.rows, rows);
      else this.rows.append(...rows);
      this.next = page.next;
      this.older.hidden = page.next === null;
      this.none.hidden = this.rows.childElementCount > 0;
    } catch (error) {
      failure(error);
    }
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
  return { shown: () => { view.load(); }, unmount: () => {} };
}
