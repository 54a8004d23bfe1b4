/** What speaks against a host: two machines with its name, and a clock that is off. */
import { serverNow } from "../api.js";
import { duration } from "../format.js";

/** @typedef {import("../types.js").Host} Host */
/** @typedef {import("../types.js").Machine} Machine */

/** A second more than a report's whole seconds can hide. */
const AHEAD_S = 5;
/** A report may be tried twice, so it is no sign of a slow clock before. */
const BEHIND_S = 30;

/** Which machines report as this host, and what to do; empty while it is one. @param {Host} host */
export function conflictText(host) {
  const machines = host.conflict ?? [];
  if (machines.length === 0) return "";
  return `${machines.length} machines report as ${host.hostId}: ${machines.map(machineText).join(" and ")}. What is shown is the one or the other; give each its own ARCHNEST_HOST_ID.`;
}

/** @param {Machine} machine */
function machineText({ hostname, address, lastSeenAt }) {
  // Directional marks in a name a machine chose for itself end with it.
  const name = `\u2068${hostname ?? "one without a name"}\u2069`;
  return `${name}${address ? ` at ${address}` : ""} (${duration(serverNow() - Date.parse(lastSeenAt))} ago)`;
}

/** How far the host's clock is off; empty where that is little or not known. @param {Host} host */
export function skewText({ clockSkewS }) {
  if (clockSkewS == null || (clockSkewS < AHEAD_S && clockSkewS > -BEHIND_S)) return "";
  return `Its clock is ${duration(Math.abs(clockSkewS) * 1000)} ${clockSkewS > 0 ? "ahead" : "behind"}.`;
}
