/** Every container of every host in one spreadsheet. */
import { call, serverNow } from "../api.js";
import { fill, h, setAttribute, setText } from "../dom.js";
import { duration } from "../format.js";
import * as actions from "../parts/actions.js";
import { COLUMNS } from "../parts/columns.js";
import { confirm } from "../parts/dialog.js";
import { gettingStarted } from "../parts/started.js";
import { failure, notice } from "../parts/notice.js";
import { matcher, projectOf } from "../parts/search.js";
import { Table } from "../parts/table.js";
import * as prefs from "../prefs.js";
import * as session from "../session.js";
import { FILTERS } from "../state.js";
import * as store from "../store.js";

/** @typedef {import("../types.js").Row} Row */
/** @typedef {import("../parts/table.js").Line<Row>} Line */

export const id = "containers";
export const title = "Containers";
export const access = "member";

const SOURCES = /** @type {Record<string, string>} */ ({ agent: "agent", "docker-tcp": "TCP", "docker-socket": "socket", "docker-ssh": "SSH" });
const STALE_NAMED = 4;
const GROUPS = [["none", "No groups"], ["host", "By host"], ["project", "By compose project"], ["image", "By image"]];

class ContainersView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    const { host, query, filters } = prefs.readHere("looking", { host: "", query: "", filters: /** @type {string[]} */ ([]) });
    this.host = host;
    this.query = query;
    this.filters = new Set(filters);
    this.settings = prefs.read("containers", { sort: "state", descending: false, group: "none", hidden: /** @type {string[]} */ ([]), added: /** @type {string[]} */ ([]) });
    this.order = /** @type {Map<string, number>} */ (new Map());
    this.table = /** @type {Table<Row>} */ (new Table({ label: "Containers", onSort: (column) => this.sortBy(column) }));
    this.hostText = h("span", {});
    this.forgetButton = h("button", { type: "button", class: "danger", onclick: () => this.forget() }, "Forget this host");
    this.hostNote = h("p", { class: "host-note" }, this.hostText, this.forgetButton);
    this.summary = h("p", { class: "summary", role: "status" });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Filter by state" });
    this.empty = h("div", { class: "empty" });
    this.hostSelect = h("select", { "aria-label": "Host", onchange: () => this.chooseHost(this.hostSelect.value) });
    this.search = h("input", { type: "search", placeholder: "Search, or state:exited host:nas label:team=web port:8080", "aria-label": "Search containers", value: query, autocomplete: "off", spellcheck: "false", oninput: () => { this.query = this.search.value; this.draw(true); } });
    panel.append(h("h1", { class: "unseen" }, "Containers"), this.toolbar(), this.chips, this.hostNote, this.summary, this.empty, this.table.node);
    this.table.body.addEventListener("pointerleave", () => this.draw(true));
    this.draw(true);
  }

  toolbar() {
    const groups = h("select", { "aria-label": "Group", onchange: () => this.set({ group: groups.value }) },
      GROUPS.map(([value, text]) => h("option", { value, selected: value === this.settings.group }, text)));
    const sorts = h("select", { "aria-label": "Sort", class: "phone-only", onchange: () => this.set({ sort: sorts.value, descending: false }) },
      COLUMNS.filter((column) => column.sortable).map((column) => h("option", { value: column.id, selected: column.id === this.settings.sort }, `Sort by ${column.title.toLowerCase()}`)));
    return h("div", { class: "toolbar" }, this.hostSelect, this.search, groups, sorts, this.columnMenu());
  }

  columnMenu() {
    const boxes = COLUMNS.filter((column) => column.id !== "name").map((column) => {
      const box = h("input", { type: "checkbox", checked: this.isWanted(column), onchange: () => this.chooseColumn(column.id, column.usual, box.checked) });
      return h("label", {}, box, column.title);
    });
    return h("details", { class: "menu" }, h("summary", {}, "Columns"), h("div", { class: "menu-body" }, boxes));
  }

  /** @param {{id: string, usual: boolean}} column */
  isWanted(column) {
    return column.usual ? !this.settings.hidden.includes(column.id) : this.settings.added.includes(column.id);
  }

  /** @param {string} column @param {boolean} usual @param {boolean} shown */
  chooseColumn(column, usual, shown) {
    const hidden = new Set(this.settings.hidden), added = new Set(this.settings.added);
    const changed = usual ? hidden : added;
    if (shown === usual) changed.delete(column);
    else changed.add(column);
    this.set({ hidden: [...hidden], added: [...added] });
  }

  /** @param {Partial<typeof this.settings>} changes */
  set(changes) {
    Object.assign(this.settings, changes);
    prefs.write("containers", this.settings);
    this.draw(true);
  }

  /** @param {string} column */
  sortBy(column) {
    this.set({ sort: column, descending: this.settings.sort === column && !this.settings.descending });
  }

  /** @param {string} host */
  chooseHost(host) {
    this.host = host;
    this.draw(true);
  }

  update() {
    this.draw(!this.table.isTouched);
  }

  /** @param {boolean} mayMove whether rows may change places; not under a pointer */
  draw(mayMove) {
    this.drawHosts();
    prefs.writeHere("looking", { host: this.host, query: this.query, filters: [...this.filters] });
    const all = store.allRows().filter((row) => !this.host || row.host.hostId === this.host);
    const fits = matcher(this.query);
    const found = all.filter(fits);
    this.drawChips(found);
    const rows = this.filters.size ? found.filter((row) => this.filters.has(row.standing.filter)) : found;
    const columns = COLUMNS.filter((column) => this.isWanted(column) && (column.id !== "host" || !this.host));
    this.table.setColumns(columns, this.settings.sort, this.settings.descending);
    this.drawEmpty(all.length, rows.length);
    setText(this.summary, store.loaded ? `${rows.length} of ${all.length} containers on ${this.host ? "1 host" : `${store.allHosts().length} hosts`}` : "");
    this.table.setLines(this.lines(this.sorted(rows, mayMove)));
  }

  drawHosts() {
    const hosts = store.allHosts();
    if (store.loaded && this.host && !hosts.some((host) => host.hostId === this.host)) this.host = "";
    const options = [{ value: "", text: `All hosts (${hosts.length})` }, ...hosts.map((host) => ({
      value: host.hostId,
      text: `${host.hostId} · ${SOURCES[host.source] ?? host.source}${store.isSilent(host) ? " · stale" : ""}`,
    }))];
    const state = JSON.stringify(options);
    if (this.hostSelect.dataset["state"] !== state) {
      this.hostSelect.dataset["state"] = state;
      fill(this.hostSelect, options.map(({ value, text }) => h("option", { value }, text)));
    }
    this.hostSelect.value = this.host;
    this.drawHostNote();
  }

  /** How current the chosen host is, or which hosts are not. */
  drawHostNote() {
    const host = this.host ? store.hostOf(this.host) : null;
    const stale = store.allHosts().filter((one) => store.isSilent(one));
    const isStale = host ? store.isSilent(host) : stale.length > 0;
    setAttribute(this.hostNote, "data-kind", isStale ? "stale" : "fresh");
    setText(this.hostText, host ? hostLine(host, isStale) : staleLine(stale));
    this.forgetButton.hidden = !(host && isStale && session.isAdmin());
    this.hostNote.hidden = this.hostText.textContent === "";
  }

  async forget() {
    const host = store.hostOf(this.host);
    if (!host) return;
    const sure = await confirm({ title: `Forget ${host.hostId}?`, text: `${host.hostId} and its ${host.containerCount} containers disappear from this page. If its agent reports again, it comes back.`, action: "Forget host", danger: true });
    if (!sure) return;
    try {
      await call("DELETE", `api/agents/docker/hosts/${encodeURIComponent(host.hostId)}`);
      notice(`Forgot ${host.hostId}`);
      store.retry();
    } catch (error) {
      failure(error);
    }
  }

  /** @param {Row[]} rows */
  drawChips(rows) {
    const counts = /** @type {Record<string, number>} */ ({});
    for (const row of rows) counts[row.standing.filter] = (counts[row.standing.filter] ?? 0) + 1;
    if (this.chips.childElementCount === 0) {
      this.chips.append(...FILTERS.map(({ id: filter, label }) => h("button", { type: "button", class: "chip", "data-filter": filter, "aria-pressed": "false", onclick: () => this.toggle(filter) }, h("span", { class: "dot", "aria-hidden": "true" }), `${label} `, h("span", { class: "count" }))));
    }
    for (const chip of /** @type {NodeListOf<HTMLElement>} */ (this.chips.querySelectorAll(".chip"))) {
      const filter = chip.dataset["filter"] ?? "";
      setText(/** @type {Element} */ (chip.querySelector(".count")), String(counts[filter] ?? 0));
      setAttribute(chip, "aria-pressed", String(this.filters.has(filter)));
      setAttribute(chip, "data-empty", counts[filter] ? "no" : "yes");
    }
  }

  /** @param {string} filter */
  toggle(filter) {
    if (!this.filters.delete(filter)) this.filters.add(filter);
    this.draw(true);
  }

  /** @param {number} known @param {number} shown */
  drawEmpty(known, shown) {
    this.table.node.hidden = shown === 0;
    this.empty.hidden = shown > 0;
    const kind = shown > 0 ? "" : !store.loaded ? "loading" : known === 0 && store.allHosts().length === 0 ? "start" : known === 0 ? "none" : "filtered";
    // Without a host there is nothing to search or to filter.
    setAttribute(/** @type {Element} */ (this.empty.parentElement), "data-start", kind === "start" ? "yes" : null);
    if (this.empty.dataset["kind"] === kind) return;
    this.empty.dataset["kind"] = kind;
    if (kind === "loading") fill(this.empty, h("p", {}, "Waiting for the first answer …"));
    if (kind === "start") fill(this.empty, gettingStarted());
    if (kind === "none") fill(this.empty, h("p", {}, "No containers here. They appear with the host's next report."));
    if (kind === "filtered") fill(this.empty, h("p", {}, "No container fits the search and the filters."), h("button", { type: "button", onclick: () => this.clearFilters() }, "Show all"));
  }

  clearFilters() {
    this.filters.clear();
    this.query = this.search.value = "";
    this.draw(true);
  }

  /** @param {Row[]} rows @param {boolean} mayMove */
  sorted(rows, mayMove) {
    if (!mayMove) {
      const place = (/** @type {Row} */ row) => this.order.get(row.key) ?? Number.MAX_SAFE_INTEGER;
      return rows.sort((a, b) => place(a) - place(b));
    }
    const value = COLUMNS.find((column) => column.id === this.settings.sort)?.value ?? ((row) => row.standing.rank);
    const sign = this.settings.descending ? -1 : 1;
    const keyed = rows.map((row) => ({ row, value: value(row) }));
    keyed.sort((a, b) => (a.value < b.value ? -sign : a.value > b.value ? sign : a.row.key < b.row.key ? -1 : 1));
    this.order = new Map(keyed.map(({ row }, index) => [row.key, index]));
    return keyed.map(({ row }) => row);
  }

  /** @param {Row[]} rows @returns {Line[]} */
  lines(rows) {
    const group = /** @type {Record<string, (row: Row) => string>} */ ({ host: (row) => row.host.hostId, project: (row) => projectOf(row) || "no compose project", image: (row) => row.container.image })[this.settings.group];
    if (!group) return rows.map((row) => ({ key: row.key, item: row }));
    const groups = /** @type {Map<string, Row[]>} */ (new Map());
    for (const row of rows) {
      const name = group(row);
      const members = groups.get(name);
      if (members) members.push(row);
      else groups.set(name, [row]);
    }
    return [...groups].flatMap(([name, members]) => [
      { key: `group/${name}`, heading: name, count: members.length },
      ...members.map((row) => ({ key: row.key, item: row })),
    ]);
  }
}

