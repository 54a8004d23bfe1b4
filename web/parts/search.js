/**
 * The search box's language: words are looked for everywhere; `state:exited`,
 * `host:nas`, `image:nginx`, `label:team=web`, `port:8080`, `network:front`,
 * `project:shop` and `id:` look in one place. All must fit.
 */

/** @typedef {import("../types.js").Row} Row */

const cache = /** @type {WeakMap<import("../types.js").ContainerRow, string>} */ (new WeakMap());

/** @param {Row} row */
function haystack(row) {
  let text = cache.get(row.container);
  if (text === undefined) {
    const { container, host } = row;
    const labels = Object.entries(container.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    const ports = (container.ports ?? []).flatMap((port) => [port.hostPort ?? "", port.containerPort]);
    const networks = (container.networks ?? []).map((network) => `${network.name} ${network.ip ?? ""}`);
    text = [container.name, container.image, host.hostId, host.hostname ?? "", container.id, ...labels, ...ports, ...networks].join("\n").toLowerCase();
    cache.set(container, text);
  }
  return text;
}

let preparing = false;

/**
 * Put together what is searched while nobody waits, so that the first key is
 * as quick as any other.
 * @param {Row[]} rows
 */
export function prepare(rows) {
  if (preparing || !("requestIdleCallback" in window)) return;
  preparing = true;
  let next = 0;
  const work = (/** @type {IdleDeadline} */ deadline) => {
    while (next < rows.length && deadline.timeRemaining() > 2) {
      haystack(/** @type {Row} */ (rows[next]));
      next += 1;
    }
    if (next < rows.length) requestIdleCallback(work);
    else preparing = false;
  };
  requestIdleCallback(work);
}

/** @param {Row} row */
export function projectOf(row) {
  const labels = row.container.labels ?? {};
  return labels["com.docker.compose.project"] ?? labels["com.docker.stack.namespace"] ?? "";
}

/** @type {Record<string, (row: Row, wanted: string) => boolean>} */
const PLACES = {
  // "healthy" is no part of "unhealthy" here.
  state: (row, wanted) => [row.container.state, row.standing.kind, row.standing.label, row.standing.filter].some((word) => word.toLowerCase().startsWith(wanted)),
  health: (row, wanted) => (row.container.health ?? "") === wanted,
  host: (row, wanted) => row.host.hostId.toLowerCase().includes(wanted) || (row.host.hostname ?? "").toLowerCase().includes(wanted),
  name: (row, wanted) => row.container.name.toLowerCase().includes(wanted),
  image: (row, wanted) => row.container.image.toLowerCase().includes(wanted),
  id: (row, wanted) => row.container.id.startsWith(wanted),
  project: (row, wanted) => projectOf(row).toLowerCase().includes(wanted),
  port: (row, wanted) => (row.container.ports ?? []).some((port) => String(port.hostPort) === wanted || String(port.containerPort) === wanted),
  network: (row, wanted) => (row.container.networks ?? []).some((network) => network.name.toLowerCase().includes(wanted)),
  label: (row, wanted) => Object.entries(row.container.labels ?? {}).some(([key, value]) => {
    const label = `${key}=${value}`.toLowerCase();
    return wanted.includes("=") ? label.includes(wanted) : key.toLowerCase().includes(wanted);
  }),
};

/** @param {string} query @returns {(row: Row) => boolean} */
export function matcher(query) {
  const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const colon = word.indexOf(":");
    const name = word.slice(0, Math.max(0, colon));
    const place = Object.hasOwn(PLACES, name) ? PLACES[name] : undefined;
    const wanted = word.slice(colon + 1);
    if (place && wanted) return (/** @type {Row} */ row) => place(row, wanted);
    return (/** @type {Row} */ row) => haystack(row).includes(word);
  });
  return (row) => tests.every((test) => test(row));
}
