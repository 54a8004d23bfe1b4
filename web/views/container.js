/** One container with everything its source reports. */
import { get, serverNow } from "../api.js";
import { fill, foreign, h, setText } from "../dom.js";
import { clock, duration, shortId } from "../format.js";
import * as actions from "../parts/actions.js";
import { badge } from "../parts/badge.js";
import { ChangeList, changesBetween, described, marksOf } from "../parts/changes.js";
import { Charts } from "../parts/charts.js";
import { ageNote, containerHash } from "../parts/columns.js";
import { copyButton } from "../parts/copy.js";
import { sections } from "../parts/detail_sections.js";
import { dockerRun } from "../parts/docker_run.js";
import { section } from "../parts/facts.js";
import { Logs } from "../parts/logs.js";
import { patch } from "../parts/patch.js";
import { projectOf } from "../parts/search.js";
import { Terminal } from "../parts/terminal.js";
import { Samples } from "../samples.js";
import * as session from "../session.js";
import { standingOf } from "../state.js";
import * as store from "../store.js";

/** @typedef {import("../types.js").ContainerDetail} Detail */

const AGENT_ONLY = "Start, stop and restart are not available from this source: an agent only reports.";

class ContainerView {
  /** @param {HTMLElement} panel @param {string} hostId @param {string} reference */
  constructor(panel, hostId, reference) {
    this.panel = panel;
    this.hostId = hostId;
    this.reference = reference;
    this.detail = /** @type {Detail | null} */ (null);
    this.problem = "";
    this.missing = false;
    this.fetchedAt = 0;
    this.seen = "";
    this.loading = false;
    this.filters = { env: { query: "", height: 0 }, labels: { query: "", height: 0 } };
    this.logs = /** @type {Logs | null} */ (null);
    this.logsOf = "";
    this.logsPlace = h("div", { class: "detail-logs" });
    this.terminal = /** @type {Terminal | null} */ (null);
    this.terminalOf = "";
    this.terminalPlace = h("div", { class: "detail-terminal" });
    this.before = /** @type {Map<string, string | null> | null} */ (null);
    this.since = "";
    this.samples = new Samples();
    this.head = h("header", { class: "detail-head" });
    this.actions = h("div", { class: "buttons actions" });
    this.said = h("span", { role: "status" });
    this.age = h("span", {});
    this.note = h("p", { class: "standing-note" }, this.said, " ", this.age);
    this.changes = new ChangeList(() => this.markSeen());
    this.charts = new Charts();
    this.body = h("div", { class: "detail" });
    // What is live keeps its nodes; only the body is patched.
    panel.append(this.head, this.actions, this.note, h("div", { class: "detail-live" }, this.changes.node, this.charts.node), this.body, this.logsPlace, this.terminalPlace);
    this.charts.node.hidden = true;
    fill(this.body, h("p", { class: "loading" }, "Loading …"));
    this.update();
  }

  /** Fetch anew when the host has reported since, and say what changed. */
  async update() {
    this.sample();
    this.drawNote();
    const row = store.findRow(this.hostId, this.reference);
    const seen = this.current();
    if (seen === this.seen || this.loading || !store.loaded || this.panel.hidden) return;
    this.loading = true;
    try {
      // A name may be shared or no part of an address ("..", ""); an id is neither.
      const wanted = row?.container.id ?? this.reference;
      this.detail = await get(`api/hosts/${encodeURIComponent(this.hostId)}/containers/${encodeURIComponent(wanted)}`);
      [this.problem, this.missing, this.fetchedAt] = ["", false, serverNow()];
      this.seen = seen;
    } catch (error) {
      const status = /** @type {{status?: number}} */ (error).status;
      this.missing = status === 404;
      this.problem = this.missing ? "" : error instanceof Error ? error.message : String(error);
      if (this.missing) this.seen = seen;
    } finally {
      this.loading = false;
    }
    this.draw();
    if (this.seen === seen && this.current() !== seen) this.update();
  }

  /** Names what the store knows of this container; another name asks for another fetch. */
  current() {
    const host = store.hostOf(this.hostId);
    const row = store.findRow(this.hostId, this.reference);
    return host ? `${host.receivedAt}|${row?.container.goneAt}|${store.isSilent(host)}` : "no host";
  }

