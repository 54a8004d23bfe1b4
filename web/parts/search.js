/**
 * The search box's language: words are looked for everywhere; `state:exited`,
 * `host:nas`, `image:nginx`, `label:team=web`, `port:8080`, `network:front`,
 * `project:shop` and `id:` look in one place. All must fit; a place of which
 * nothing is said yet, `state:`, is not there yet.
 */

/** @typedef {import("../types.js").Row} Row */

/** @param {Row} row */
function haystack(row) {
  if (row.text) return row.text;
  const { container, host } = row;
  const labels = Object.entries(container.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const ports = (container.ports ?? []).flatMap((port) => [port.hostPort ?? "", port.containerPort]);
  const networks = (container.networks ?? []).map((network) => `${network.name} ${network.ip ?? ""}`);
  row.text = [container.name, container.image, host.hostId, host.hostname ?? "", container.id, ...labels, ...ports, ...networks].join("\n").toLowerCase();
  return row.text;
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
  state: (row, wanted) => [row.container.state, row.standing.kind, row.standing.label, row.standing.filter, row.standing.kind === "unknown" ? "stale" : ""].some((word) => word.toLowerCase().startsWith(wanted)),
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

/** @param {string} query */
function wordsOf(query) {
  return query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const colon = word.indexOf(":");
    const name = word.slice(0, Math.max(0, colon)), wanted = word.slice(colon + 1);
    return { word, wanted, place: Object.hasOwn(PLACES, name) ? PLACES[name] : undefined };
  }).filter(({ wanted, place }) => wanted || !place);
}

/** @param {string} query @returns {(row: Row) => boolean} */
export function matcher(query) {
  const tests = wordsOf(query).map(({ word, wanted, place }) =>
    place ? (/** @type {Row} */ row) => place(row, wanted) : (/** @type {Row} */ row) => haystack(row).includes(word));
  return (row) => tests.every((test) => test(row));
}

/**
 * Whether what fits `after` is among what fits `before`, as when one types on.
 * A place may look for the whole word, so `port:80` says nothing of `port:8080`.
 * @param {string} before @param {string} after
 */
export function narrows(before, after) {
  const later = wordsOf(after);
  return wordsOf(before).every(({ word, place }) => later.some((one) => one.word === word || (!place && !one.place && one.word.includes(word))));
}
