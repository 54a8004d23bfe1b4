/** The columns a list of containers can show, and what each sorts by. */
import { foreign, fill, h, setAttribute, setText } from "../dom.js";
import { clock, imageParts, naturally, portTexts, shortId, span } from "../format.js";
import { serverNow } from "../api.js";
import { upFor } from "../state.js";
import { updateActions } from "./actions.js";
import { badge, updateBadge } from "./badge.js";
import { copyButton } from "./copy.js";
import { cpuFigure, hostShareFigure, memoryFigure } from "./figures.js";
import { meter, updateMeter } from "./meter.js";
import { portList } from "./ports.js";
import { projectOf } from "./search.js";

/** @typedef {import("../types.js").Row} Row */
/** @typedef {import("./table.js").Column<Row> & {usual: boolean, access?: "admin", biggestFirst?: boolean, value?: (row: Row) => string | number}} ListColumn */

const PORTS_SHOWN = 2;
/** Beyond every port. */
const UNPUBLISHED = 65536;

/** Hash of a container's tab. @param {Row} row */
export function containerHash(row) {
  return `#/hosts/${encodeURIComponent(row.host.hostId)}/containers/${encodeURIComponent(row.container.name || row.container.id)}`;
}

/** @param {string} className */
function textCell(className = "") {
  return () => h("span", { class: className });
}

/** Text that a container or an agent chose: like `foreign`, without an element more in each row. @param {"a" | "span"} name @param {string} className */
function foreignCell(name, className = "") {
  return () => h(name, { class: className, dir: "auto" });
}

/** @param {HTMLElement} node @param {string} text */
function updateForeign(node, text) {
  if (node.textContent === text) return;
  node.textContent = text;
  setAttribute(node, "title", text);
}

/** When a container's figures and words are from, if not from now. @param {Row} row */
export function ageNote(row) {
  const { container, host, standing } = row;
  if (standing.current) return "";
  const since = standing.kind === "gone" ? container.goneAt : host.receivedAt;
  return `since ${clock(since, serverNow())}, last seen ${container.state}`;
}

/** @param {HTMLElement} node @param {Row} row */
function updateState(node, row) {
  const { standing } = row;
  const [mark, note] = /** @type {HTMLElement[]} */ ([...node.children]);
  updateBadge(/** @type {HTMLElement} */ (mark), row.standing);
  setText(/** @type {HTMLElement} */ (note), ageNote(row));
  setAttribute(node, "title", standing.current ? row.container.status || standing.label : `${standing.label} ${ageNote(row)}`);
}

/** @param {HTMLElement} node @param {Row} row */
function updateName(node, row) {
  const link = /** @type {HTMLAnchorElement} */ (node);
  const name = row.container.name || row.container.id.slice(0, 12);
  setAttribute(link, "href", containerHash(row));
  updateForeign(link, name);
}

/** @param {HTMLElement} node @param {Row} row */
function updateImage(node, row) {
  if (node.title === row.container.image && node.firstChild) return;
  const { name, tag, digest } = imageParts(row.container.image);
  node.title = row.container.image;
  fill(node, foreign(name), tag ? h("span", { class: "tag", dir: "auto" }, tag) : null, digest ? h("span", { class: "tag digest", dir: "auto" }, digest.slice(0, 19)) : null);
}

/** @param {HTMLElement} node @param {Row} row */
function updateId(node, row) {
  const { id, name } = row.container;
  // The button names the container: a row's nodes may serve another one with the same id on another host.
  const state = `${id} ${name}`;
  if (node.dataset["id"] === state) return;
  node.dataset["id"] = state;
  fill(node, h("code", { title: id }, foreign(shortId(id))), copyButton(id, `the full id of ${name || shortId(id)}`));
}

/** @param {HTMLElement} node @param {Row} row */
function updatePorts(node, row) {
  const ports = row.container.ports;
  const texts = ports ? portTexts(ports) : null;
  const state = `${row.host.hostId}|${row.host.hostname}|${texts?.join() ?? "—"}`;
  if (node.dataset["state"] === state) return;
  node.dataset["state"] = state;
  node.title = texts?.join(", ") ?? "Not reported by this source";
  if (!ports) return fill(node, "—");
  const nodes = portList(ports, row.host);
  const more = nodes.length - PORTS_SHOWN;
  if (nodes.length === 0) return fill(node, h("span", { class: "none" }, "none"));
  fill(node, nodes.slice(0, PORTS_SHOWN), more > 0 ? h("span", { class: "more" }, `+${more}`) : null);
}

