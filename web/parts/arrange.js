/** Which rows a list shows and in which order; kept still while a person is at them. */
import { isTrouble, TROUBLE } from "../state.js";
import { COLUMNS } from "./columns.js";
import { matcher, narrows, projectOf } from "./search.js";

/** @typedef {import("../types.js").Row} Row */
/** @typedef {import("./table.js").Line<Row>} Line */
/** @typedef {{key: string, item: Row}} RowLine */
/** @typedef {{host: string, query: string, filters: Set<string>, sort: string, descending: boolean, group: string}} Wishes */

export const GROUPS = [["none", "No groups"], ["host", "By host"], ["project", "By compose project"], ["image", "By image"]];

const GROUP_OF = /** @type {Record<string, (row: Row) => string>} */ ({
  host: (row) => row.host.hostId,
  project: (row) => projectOf(row) || "no compose project",
  image: (row) => row.container.image,
});

export class Arrangement {
  constructor() {
    this.lines = /** @type {Line[]} */ ([]);
    /** How many rows are elsewhere, new or away in the order that waits. */
    this.waiting = 0;
    this.sortedBy = "";
    this.sortedFrom = /** @type {Row[]} */ ([]);
    this.sorted = /** @type {RowLine[]} */ ([]);
    this.last = { of: this.sorted, host: "", query: "", found: this.sorted };
  }

  /**
   * @param {Row[]} all by host and name; another array when anything changed
   * @param {Wishes} wishes
   * @param {boolean} mayMove false keeps every line where it is, and only brings it up to date
   */
  update(all, wishes, mayMove) {
    const found = this.found(all, wishes);
    const { filters } = wishes;
    const shown = filters.size ? found.filter(({ item: { standing } }) => filters.has(standing.filter) || (filters.has(TROUBLE) && isTrouble(standing))) : found;
    const lines = grouped(shown, GROUP_OF[wishes.group]);
    this.waiting = 0;
    if (mayMove || this.lines.length === 0) this.lines = lines;
    else this.keep(all, lines);
    return { found, shown };
  }

  /** What is of the host and fits the query, in order; whoever types on has fewer to look through. @param {Row[]} all @param {Wishes} wishes */
  found(all, wishes) {
    const { host, query } = wishes;
    const of = this.inOrder(all, wishes), { last } = this;
    const among = last.of === of && last.host === host && narrows(last.query, query) ? last.found : of;
    const fits = matcher(query);
    const found = among.filter(({ item }) => (!host || item.host.hostId === host) && fits(item));
    this.last = { of, host, query, found };
    return found;
  }

  /** Sorted once for as long as rows and column stay; what is typed only filters. @param {Row[]} all @param {Wishes} wishes */
  inOrder(all, { sort, descending }) {
    const by = `${sort} ${descending}`;
    if (all !== this.sortedFrom || by !== this.sortedBy) {
      const value = COLUMNS.find((column) => column.id === sort)?.value ?? ((row) => row.standing.rank);
      const sign = descending ? -1 : 1;
      const keyed = all.map((row) => ({ line: { key: row.key, item: row }, value: value(row) }));
      // Stable: rows that are equal here stay by host and name.
      keyed.sort((a, b) => (a.value < b.value ? -sign : a.value > b.value ? sign : 0));
      this.sorted = keyed.map(({ line }) => line);
      [this.sortedFrom, this.sortedBy] = [all, by];
    }
    return this.sorted;
  }

  /** Bring the lines up to date where they are. @param {Row[]} all @param {Line[]} wanted */
  keep(all, wanted) {
    const known = new Map(all.map((row) => [row.key, row]));
    this.lines = this.lines.map((line) => {
      const row = known.get(line.key);
      return "item" in line && row ? { key: line.key, item: row } : line;
    });
    const places = new Map(this.lines.map((line, index) => [line.key, index]));
    const moved = wanted.filter((line, index) => places.get(line.key) !== index).length;
    this.waiting = Math.max(moved, this.lines.length - wanted.length);
  }
}

/** @param {RowLine[]} lines @param {((row: Row) => string) | undefined} group @returns {Line[]} */
function grouped(lines, group) {
  if (!group) return lines;
  const groups = /** @type {Map<string, RowLine[]>} */ (new Map());
  for (const line of lines) {
    const name = group(line.item);
    const members = groups.get(name);
    if (members) members.push(line);
    else groups.set(name, [line]);
  }
  const machines = (/** @type {RowLine[]} */ members) => (group === GROUP_OF["host"] ? members[0]?.item.host.conflict?.length : 0);
  return [...groups].flatMap(([name, members]) => [
    { key: `group/${name}`, heading: name, doubt: machines(members) ? `${machines(members)} machines with this name` : "", count: members.length, trouble: members.filter(({ item }) => isTrouble(item.standing)).length },
    ...members,
  ]);
}
