/** Every container of every host in one spreadsheet. */
import { fill, h, setAttribute, setText } from "../dom.js";
import * as actions from "../parts/actions.js";
import { Arrangement, GROUPS } from "../parts/arrange.js";
import { Chips } from "../parts/chips.js";
import { columnMenu, isWanted } from "../parts/column_menu.js";
import { COLUMNS } from "../parts/columns.js";
import { HostChoice } from "../parts/host_note.js";
import { notice } from "../parts/notice.js";
import { gettingStarted } from "../parts/started.js";
import { prepare } from "../parts/search.js";
import { Table } from "../parts/table.js";
import { EVERY_MS } from "../poll.js";
import * as prefs from "../prefs.js";
import { isTrouble } from "../state.js";
import * as store from "../store.js";

/** @typedef {import("../types.js").Row} Row */

export const id = "containers";
export const title = "Containers";
export const access = "member";

const USUAL = { sort: "state", descending: false, group: "none", hidden: /** @type {string[]} */ ([]), added: /** @type {string[]} */ ([]) };
const HINT = "Search, or state:exited host:nas label:team=web port:8080";
/** Browsers refuse an address that changes with every key. */
const ADDRESS_AFTER_MS = 400;

/** @param {typeof USUAL} settings */
function orderOf({ sort, descending, group }) {
  return { sort, descending, group };
}

/** The order that an address asks for. @param {URLSearchParams} params */
function orderSaid(params) {
  const sort = params.get("sort") ?? "", group = params.get("group") ?? "";
  return {
    sort: COLUMNS.some((column) => column.sortable && column.id === sort) ? sort : USUAL.sort,
    descending: params.has("descending"),
    group: GROUPS.some(([name]) => name === group) ? group : USUAL.group,
  };
}

class ContainersView {
  /** @param {HTMLElement} panel @param {(hash: string) => void} readdress */
  constructor(panel, readdress) {
    this.panel = panel;
    this.readdress = readdress;
    this.addressing = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.host = "";
    this.query = "";
    this.filters = /** @type {Set<string>} */ (new Set());
    this.settings = prefs.read("containers", USUAL);
    this.arrangement = new Arrangement();
    this.table = /** @type {Table<Row>} */ (new Table({ label: "Containers", onSort: (column) => this.sortBy(column), isDim: (row) => !row.standing.current, around: panel }));
    this.hosts = new HostChoice((host) => { this.host = host; this.change(); });
    this.chips = new Chips(this.filters, () => this.change());
    this.summaryText = h("span", { role: "status" });
    this.waiting = h("span", { class: "waiting" });
    this.empty = h("div", { class: "empty" });
    this.started = /** @type {ReturnType<typeof gettingStarted> | null} */ (null);
    this.search = h("input", { type: "search", placeholder: HINT, "aria-label": "Search containers", "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", oninput: () => { this.query = this.search.value; this.change(ADDRESS_AFTER_MS); } });
    this.groups = h("select", { "aria-label": "Group", onchange: () => this.set({ group: this.groups.value }) }, GROUPS.map(([value, text]) => h("option", { value }, text)));
    this.sorts = h("select", { "aria-label": "Sort", class: "narrow-only", onchange: () => this.sortBy(this.sorts.value) },
      COLUMNS.filter((column) => column.sortable).map((column) => h("option", { value: column.id }, `Sort by ${column.title.toLowerCase()}`)));
    this.turn = h("button", { type: "button", class: "narrow-only", onclick: () => this.set({ descending: !this.settings.descending }) });
    this.menu = columnMenu(() => this.settings, (choice) => this.set(choice));
    panel.append(h("h1", { class: "unseen" }, "Containers"), h("div", { class: "toolbar" }, this.hosts.select, this.search, this.groups, this.sorts, this.turn, this.menu.node),
      this.chips.node, this.hosts.conflict, this.hosts.note, h("p", { class: "summary" }, this.summaryText, " ", this.waiting), this.empty, this.table.node);
    this.table.body.addEventListener("pointerleave", () => this.draw(true));
    this.table.body.addEventListener("focusout", (event) => {
      if (!this.table.body.contains(/** @type {Node | null} */ (event.relatedTarget))) this.draw(!this.table.isPointedAt);
    });
  }

