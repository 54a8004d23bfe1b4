/** One container with everything its source reports. */
import { get, serverNow } from "../api.js";
import { fill, foreign, h, setText } from "../dom.js";
import { clock, dateTime, duration, imageParts, portText, shortId, span, traffic } from "../format.js";
import * as actions from "../parts/actions.js";
import { badge } from "../parts/badge.js";
import { ageNote, containerHash } from "../parts/columns.js";
import { copyButton } from "../parts/copy.js";
import { absent, facts, filtered, listing, section, textOr } from "../parts/facts.js";
import { cpuFigure, memoryFigure } from "../parts/figures.js";
import { Logs } from "../parts/logs.js";
import { meter, updateMeter } from "../parts/meter.js";
import { patch } from "../parts/patch.js";
import { portLink } from "../parts/ports.js";
import { projectOf } from "../parts/search.js";
import { Terminal } from "../parts/terminal.js";
import * as session from "../session.js";
import { isUp, standingOf, upFor } from "../state.js";
import * as store from "../store.js";

/** @typedef {import("../types.js").Container} Container */
/** @typedef {import("../types.js").ContainerDetail} Detail */
/** @typedef {import("../state.js").Standing} Standing */

/** @param {string | null | undefined} text */
function time(text) {
  return text ? h("time", { datetime: text, title: text }, dateTime(text)) : null;
}

/** @param {string} text @param {string} label */
function copyable(text, label) {
  return h("span", { class: "copyable" }, h("code", {}, foreign(text)), copyButton(text, label));
}

/** What stands where a running container has no end yet. @param {Standing} standing */
function stillUp(standing) {
  return standing.current ? "still up" : "was up when last seen";
}

/** @param {Detail} detail @param {Standing} standing */
function overview({ container, host }, standing) {
  const { name, tag, digest } = imageParts(container.image);
  const uptime = upFor(container, host, standing, serverNow());
  const never = container.state === "created" ? "never" : null;
  return section("Overview", facts([
    ["Name", container.name ? copyable(container.name, "the name") : absent()],
    ["Host", h("span", {}, foreign(host.hostId), host.hostname ? h("small", {}, " (", foreign(host.hostname), ")") : null)],
    ["Image", h("span", {}, foreign(name || "—"), tag ? h("span", { class: "tag" }, foreign(tag)) : null, digest ? h("span", { class: "tag" }, foreign(digest)) : null)],
    ["Image id", textOr(container.imageId, (text) => copyable(text, "the image id"))],
    ["Short id", copyable(shortId(container.id), "the short id")],
    ["Full id", copyable(container.id, "the full id")],
    ["Created", time(container.createdAt) ?? absent()],
    ["Started", time(container.startedAt) ?? never ?? absent()],
    ["Finished", time(container.finishedAt) ?? (isUp(container) ? stillUp(standing) : never ?? absent())],
    ["Uptime", uptime !== null ? span(uptime) : isUp(container) ? absent() : "not running"],
    ["Restart count", container.restartCount == null ? absent() : String(container.restartCount)],
    ["Restart policy", textOr(container.restartPolicy)],
  ]));
}

/** @param {Detail} detail @param {Standing} standing */
function stateSection({ container }, standing) {
  return section("State and health", facts([
    ["State", h("span", {}, badge(standing), standing.current ? null : h("small", {}, " last seen as ", foreign(container.state)))],
    ["Status", textOr(container.status)],
    ["Exit code", container.exitCode == null ? (isUp(container) ? stillUp(standing) : container.state === "created" ? "never ran" : absent()) : String(container.exitCode)],
    ["Health", container.health == null ? absent() : container.health === "none" ? "no healthcheck" : foreign(container.health)],
    ["Out of memory", container.oomKilled == null ? absent() : container.oomKilled ? "killed" : "no"],
  ]));
}

/** @param {string} kind @param {import("../parts/figures.js").Figure} figure */
function figureMeter(kind, figure) {
  const node = meter(kind);
  updateMeter(node, figure);
  return h("span", {}, node, h("small", { class: "how" }, figure.title));
}

