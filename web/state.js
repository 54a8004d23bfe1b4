/**
 * How a container stands, all things considered: the engine's word, its
 * health, whether the host still speaks and whether the container is still there.
 */

/**
 * @typedef {object} Standing
 * @property {string} kind names colour and icon
 * @property {string} label what people read
 * @property {number} rank 0 is the worst trouble
 * @property {string} filter which chip it counts under
 * @property {boolean} current whether the figures are of now
 */

export const ICONS = /** @type {Record<string, string>} */ ({
  running: "M4 2.5v11l9-5.5z",
  healthy: "M6.2 12.6 2 8.4l1.6-1.6 2.6 2.6L12.4 3 14 4.7z",
  starting: "M8 1.5a6.5 6.5 0 1 0 6.5 6.5h-2A4.5 4.5 0 1 1 8 3.5z",
  unhealthy: "M8 1 15.5 14.5H.5zM7 6v4.2h2V6zm0 5.4v1.8h2v-1.8z",
  restarting: "M8 2a6 6 0 0 1 5.2 3L15 3.5V9H9.6l2-2A4 4 0 1 0 12 9h2A6 6 0 1 1 8 2z",
  paused: "M3.5 2.5h3.2v11H3.5zm5.8 0h3.2v11H9.3z",
  stopped: "M3 3h10v10H3z",
  failed: "M3.4 2 8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4z",
  created: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm0 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  unknown: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zM7 11v2h2v-2zm1-8a3 3 0 0 0-3 3h2c0-1.4 2-1.4 2 0 0 1-2 1-2 3.4h2C9 8.600 11 8.200 11 6a3 3 0 0 0-3-3z",
  gone: "M2 7h12v2H2z",
});

/** @param {string} kind @param {string} label @param {number} rank @param {string} filter @returns {Standing} */
function standing(kind, label, rank, filter) {
  return { kind, label, rank, filter, current: true };
}

/** @param {import("./types.js").ContainerRow} container @returns {Standing} */
function running(container) {
  if (container.health === "unhealthy") return standing("unhealthy", "unhealthy", 0, "unhealthy");
  if (container.health === "starting") return standing("starting", "starting", 6, "running");
  if (container.health === "healthy") return standing("healthy", "healthy", 8, "running");
  return standing("running", "running", 8, "running");
}

/** @param {import("./types.js").ContainerRow} container @returns {Standing} */
function ended(container) {
  const code = container.exitCode;
  if (container.oomKilled) return standing("failed", "out of memory", 2, "stopped");
  if (code == null) return standing("stopped", "exited", 9, "stopped");
  return code === 0 ? standing("stopped", "exited (0)", 9, "stopped") : standing("failed", `exited (${code})`, 3, "stopped");
}

/**
 * @param {import("./types.js").ContainerRow} container
 * @param {boolean} silent whether its host is stale, or the server out of reach
 * @returns {Standing}
 */
export function standingOf(container, silent) {
  if (container.goneAt) return { ...standing("gone", "gone", 5, "gone"), current: false };
  if (silent) return { ...standing("unknown", "unknown", 4, "unknown"), current: false };
  switch (container.state) {
    case "running": return running(container);
    case "restarting": return standing("restarting", "restarting", 1, "restarting");
    case "dead": return standing("failed", "dead", 2, "stopped");
    case "exited": return ended(container);
    case "paused": return standing("paused", "paused", 7, "paused");
    case "created": return standing("created", "created", 9, "stopped");
    default: return standing("created", container.state || "no state", 6, "other");
  }
}

/** Ranks up to this one are trouble. */
const WORST = 3;

/** @param {Standing} standing */
export function isTrouble({ rank }) {
  return rank <= WORST;
}

/** @param {import("./types.js").ContainerRow} container */
export function isUp(container) {
  return container.state === "running" || container.state === "paused";
}

/**
 * How many milliseconds a container has been up: until now, or as far as it is
 * known when it is gone or its host is silent. Null when it is not up, or its start is not reported.
 * @param {import("./types.js").ContainerRow} container
 * @param {import("./types.js").Host} host
 * @param {Standing} itsStanding @param {number} now
 */
export function upFor(container, host, itsStanding, now) {
  const started = Date.parse(container.startedAt ?? "");
  if (!isUp(container) || Number.isNaN(started)) return null;
  const until = itsStanding.current ? now : Date.parse(container.goneAt ?? host.receivedAt);
  return until - started;
}

/** The chip that cuts across the others. */
export const TROUBLE = "trouble";

/** Every container counts under one of these, and those in trouble under the first as well. @type {{id: string, label: string, note?: string, rare?: boolean}[]} */
export const FILTERS = [
  { id: TROUBLE, label: "In trouble", note: "Unhealthy, restarting, dead, out of memory, or ended with another exit code than 0" },
  { id: "unhealthy", label: "Unhealthy" }, { id: "restarting", label: "Restarting" },
  { id: "unknown", label: "Unknown", note: "On stale hosts: what is shown is the last known state" },
  { id: "gone", label: "Gone", note: "No longer in the newest report of their host" },
  { id: "running", label: "Running" }, { id: "paused", label: "Paused" }, { id: "stopped", label: "Stopped", note: "Exited, dead or never started" },
  { id: "other", label: "Other", note: "Being removed, or in a state that this page does not know", rare: true },
];