  /**
   * Show what an address asks for; what it does not say is as it usually is.
   * Only who comes to the bare list for the first time in this tab of the
   * browser finds the order that was last chosen, and the address then says it.
   * @param {URLSearchParams} params
   */
  show(params) {
    this.host = params.get("host") ?? "";
    this.query = this.search.value = params.get("q") ?? "";
    this.filters.clear();
    for (const filter of (params.get("show") ?? "").split(",").filter((one) => one && this.chips.chips.has(one))) this.filters.add(filter);
    const isFirst = [...params].length === 0 && !prefs.readHere("containers", { seen: false }).seen;
    prefs.writeHere("containers", { seen: true });
    Object.assign(this.settings, isFirst ? orderOf(prefs.read("containers", USUAL)) : orderSaid(params));
    this.draw(true);
    this.readdress(this.address());
    // The next answer may bring it.
    setTimeout(() => this.checkHost(), 2 * EVERY_MS);
  }

  /** The address of what is shown, to keep or to share. */
  address() {
    const { sort, descending, group } = this.settings;
    const said = Object.entries({ q: this.query, host: this.host, show: [...this.filters].join(),
      sort: sort === USUAL.sort && !descending ? "" : sort, descending: descending ? "1" : "", group: group === USUAL.group ? "" : group })
      .filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return said.length ? `#/containers?${said.join("&")}` : "#/containers";
  }

  /** @param {Partial<typeof USUAL>} changes */
  set(changes) {
    Object.assign(this.settings, changes);
    prefs.change("containers", changes);
    this.change();
  }

  /** Show the columns that another tab of the browser chose; the order is each one's own. */
  follow() {
    const { hidden, added } = prefs.read("containers", USUAL);
    Object.assign(this.settings, { hidden, added });
    this.menu.update();
    if (!this.panel.hidden) this.draw(!this.table.isTouched);
  }

  /** @param {string} column */
  sortBy(column) {
    const first = COLUMNS.find((one) => one.id === column)?.biggestFirst ?? false;
    this.set({ sort: column, descending: this.settings.sort === column ? !this.settings.descending : first });
  }

  /** A link may name a host that is not here, or no longer; once that is known, show all. */
  checkHost() {
    if (!store.loaded || !this.host || store.hostOf(this.host)) return;
    notice(`No host ${this.host} is known here. All hosts are shown.`);
    this.host = "";
    this.change();
  }

  update() {
    this.checkHost();
    prepare(store.allRows());
    // Nobody sees it now, and it is drawn anew when it is shown.
    if (!this.panel.hidden) this.draw(!this.table.isTouched);
  }

  /** @param {boolean} mayMove whether rows may change places; not under a pointer */
  draw(mayMove) {
    this.hosts.update(this.host);
    const { sort, descending, group } = this.settings;
    [this.groups.value, this.sorts.value] = [group, sort];
    setText(this.turn, descending ? "▼" : "▲");
    setAttribute(this.turn, "aria-label", descending ? "Descending: sort ascending" : "Ascending: sort descending");
    const { found, shown } = this.arrangement.update(store.allRows(), { host: this.host, query: this.query, filters: this.filters, sort, descending, group }, mayMove);
    this.chips.update(found);
    this.table.setColumns(COLUMNS.filter((column) => isWanted(column, this.settings) && (column.id !== "host" || !this.host)), sort, descending);
    this.drawEmpty(this.arrangement.lines.length);
    this.drawSummary(shown.length);
    this.table.setLines(this.arrangement.lines);
  }

  /** Draw what a person asked for, and let the address say it. @param {number} [afterMs] */
  change(afterMs = 0) {
    this.draw(true);
    clearTimeout(this.addressing);
    // Not before the frame that shows it: browsers take their time over an address.
    this.addressing = setTimeout(() => this.readdress(this.address()), afterMs);
  }