/** @param {number | null | undefined} value */
function trafficOr(value) {
  return value == null ? absent() : h("span", { title: `${value} bytes since the start` }, traffic(value));
}

/** @param {Detail} detail */
function statsSection({ container, host }) {
  const stats = container.stats;
  if (!stats) return section("Stats", h("p", {}, container.state === "running" ? absent() : "Only a running container has stats."));
  return section("Stats", facts([
    ["CPU", stats.cpuPercent == null ? absent() : figureMeter("cpu", cpuFigure(container, host))],
    ["Memory", stats.memUsage == null ? absent() : figureMeter("memory", memoryFigure(container, host))],
    ["Network received", trafficOr(stats.netRxBytes)],
    ["Network sent", trafficOr(stats.netTxBytes)],
    ["Disk read", trafficOr(stats.blockReadBytes)],
    ["Disk written", trafficOr(stats.blockWriteBytes)],
    ["Processes", stats.pids == null ? absent() : String(stats.pids)],
  ]));
}

/** @param {Detail} detail */
function portsSection({ container, host }) {
  const rows = container.ports?.map((port) => {
    const link = portLink(port, host);
    const text = foreign(portText(port));
    return [
      `${port.containerPort}/${port.proto}`,
      port.hostPort == null ? "not published" : foreign(`${port.hostIp || "any address"}`),
      port.hostPort == null ? "—" : String(port.hostPort),
      link ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, text) : text,
    ];
  });
  return section("Ports", listing("Ports", ["Container port", "Host address", "Host port", "Binding"], rows ?? null));
}

/** @param {Detail} detail */
function networksSection({ container }) {
  const rows = container.networks?.map((network) => [foreign(network.name), network.ip ? h("code", {}, foreign(network.ip)) : "no address"]);
  return section("Networks", listing("Networks", ["Network", "Address"], rows ?? null));
}

/** @param {Detail} detail */
function mountsSection({ container }) {
  const rows = container.mounts?.map(({ type, source, destination, rw }) => [
    foreign(type), h("code", {}, foreign(source || "—")), h("code", {}, foreign(destination)),
    rw == null ? "—" : rw ? "read and write" : "read only",
  ]);
  return section("Mounts", listing("Mounts", ["Type", "Source", "Destination", "Access"], rows ?? null));
}

/** @param {Detail} detail */
function commandSection({ container }) {
  const show = (/** @type {string} */ text) => h("pre", { tabindex: "0" }, h("code", {}, foreign(text)));
  return section("Entrypoint and command", facts([["Entrypoint", textOr(container.entrypoint, show)], ["Command", textOr(container.command, show)]]));
}

class ContainerView {
  /** @param {HTMLElement} panel @param {string} hostId @param {string} reference */
  constructor(panel, hostId, reference) {
    this.panel = panel;
    this.hostId = hostId;
    this.reference = reference;
    this.detail = /** @type {Detail | null} */ (null);
    this.problem = "";
    this.seen = "";
    this.loading = false;
    this.queries = { env: "", labels: "" };
    this.logs = /** @type {Logs | null} */ (null);
    this.logsOf = "";
    this.logsPlace = h("div", { class: "detail-logs" });
    this.terminal = /** @type {Terminal | null} */ (null);
    this.terminalOf = "";
    this.terminalPlace = h("div", { class: "detail-terminal" });
    this.head = h("header", { class: "detail-head" });
    this.actions = h("div", { class: "buttons actions" });
    this.said = h("span", { role: "status" });
    this.age = h("span", {});
    this.note = h("p", { class: "standing-note" }, this.said, " ", this.age);
    this.body = h("div", { class: "detail" });
    panel.append(this.head, this.actions, this.note, this.body, this.logsPlace, this.terminalPlace);
    fill(this.body, h("p", { class: "loading" }, "Loading …"));
    this.update();
  }

