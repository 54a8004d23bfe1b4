/** The fleet as last heard: rows by host, kept current by one poll. */
import { getIfChanged, serverNow } from "./api.js";
import { naturally } from "./format.js";
import { EVERY_MS, poll } from "./poll.js";
import { standingOf } from "./state.js";

/** @typedef {import("./types.js").Row} Row */

const hosts = /** @type {Map<string, {host: import("./types.js").Host, rows: Row[]}>} */ (new Map());
/** How much of an id names a container. */
const SHORTEST_ID = 12;
const listeners = /** @type {Set<() => void>} */ (new Set());
let revision = "", etag = "", served = "", staleAfterMs = 90000, heardAt = 0, triedAt = 0, silent = false;

/** Every row in order, until something changes. @type {Row[] | null} */
let rows = null;
/** Every host in order, until something changes. @type {import("./types.js").Host[] | null} */
let hostList = null;

/** What went wrong with the last poll, and when the next comes. @type {{message: string, retryAt: number} | null} */
export let trouble = null;
/** Whether anything has been heard since the page was opened. */
export let loaded = false;

/** @type {ReturnType<typeof poll> | null} */
let polling = null;

/** Milliseconds by the server's clock when the server last answered. */
export function lastHeard() {
  return heardAt;
}

/** The version of the agent that the server serves. */
export function agentVersion() {
  return served;
}

/** As people count: nas-2 before nas-10. */
function hostIds() {
  return [...hosts.keys()].map((hostId) => ({ hostId, order: naturally(hostId) })).sort((a, b) => (a.order < b.order ? -1 : 1)).map(({ hostId }) => hostId);
}

/** Every host by id; the same array until something changes. */
export function allHosts() {
  hostList ??= hostIds().map((hostId) => /** @type {{host: import("./types.js").Host}} */ (hosts.get(hostId)).host);
  return hostList;
}

/** @param {string} hostId */
export function hostOf(hostId) {
  return hosts.get(hostId)?.host ?? null;
}

/** Whether what is known of a host may be out of date. @param {import("./types.js").Host} host */
export function isSilent(host) {
  return host.stale || silent;
}

/** Every row by host and name; the same array until something changes. @returns {Row[]} */
export function allRows() {
  rows ??= hostIds().flatMap((hostId) => hosts.get(hostId)?.rows ?? []);
  return rows;
}

/** @param {string} hostId @param {string} reference name, id or the first 12 or more characters of one @returns {Row | null} */
export function findRow(hostId, reference) {
  const known = hosts.get(hostId)?.rows ?? [];
  const exact = known.find((row) => row.container.name === reference) ?? known.find((row) => row.container.id === reference);
  if (exact || reference.length < SHORTEST_ID) return exact ?? null;
  const [first, second] = known.filter((row) => row.container.id.startsWith(reference));
  return (!second && first) || null;
}

/** @param {() => void} listener @returns {() => void} ends the subscription */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function start() {
  stop();
  polling = poll(refresh, (error, retryAt) => {
    trouble = { message: error instanceof Error ? error.message : String(error), retryAt };
    noticeSilence();
    tell();
  });
}

export function stop() {
  polling?.stop();
  polling = null;
  hosts.clear();
  rows = hostList = null;
  revision = etag = "";
  trouble = null;
  loaded = false;
}

export function retry() {
  triedAt = Date.now();
  polling?.now();
}

/** Somebody is at the page: ask a server that was away, but not with every key. */
export function nudge() {
  if (trouble && Date.now() - triedAt > EVERY_MS) retry();
}

/** @param {AbortSignal} signal @returns {Promise<boolean>} whether the server has more to tell */
async function refresh(signal) {
  const path = revision ? `api/containers?since=${encodeURIComponent(revision)}` : "api/containers";
  const answer = await getIfChanged(path, etag, signal);
  heardAt = serverNow();
  const recovered = trouble !== null || !loaded;
  trouble = null;
  loaded = true;
  const spoke = noticeSilence();
  if (answer) {
    // The tag names the answer to this very question; a new revision asks another.
    etag = answer.body.revision === revision ? answer.etag : "";
    apply(answer.body);
  }
  if (answer || recovered || spoke) tell();
  return answer?.body.more ?? false;
}

/** @param {import("./types.js").Changes} changes */
function apply(changes) {
  rows = hostList = null;
  revision = changes.revision;
  staleAfterMs = changes.staleAfterMs;
  served = changes.agentVersion;
  if (changes.full) hosts.clear();
  for (const hostId of changes.removed) hosts.delete(hostId);
  for (const { host, containers } of changes.hosts) {
    hosts.set(host.hostId, { host, rows: rowsOf(host, containers) });
  }
}

/**
 * Rows are known by name, so that a container keeps its row when it is
 * recreated; a name that occurs twice is told apart by its place.
 * @param {import("./types.js").Host} host @param {import("./types.js").ContainerRow[]} containers @returns {Row[]}
 */
function rowsOf(host, containers) {
  const times = /** @type {Map<string, number>} */ (new Map());
  const ordered = containers.map((container) => {
    const name = `${host.hostId}/${container.name || container.id}`;
    const before = times.get(name) ?? 0;
    times.set(name, before + 1);
    return { order: naturally(name), row: { key: before ? `${name}/${before}` : name, host, container, standing: standingOf(container, isSilent(host)), text: "" } };
  });
  return ordered.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0)).map(({ row }) => row);
}

/** When the server itself has not been heard for too long, nothing is current. */
function noticeSilence() {
  const now = heardAt > 0 && serverNow() - heardAt > staleAfterMs;
  if (now === silent) return false;
  silent = now;
  rows = hostList = null;
  for (const entry of hosts.values()) {
    entry.rows = rowsOf(entry.host, entry.rows.map((row) => row.container));
  }
  return true;
}

function tell() {
  for (const listener of listeners) listener();
}
