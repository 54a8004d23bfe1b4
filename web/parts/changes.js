/** What changed in a container since somebody began to look at it. */
import { fill, foreign, h } from "../dom.js";
import { portText } from "../format.js";

/** @typedef {import("../types.js").Container} Container */
/** @typedef {{name: string, before: string | null, after: string | null}} Change null: was not, or is no longer */
/** @typedef {(name: string) => string | null} Marks says what became of a named value, or null */

const SHOWN = 12;

/** @param {unknown} value */
function word(value) {
  return value == null ? null : value === "" ? "none" : String(value);
}

/**
 * Everything of a container that does not change by itself, by the name under
 * which it is shown. Figures and ages are left out.
 * @param {Container} container
 */
export function described(container) {
  const { ports, networks, mounts, env, labels } = container;
  const entries = /** @type {[string, string | null][]} */ ([
    ["Image", word(container.image)], ["Image id", word(container.imageId)], ["Full id", word(container.id)],
    ["Created", word(container.createdAt)], ["Started", word(container.startedAt)], ["Finished", word(container.finishedAt)],
    ["State", word(container.state)], ["Health", word(container.health)], ["Exit code", word(container.exitCode)],
    ["Out of memory", container.oomKilled == null ? null : container.oomKilled ? "killed" : "no"],
    ["Restart count", word(container.restartCount)], ["Restart policy", word(container.restartPolicy)],
    ["Entrypoint", word(container.entrypoint)], ["Command", word(container.command)],
    ...(ports ?? []).map((port) => [`Port ${portText(port)}`, port.hostIp || "any address"]),
    ...(networks ?? []).map(({ name, ip }) => [`Network ${name}`, ip || "no address"]),
    ...(mounts ?? []).map(({ type, source, destination, rw }) => [`Mount ${destination}`, `${type ?? "—"} ${source || "—"}${rw === false ? ", read only" : ""}`]),
    ...(env ?? []).map(({ key, value }) => [`Environment ${key}`, word(value)]),
    ...Object.entries(labels ?? {}).map(([key, value]) => [`Label ${key}`, word(value)]),
  ]);
  return new Map(entries);
}

/** @param {Map<string, string | null>} before @param {Map<string, string | null>} after @returns {Change[]} */
export function changesBetween(before, after) {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].map((name) => ({ name, before: before.get(name) ?? null, after: after.get(name) ?? null }))
    .filter((change) => change.before !== change.after);
}

/** @param {Change[]} changes @returns {Marks} */
export function marksOf(changes) {
  const byName = new Map(changes.map((change) => [change.name, change]));
  return (name) => {
    const change = byName.get(name);
    if (!change) return null;
    return change.before === null ? "new" : change.after === null ? "no longer reported" : `was ${change.before}`;
  };
}

/** @param {Change} change */
function line({ name, before, after }) {
  const old = h("del", {}, before === null ? null : foreign(before));
  const now = h("ins", {}, after === null ? null : foreign(after));
  return h("li", {}, h("b", {}, foreign(name)), " ", before === null ? ["new: ", now] : after === null ? ["gone, was: ", old] : [old, " → ", now]);
}

export class ChangeList {
  /** @param {() => void} seen forget what changed so far */
  constructor(seen) {
    this.title = h("h2", {});
    this.list = h("ul", {});
    this.drawn = "";
    this.node = h("section", { class: "card changes", hidden: true },
      h("div", { class: "card-head" }, this.title, h("button", { type: "button", class: "small", onclick: seen }, "Mark as seen")), this.list);
  }

  /** @param {Change[]} changes @param {string} since */
  update(changes, since) {
    const state = JSON.stringify([changes, since]);
    if (state === this.drawn) return;
    this.drawn = state;
    this.node.hidden = changes.length === 0;
    fill(this.title, changes.some((change) => change.name === "Full id") ? `Recreated since ${since}` : `Changed since ${since}`);
    const more = changes.length - SHOWN;
    fill(this.list, changes.slice(0, SHOWN).map(line), more > 0 ? h("li", {}, `and ${more} more, marked below`) : null);
  }
}