  /** Fetch anew when the host has reported since, and say what changed. */
  async update() {
    this.drawNote();
    const row = store.findRow(this.hostId, this.reference);
    const seen = this.current();
    if (seen === this.seen || this.loading || !store.loaded || this.panel.hidden) return;
    this.loading = true;
    try {
      // A name may be shared or no part of an address ("..", ""); an id is neither.
      const wanted = row?.container.id ?? this.reference;
      this.detail = await get(`api/hosts/${encodeURIComponent(this.hostId)}/containers/${encodeURIComponent(wanted)}`);
      this.problem = "";
      this.seen = seen;
    } catch (error) {
      const status = /** @type {{status?: number}} */ (error).status;
      this.problem = status === 404 ? "This container is not known: neither in the host's latest report nor among those that are gone." : error instanceof Error ? error.message : String(error);
      if (status) this.seen = seen;
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

  draw() {
    this.drawNote();
    if (!this.detail) return fill(this.body, h("p", { class: "empty" }, this.problem, " ", h("a", { href: "#/containers" }, "All containers")));
    const { host, goneAt } = this.detail;
    const container = goneAt ? { ...this.detail.container, goneAt } : this.detail.container;
    const detail = { host, goneAt, container };
    const known = store.hostOf(host.hostId);
    // What the list no longer holds is not current either.
    const silent = !known || store.isSilent(known) || !store.findRow(this.hostId, this.reference);
    const standing = standingOf(container, silent);
    this.body.dataset["current"] = standing.current ? "yes" : "no";
    patch(this.head, [h("h1", {}, foreign(container.name || shortId(container.id))), badge(standing), copyButton(() => JSON.stringify(this.detail?.container, null, 2), "JSON of the container", "Copy JSON")]);
    patch(this.body, [overview(detail, standing), stateSection(detail, standing), statsSection(detail), portsSection(detail), networksSection(detail), mountsSection(detail),
      section("Environment", filtered("Environment", container.env?.map(({ key, value }) => [key, value]) ?? null, this.queries.env, (query) => { this.queries.env = query; })),
      section("Labels", filtered("Labels", container.labels ? Object.entries(container.labels) : null, this.queries.labels, (query) => { this.queries.labels = query; })),
      commandSection(detail), this.siblings()]);
    this.drawLogs(detail);
    this.drawTerminal(detail);
  }

  /** The other containers of its compose project. */
  siblings() {
    const own = store.findRow(this.hostId, this.reference);
    const project = own ? projectOf(own) : "";
    if (!own || !project) return null;
    const others = store.allRows().filter((row) => row !== own && row.host.hostId === this.hostId && projectOf(row) === project && row.standing.kind !== "gone");
    return section("Compose project", h("p", {}, foreign(project)),
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
    if (row) actions.updateActions(this.actions, row, 5);
  }

  /** How current this is: gone, unknown, replaced or live. */
  drawNote() {
    this.drawActions();
    const host = store.hostOf(this.hostId);
    const row = store.findRow(this.hostId, this.reference);
    const age = host ? duration(serverNow() - Date.parse(host.receivedAt)) : "";
    let text = "", kind = "fresh", aged = "";
    if (this.detail && store.loaded && !host) {
      [text, kind] = ["This host has been forgotten. What is shown is its last known state.", "stale"];
    } else if (row?.standing.kind === "gone") {
      [text, kind] = [`This container is gone ${ageNote(row)}.`, "stale"];
    } else if (host?.error) {
      [text, kind, aged] = [`The host cannot be asked now: ${host.error}.`, "stale", `What is shown is ${age} old.`];
    } else if (host && store.isSilent(host)) {
      [text, kind, aged] = [`The host is silent: state unknown since ${clock(host.receivedAt, serverNow())}.`, "stale", `These are the last known values, ${age} old.`];
    } else if (this.detail && store.loaded && !row) {
      [text, kind] = ["This container is no longer known. What is shown is its last known state.", "stale"];
    } else if (host) {
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
  const ticking = setInterval(() => view.drawNote(), 5000);
  return { shown: () => view.update(), unmount: () => { for (const end of unsubscribe) end(); clearInterval(ticking); view.logs?.stop(); view.terminal?.stop(); } };
}