  /** @param {number} shown */
  drawSummary(shown) {
    const hosts = store.allHosts();
    const stale = hosts.filter((host) => store.isSilent(host)).length;
    const all = this.host ? store.allRows().filter((row) => row.host.hostId === this.host).length : store.allRows().length;
    const where = this.host ? "1 host" : `${hosts.length} ${hosts.length === 1 ? "host" : "hosts"}${stale ? `, ${stale} stale` : ""}`;
    setText(this.summaryText, store.loaded ? `${shown} of ${all} containers on ${where}` : "");
    setText(this.waiting, this.arrangement.waiting ? "Sorted anew when you leave the rows." : "");
  }

  /** @param {number} shown */
  drawEmpty(shown) {
    const all = store.allRows(), known = this.host ? all.some((row) => row.host.hostId === this.host) : all.length > 0;
    this.table.node.hidden = shown === 0;
    this.empty.hidden = shown > 0;
    const kind = shown > 0 ? "" : !store.loaded ? "loading" : store.allHosts().length === 0 ? "start" : known ? "filtered" : "none";
    // Without a host there is nothing to search or to filter.
    setAttribute(this.panel, "data-start", kind === "start" ? "yes" : null);
    const before = this.empty.dataset["kind"];
    if (before === kind) return;
    if (before === "start" && shown > 0) welcome();
    this.empty.dataset["kind"] = kind;
    if (kind === "loading") fill(this.empty, h("p", {}, "Waiting for the first answer …"));
    this.started?.stop();
    this.started = kind === "start" ? gettingStarted() : null;
    if (this.started) fill(this.empty, this.started.node);
    if (kind === "none") fill(this.empty, h("p", {}, "No containers here. They appear with the host's next report."));
    if (kind === "filtered") fill(this.empty, h("p", {}, "No container fits the search and the filters."), h("button", { type: "button", onclick: () => this.clearFilters() }, "Show all"));
  }

  clearFilters() {
    this.filters.clear();
    this.query = this.search.value = "";
    this.change();
  }

  /** A slash leads to the search box, as in many lists. @param {KeyboardEvent} event */
  onKey(event) {
    const inText = event.target instanceof HTMLElement && event.target.matches("input, select, textarea, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || inText || this.panel.hidden || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.search.select();
  }
}

/** Say that the first host is here: whoever waits may look elsewhere. */
function welcome() {
  const hosts = store.allHosts(), count = store.allRows().length;
  notice(`${hosts.map((host) => host.hostId).join(", ")} ${hosts.length === 1 ? "reports" : "report"}: ${count} ${count === 1 ? "container" : "containers"}`);
}

/** What a title says before anybody looks at the page. */
export function mark() {
  const trouble = store.allRows().filter((row) => isTrouble(row.standing)).length;
  return trouble ? `(${trouble}) ` : "";
}

/** @param {HTMLElement} panel @param {(hash: string) => void} readdress */
export function mount(panel, readdress) {
  const view = new ContainersView(panel, readdress);
  const unsubscribe = [prefs.follow("containers", () => view.follow()), store.subscribe(() => view.update()), actions.subscribe(() => { view.table.renew(); view.update(); })];
  const ticking = setInterval(() => view.hosts.drawNote(), 5000);
  // Where one leaves for is reached by Back with what was looked for.
  panel.addEventListener("click", () => view.readdress(view.address()), true);
  const onKey = (/** @type {KeyboardEvent} */ event) => view.onKey(event);
  document.addEventListener("keydown", onKey);
  return {
    shown: (/** @type {URLSearchParams} */ params) => view.show(params),
    address: () => view.address(),
    unmount: () => {
      for (const end of unsubscribe) end();
      clearInterval(ticking);
      clearTimeout(view.addressing);
      view.started?.stop();
      document.removeEventListener("keydown", onKey);
    },
  };
}
