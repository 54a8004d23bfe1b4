/** The sections of a container's page: everything its source reports, and what it does not. */
import { serverNow } from "../api.js";
import { foreign, h } from "../dom.js";
import { dateTime, imageParts, portText, shortId, span, traffic } from "../format.js";
import { isUp, upFor } from "../state.js";
import { badge } from "./badge.js";
import { copyButton } from "./copy.js";
import { absent, facts, filtered, listing, section, textOr } from "./facts.js";
import { cpuFigure, memoryFigure } from "./figures.js";
import { meter, updateMeter } from "./meter.js";
import { portLink } from "./ports.js";

/** @typedef {import("../types.js").Container} Container */
/** @typedef {import("../types.js").ContainerDetail} Detail */
/** @typedef {import("../state.js").Standing} Standing */
/** @typedef {import("./changes.js").Marks} Marks */

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

/** @param {Detail} detail @param {Standing} standing @param {Marks} marks */
function overview({ container, host }, standing, marks) {
  const { name, tag, digest } = imageParts(container.image);
  const uptime = upFor(container, host, standing, serverNow());
  const never = container.state === "created" ? "never" : null;
  return section("Overview", facts([
    ["Name", container.name ? copyable(container.name, "the name") : absent()],
    ["Host", h("span", {}, h("a", { href: `#/containers?host=${encodeURIComponent(host.hostId)}` }, foreign(host.hostId)), host.hostname ? h("small", {}, " (", foreign(host.hostname), ")") : null)],
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
  ], marks));
}

/** @param {Detail} detail @param {Standing} standing @param {Marks} marks */
function stateSection({ container }, standing, marks) {
  return section("State and health", facts([
    ["State", h("span", {}, badge(standing), standing.current ? null : h("small", {}, " last seen as ", foreign(container.state)))],
    ["Status", textOr(container.status)],
    ["Exit code", container.exitCode == null ? (isUp(container) ? stillUp(standing) : container.state === "created" ? "never ran" : absent()) : String(container.exitCode)],
    ["Health", container.health == null ? absent() : container.health === "none" ? "no healthcheck" : foreign(container.health)],
    ["Out of memory", container.oomKilled == null ? absent() : container.oomKilled ? "killed" : "no"],
  ], marks));
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

/** @param {Detail} detail @param {Marks} marks */
function portsSection({ container, host }, marks) {
  const rows = container.ports?.map((port) => {
    const link = portLink(port, host);
    const text = foreign(portText(port));
    return [
      port.proto == null ? String(port.containerPort) : `${port.containerPort}/${port.proto}`,
      port.hostPort == null ? "not published" : foreign(`${port.hostIp || "any address"}`),
      port.hostPort == null ? "—" : String(port.hostPort),
      link ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, text) : text,
    ];
  });
  return section("Ports", listing("Ports", ["Container port", "Host address", "Host port", "Binding"], rows ?? null, container.ports?.map((port) => marks(`Port ${portText(port)}`))));
}

/** @param {Detail} detail @param {Marks} marks */
function networksSection({ container }, marks) {
  const rows = container.networks?.map((network) => [foreign(network.name), network.ip ? h("code", {}, foreign(network.ip)) : "no address"]);
  return section("Networks", listing("Networks", ["Network", "Address"], rows ?? null, container.networks?.map(({ name }) => marks(`Network ${name}`))));
}

/** @param {Detail} detail @param {Marks} marks */
function mountsSection({ container }, marks) {
  const rows = container.mounts?.map(({ type, source, destination, rw }) => [
    foreign(type ?? "—"), h("code", {}, foreign(source || "—")), h("code", {}, foreign(destination)),
    rw == null ? "—" : rw ? "read and write" : "read only",
  ]);
  return section("Mounts", listing("Mounts", ["Type", "Source", "Destination", "Access"], rows ?? null, container.mounts?.map(({ destination }) => marks(`Mount ${destination}`))));
}

/** @param {Detail} detail @param {Marks} marks */
function commandSection({ container }, marks) {
  const show = (/** @type {string} */ text) => h("pre", { tabindex: "0" }, h("code", {}, foreign(text)));
  return section("Entrypoint and command", facts([["Entrypoint", textOr(container.entrypoint, show)], ["Command", textOr(container.command, show)]], marks));
}

/**
 * What of a container does not come by itself, in reading order.
 * @param {Detail} detail @param {Standing} standing @param {Marks} marks
 * @param {{env: import("./facts.js").Filter, labels: import("./facts.js").Filter}} filters
 * @returns {Element[]}
 */
export function sections(detail, standing, marks, filters) {
  const { env, labels } = detail.container;
  return [
    overview(detail, standing, marks), stateSection(detail, standing, marks), statsSection(detail), portsSection(detail, marks),
    networksSection(detail, marks), mountsSection(detail, marks),
    section("Environment", filtered("Environment", env?.map(({ key, value }) => [key, value ?? "—"]) ?? null, (key) => marks(`Environment ${key}`), filters.env)),
    section("Labels", filtered("Labels", labels ? Object.entries(labels) : null, (key) => marks(`Label ${key}`), filters.labels)),
    commandSection(detail, marks),
  ];
}