/** @param {import("../types.js").Host} host */
function age(host) {
  return duration(serverNow() - Date.parse(host.receivedAt));
}

/** @param {import("../types.js").Host} host @param {boolean} isStale */
function hostLine(host, isStale) {
  // Directional marks in a name a host chose for itself end with it.
  const name = `\u2068${host.hostname ?? host.hostId}\u2069`;
  if (host.error) return `${name} cannot be asked now: \u2068${host.error}\u2069. What is shown is ${age(host)} old.`;
  if (isStale) return `${name} is stale: its last report is ${age(host)} old. What is shown is its last known state.`;
  return `${name} reported ${age(host)} ago${host.engine?.version ? `, engine \u2068${host.engine.version}\u2069` : ""}.`;
}

/** @param {import("../types.js").Host[]} stale */
function staleLine(stale) {
  if (stale.length === 0) return "";
  const more = stale.length > STALE_NAMED ? ` and ${stale.length - STALE_NAMED} more` : "";
  return `Stale: ${stale.slice(0, STALE_NAMED).map((host) => `${host.hostId} (last report ${age(host)} ago)`).join(", ")}${more}.`;
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const view = new ContainersView(panel);
  const unsubscribe = [store.subscribe(() => view.update()), actions.subscribe(() => view.update())];
  const ticking = setInterval(() => view.drawHostNote(), 5000);
  return {
    shown: () => view.table.draw(),
    unmount: () => { for (const end of unsubscribe) end(); clearInterval(ticking); },
  };
}
