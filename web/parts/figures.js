/** CPU and memory with their share and how they are computed; the one place that words it. */
import { cpu, memory } from "../format.js";

/** @typedef {{text: string, share: number | null, title: string, of: string}} Figure */

/**
 * @param {import("../types.js").ContainerRow} container
 * @param {import("../types.js").Host} host
 * @returns {Figure}
 */
export function cpuFigure(container, host) {
  const percent = container.stats?.cpuPercent ?? null;
  const cores = host.engine?.cpus ?? null;
  if (percent == null) return { text: "—", share: null, title: absent(container), of: "" };
  const of = cores ? ` of ${cores} core${cores === 1 ? "" : "s"}` : "";
  const share = cores ? percent / (cores * 100) : null;
  const whole = share == null ? "" : `, ${(share * 100).toFixed(1)} % of the host`;
  return { text: cpu(percent), share, title: `${cpu(percent)}${of}${whole}. 100 % is one core fully used, as docker stats counts.`, of: of.trim() };
}

/**
 * CPU in parts of the whole host: 100 % is every core fully used.
 * @param {import("../types.js").ContainerRow} container
 * @param {import("../types.js").Host} host
 * @returns {Figure}
 */
export function hostShareFigure(container, host) {
  const figure = cpuFigure(container, host);
  const known = figure.share !== null;
  return { ...figure, text: known ? cpu(/** @type {number} */ (figure.share) * 100) : "—", of: known ? "of the host" : "" };
}

/**
 * @param {import("../types.js").ContainerRow} container
 * @param {import("../types.js").Host} host
 * @returns {Figure}
 */
export function memoryFigure(container, host) {
  const used = container.stats?.memUsage ?? null, limit = container.stats?.memLimit ?? null;
  if (used == null) return { text: "—", share: null, title: absent(container), of: "" };
  const total = host.engine?.memTotal ?? null;
  // Without a limit of its own, engines give a container the host's memory.
  const unlimited = limit == null || (total != null && limit >= total * 0.999);
  const bound = unlimited ? "no limit" : `limit ${memory(limit)}`;
  return {
    text: memory(used),
    share: limit ? used / limit : null,
    of: unlimited ? "no limit" : `of ${memory(limit)}`,
    title: `${memory(used)}, ${bound}${unlimited && total ? `, host has ${memory(total)}` : ""}. Page cache is left out, as docker stats counts.`,
  };
}

/** @param {import("../types.js").ContainerRow} container */
function absent(container) {
  return container.state === "running" ? "Not reported by this source" : "Only running containers have figures";
}