/** The lowest port that is published, else after those the lowest that is not. @param {Row} row */
function firstPort({ container }) {
  const ports = (container.ports ?? []).map((port) => port.hostPort ?? UNPUBLISHED + port.containerPort);
  return Math.min(...ports, 2 * UNPUBLISHED);
}

/** @param {Row} row */
function uptime({ container, host, standing }) {
  return upFor(container, host, standing, serverNow());
}

/** @type {ListColumn[]} */
export const COLUMNS = [
  { id: "name", title: "Name", usual: true, sortable: true, value: (row) => naturally(row.container.name || row.container.id),
    make: foreignCell("a", "name"), update: updateName },
  { id: "host", title: "Host", usual: true, sortable: true, value: (row) => naturally(row.host.hostId),
    make: foreignCell("span", "host"), update: (node, row) => updateForeign(node, row.host.hostId) },
  { id: "image", title: "Image", usual: true, sortable: true, value: (row) => naturally(row.container.image),
    make: textCell("image"), update: updateImage },
  { id: "state", title: "State", usual: true, sortable: true, value: (row) => row.standing.rank,
    make: () => h("span", { class: "state" }, badge({ kind: "created", label: "", rank: 0, filter: "", current: true }), " ", h("span", { class: "age" })), update: updateState },
  { id: "health", title: "Health", usual: false, sortable: true, value: (row) => row.container.health ?? "",
    make: textCell(), update: (node, row) => setText(node, row.container.health ?? "—") },
  { id: "cpu", title: "CPU", usual: true, sortable: true, value: (row) => row.container.stats?.cpuPercent ?? -1,
    biggestFirst: true, make: () => meter("cpu"), update: (node, row) => updateMeter(node, cpuFigure(row.container, row.host)) },
  { id: "hostshare", title: "CPU of host", usual: false, sortable: true, value: (row) => hostShareFigure(row.container, row.host).share ?? -1,
    biggestFirst: true, make: () => meter("cpu"), update: (node, row) => updateMeter(node, hostShareFigure(row.container, row.host)) },
  { id: "memory", title: "Memory", usual: true, sortable: true, value: (row) => row.container.stats?.memUsage ?? -1,
    biggestFirst: true, make: () => meter("memory"), update: (node, row) => updateMeter(node, memoryFigure(row.container, row.host)) },
  { id: "uptime", title: "Uptime", usual: false, sortable: true, value: (row) => uptime(row) ?? -1,
    make: textCell("num"), update: (node, row) => {
      const time = uptime(row);
      setText(node, time == null ? "—" : span(time));
    } },
  { id: "restarts", title: "Restarts", usual: false, sortable: true, value: (row) => row.container.restartCount ?? -1,
    biggestFirst: true, make: textCell("num"), update: (node, row) => setText(node, String(row.container.restartCount ?? "—")) },
  { id: "networks", title: "Networks", usual: false, sortable: true, value: (row) => (row.container.networks ?? []).map((one) => one.name).join(),
    make: foreignCell("span"), update: (node, row) => updateForeign(node, row.container.networks ? row.container.networks.map((one) => one.name).join(", ") || "none" : "—") },
  { id: "created", title: "Created", usual: false, sortable: true, value: (row) => row.container.createdAt ?? "",
    make: textCell(), update: (node, row) => setText(node, row.container.createdAt ? clock(row.container.createdAt, serverNow()) : "—") },
  { id: "project", title: "Project", usual: false, sortable: true, value: projectOf,
    make: foreignCell("span"), update: (node, row) => updateForeign(node, projectOf(row) || "none") },
  { id: "id", title: "Id", usual: false, sortable: true, value: (row) => row.container.id, make: textCell("id"), update: updateId },
  { id: "ports", title: "Ports", usual: true, sortable: true, value: firstPort, make: textCell("ports"), update: updatePorts },
  { id: "actions", title: "Actions", usual: true, access: "admin", make: textCell("actions"), update: (node, row) => updateActions(node, row, 1) },
];