  /** Note the figures of a new report and whether its log goes on, also while another tab is shown. */
  sample() {
    const row = store.findRow(this.hostId, this.reference);
    if (row) this.samples.note(row);
    if (row?.container.id === this.logsOf) this.logs?.heed(row.container.state, row.container.startedAt);
    if (!this.panel.hidden) this.charts.update(this.samples);
  }

  markSeen() {
    this.before = null;
    this.draw();
  }

  draw() {
    this.drawNote();
    if (!this.detail) return this.drawNothing();
    const { host, goneAt } = this.detail;
    const container = goneAt ? { ...this.detail.container, goneAt } : this.detail.container;
    const known = store.hostOf(host.hostId);
    // What the list no longer holds is not current either.
    const silent = !known || store.isSilent(known) || !store.findRow(this.hostId, this.reference);
    const standing = standingOf(container, silent);
    this.body.dataset["current"] = standing.current ? "yes" : "no";
    patch(this.head, [h("h1", {}, foreign(container.name || shortId(container.id))), badge(standing), this.copies()]);
    patch(this.body, [...sections({ host, goneAt, container }, standing, this.drawChanges(), this.filters), this.siblings()]);
    this.drawLogs({ host, goneAt, container });
    this.drawTerminal({ host, goneAt, container });
  }

  /** There is no container to show: nobody knows it, or the server did not say. */
  drawNothing() {
    const host = store.hostOf(this.hostId);
    const why = !this.missing ? `${this.problem} The page goes on asking.` : host ? `${this.hostId} knows no container of this name: neither in its latest report nor among those that are gone.` : `No host ${this.hostId} is known here. It may have been forgotten, or have another name.`;
    patch(this.head, [h("h1", {}, foreign(this.reference))]);
    patch(this.body, [h("div", { class: "empty" }, h("p", {}, why), h("p", {},
      host ? h("a", { href: `#/containers?host=${encodeURIComponent(this.hostId)}` }, `Containers of ${this.hostId}`) : null, host ? " · " : null, h("a", { href: "#/containers" }, "All containers")))]);
  }

  drawChanges() {
    const now = described(/** @type {Detail} */ (this.detail).container);
    if (!this.before) {
      this.before = now;
      this.since = clock(new Date(serverNow()).toISOString(), serverNow());
    }
    const changes = changesBetween(this.before, now);
    this.changes.update(changes, this.since);
    return marksOf(changes);
  }

  copies() {
    const run = () => this.detail ? dockerRun(this.detail.container, this.detail.host.engine?.memTotal ?? null) : "";
    return h("span", { class: "buttons" },
      copyButton(() => JSON.stringify(this.detail?.container, null, 2), "JSON of the container", "Copy JSON"),
      copyButton(run, "as docker run", "Copy as docker run"));
  }

  /** The other containers of its compose project. */
  siblings() {
    const own = store.findRow(this.hostId, this.reference);
    const project = own ? projectOf(own) : "";
    if (!own || !project) return null;
    const others = store.allRows().filter((row) => row !== own && row.host.hostId === this.hostId && projectOf(row) === project && row.standing.kind !== "gone");
    const all = `#/containers?q=${encodeURIComponent(`project:${project}`)}&host=${encodeURIComponent(this.hostId)}`;
    return section("Compose project", h("p", {}, h("a", { href: all }, foreign(project))),
      others.length ? h("ul", { class: "siblings" }, others.map((row) => h("li", {}, badge(row.standing), h("a", { href: containerHash(row) }, foreign(row.container.name || shortId(row.container.id)))))) : h("p", { class: "none" }, "no other container"));
  }

