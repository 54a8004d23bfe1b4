/** A container's figures over time, one sample a report, for as long as its tab is open. */

/** @typedef {{at: number[], cpu: (number | null)[], memory: (number | null)[], received: (number | null)[], sent: (number | null)[]}} Series seconds and figures, side by side */

/** At a report every 5 s, three hours. */
const KEPT = 2160;

/** @param {number | null | undefined} now @param {number | null | undefined} before @param {number} seconds */
function rate(now, before, seconds) {
  // A counter that runs backwards began anew with the container.
  return now == null || before == null || now < before || seconds <= 0 ? null : (now - before) / seconds;
}

export class Samples {
  constructor() {
    this.series = /** @type {Series} */ ({ at: [], cpu: [], memory: [], received: [], sent: [] });
    this.last = /** @type {{at: number, stats: import("./types.js").Stats | null | undefined, id: string} | null} */ (null);
  }

  get length() {
    return this.series.at.length;
  }

  /** Note a report's figures; the same report counts once. @param {import("./types.js").Row} row */
  note({ host, container, standing }) {
    const at = Date.parse(host.receivedAt) / 1000;
    if (!(at > (this.last?.at ?? 0))) return false;
    const { series, last } = this;
    const stats = standing.kind === "gone" ? null : container.stats;
    const before = last?.id === container.id ? last.stats : null;
    const seconds = at - (last?.at ?? 0);
    series.at.push(at);
    series.cpu.push(stats?.cpuPercent ?? null);
    series.memory.push(stats?.memUsage ?? null);
    series.received.push(rate(stats?.netRxBytes, before?.netRxBytes, seconds));
    series.sent.push(rate(stats?.netTxBytes, before?.netTxBytes, seconds));
    for (const values of Object.values(series)) while (values.length > KEPT) values.shift();
    this.last = { at, stats, id: container.id };
    return true;
  }
}