  /** The log stands beside what is patched, so that no report disturbs its scrolling. @param {Detail} detail */
  drawLogs({ host, container, goneAt }) {
    const offered = host.capabilities.includes("logs") && !goneAt;
    const state = offered ? container.id : "none";
    if (this.logsOf === state) return;
    this.logsOf = state;
    this.logs?.stop();
    this.logs = null;
    const none = goneAt ? "The container is gone, and its log with it." : "Not available from this source: an agent reports what a container is, not what it prints.";
    // Where there is a log it is what people come for; where there is none it is the least.
    if (offered) this.body.before(this.logsPlace);
    else this.body.after(this.logsPlace);
    if (!offered) return fill(this.logsPlace, section("Logs", h("p", { class: "absent" }, none)));
    const logs = new Logs(`api/hosts/${encodeURIComponent(host.hostId)}/containers/${encodeURIComponent(container.id)}/logs`, () => container.name || shortId(container.id));
    this.logs = logs;
    fill(this.logsPlace, section("Logs", logs.node));
    logs.restart();
    logs.heed(container.state, container.startedAt);
  }

  /** @param {Detail} detail */
  drawTerminal({ host, container, goneAt }) {
    // What a shell showed last stays readable after its end.
    const running = container.state === "running" || (this.terminalOf === container.id && Boolean(this.terminal?.screen));
    const none = goneAt ? "The container is gone." : !host.capabilities.includes("exec") ? "Not available from this source: an agent only reports."
      : !session.isAdmin() ? "Only an admin may open a terminal." : running ? "" : "Only a running container has a terminal.";
    const state = none || container.id;
    if (this.terminalOf === state) return;
    this.terminalOf = state;
    this.terminal?.stop();
    this.terminal = none ? null : new Terminal(() => ({ hostId: host.hostId, containerId: container.id, name: container.name || shortId(container.id) }));
    if (none) this.logsPlace.after(this.terminalPlace);
    else this.body.before(this.terminalPlace);
    fill(this.terminalPlace, section("Terminal", this.terminal?.node ?? h("p", { class: "absent" }, none)));
  }

  drawActions() {
    const row = store.findRow(this.hostId, this.reference);
    this.actions.hidden = !row || row.standing.kind === "gone";
    if (row) actions.updateActions(this.actions, row, 5, [AGENT_ONLY]);
  }

  /** How current this is: gone, unknown, replaced or live. */
  drawNote() {
    this.drawActions();
    const host = store.hostOf(this.hostId);
    const row = store.findRow(this.hostId, this.reference);
    const age = host ? duration(serverNow() - Date.parse(host.receivedAt)) : "";
    let text = "", kind = "fresh", aged = "";
    if (this.detail && this.problem) {
      [text, kind, aged] = [`It could not be brought up to date: ${this.problem}`, "stale", `What is shown is ${duration(serverNow() - this.fetchedAt)} old.`];
    } else if (this.detail && store.loaded && !host) {
      [text, kind] = ["This host has been forgotten. What is shown is its last known state.", "stale"];
    } else if (host?.conflict) {
      [text, kind, aged] = [`${host.conflict.length} machines report as ${host.hostId}, so this may be now one's, now the other's.`, "stale", `As reported ${age} ago.`];
    } else if (row?.standing.kind === "gone") {
      [text, kind] = [`This container is gone ${ageNote(row)}.`, "stale"];
    } else if (host?.error) {
      [text, kind, aged] = [`The host cannot be asked now: ${host.error}.`, "stale", `What is shown is ${age} old.`];
    } else if (host && store.isSilent(host)) {
      [text, kind, aged] = [`The host is silent: state unknown since ${clock(host.receivedAt, serverNow())}.`, "stale", `These are the last known values, ${age} old.`];
    } else if (this.detail && store.loaded && !row) {
      [text, kind] = ["This container is no longer known. What is shown is its last known state.", "stale"];
    } else if (host && this.detail) {
      aged = `As reported ${age} ago.`;
    }
    this.note.dataset["kind"] = kind;
    // Only what it is gets announced, not each second of its age.
    setText(this.said, text);
    setText(this.age, aged);
  }
}

/** @param {HTMLElement} panel @param {string} hostId @param {string} reference */
export function mount(panel, hostId, reference) {
  const view = new ContainerView(panel, hostId, reference);
  const unsubscribe = [store.subscribe(() => view.update()), actions.subscribe(() => view.drawActions())];
  const ticking = setInterval(() => { if (view.problem) view.update(); else view.drawNote(); }, 5000);
  return { shown: () => { view.update(); }, unmount: () => { for (const end of unsubscribe) end(); clearInterval(ticking); view.charts.stop(); view.logs?.stop(); view.terminal?.stop(); } };
}
