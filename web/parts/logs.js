/** A container's log: the last lines, and what comes while it is followed. */
import { download, stream } from "../api.js";
import { fill, h, setAttribute, setText } from "../dom.js";
import { timeOfDay } from "../format.js";
import * as prefs from "../prefs.js";
import { pieces, plain } from "./ansi.js";
import { failure } from "./notice.js";

/** @typedef {{stream: string, at: string | null, text: string}} Line */
/** @typedef {{node: HTMLElement, plain: string}} Shown */

/** Lines kept on the page; older ones go. */
const MAX_LINES = 5000;
/** How often lines are put on the page, and how long that may take: a flood leaves time for everything else. */
const DRAW_MS = 120;
const DRAWING_MS = 10;
const TAILS = ["50", "200", "1000", "5000"];
/** Read behind "last 200 lines". */
const SPANS = [["", "of any age"], ["300", "of the last 5 min"], ["3600", "of the last hour"], ["86400", "of the last day"]];
/** How soon a log that broke off is asked for again, and how rarely at last. */
const RECONNECT_MS = 3000;
const LONGEST_MS = 15000;
/** What the server, its network or a proxy before it says while one of them is away. */
const PASSING = new Set([0, 502, 503, 504]);
/** States of a container that may still print. */
const LIVE = new Set(["running", "paused", "restarting"]);

export class Logs {
  /** @param {string} path of the container's log in the API @param {() => string} name */
  constructor(path, name) {
    this.path = path;
    this.name = name;
    this.settings = prefs.read("logs", { tail: "200", times: true, wrap: true });
    this.shown = /** @type {Shown[]} */ ([]);
    this.waiting = /** @type {Line[]} */ ([]);
    this.dropped = 0;
    this.query = "";
    this.at = -1;
    this.drawing = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.style = /** @type {import("./ansi.js").Style | undefined} */ (undefined);
    this.reading = /** @type {AbortController | null} */ (null);
    this.retry = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.tries = 0;
    this.why = "";
    /** The latest time that was told, and how many lines had it; at `known` a log is read again. */
    this.last = { at: "", count: 0 };
    this.known = { at: "", count: 0 };
    /** What is known of the container: whether it may print, and since when. */
    this.lives = false;
    this.run = "";
    /** Whether the newest line is to stay in view; a person who scrolls up ends that. */
    this.sticks = true;
    this.top = 0;
    this.tail = h("select", { "aria-label": "Lines", onchange: () => { this.set({ tail: this.tail.value }); this.restart(); } }, TAILS.map((value) => h("option", { value, selected: value === this.settings.tail }, `last ${value} lines`)));
    this.since = h("select", { "aria-label": "Since", onchange: () => { this.labelSaving(); this.restart(); } }, SPANS.map(([value, text]) => h("option", { value }, text)));
    this.follow = h("input", { type: "checkbox", checked: true, onchange: () => this.restart() });
    this.search = h("input", { type: "search", placeholder: "Search in these lines", "aria-label": "Search in the log", spellcheck: "false", autocomplete: "off", oninput: () => this.find(this.search.value), onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) });
    this.saving = /** @type {AbortController | null} */ (null);
    this.save = h("button", { type: "button", class: "small", onclick: () => this.download() });
    this.only = h("input", { type: "checkbox", onchange: () => this.dress() });
    this.found = h("span", { class: "found", role: "status" });
    this.note = h("p", { class: "log-note", role: "status" });
    this.list = h("div", { class: "log-lines" });
    this.scroll = h("div", { class: "log", role: "log", "aria-label": "Log", "aria-live": "off", tabindex: "0" }, this.list);
    this.newest = h("button", { type: "button", class: "small newest", hidden: true, onclick: () => this.toEnd() }, "↓ Newest");
    this.scroll.addEventListener("scroll", () => this.onScroll(), { passive: true });
    // Lines get their height when they come into view, and all of them when the box does: then the end is elsewhere.
    const sizes = new ResizeObserver(() => { if (this.sticks) this.toEnd(); });
    for (const node of [this.scroll, this.list]) sizes.observe(node);
    this.node = h("div", { class: "logs" }, this.bar(), this.note, this.scroll, this.newest);
    this.dress();
    this.labelSaving();
  }

  bar() {
    const button = (/** @type {string} */ face, /** @type {string} */ label, /** @type {() => void} */ act) => h("button", { type: "button", class: "small", "aria-label": label, onclick: act }, face);
    const times = h("input", { type: "checkbox", checked: this.settings.times, onchange: () => { this.set({ times: times.checked }); this.dress(); } });
    const wrap = h("input", { type: "checkbox", checked: this.settings.wrap, onchange: () => { this.set({ wrap: wrap.checked }); this.dress(); } });
    return h("div", { class: "log-bar" }, this.tail, this.since,
      h("label", { class: "check" }, this.follow, "Follow"), h("label", { class: "check" }, times, "Times"), h("label", { class: "check" }, wrap, "Wrap"),
      this.search, h("label", { class: "check" }, this.only, "Only matches"), this.found, button("↑", "Previous match", () => this.step(-1)), button("↓", "Next match", () => this.step(1)),
      this.save);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.step(event.shiftKey ? -1 : 1);
  }

  /** @param {Partial<typeof this.settings>} changes */
  set(changes) {
    Object.assign(this.settings, changes);
    prefs.write("logs", this.settings);
  }

  dress() {
    this.scroll.dataset["times"] = this.settings.times ? "yes" : "no";
    this.scroll.dataset["wrap"] = this.settings.wrap ? "yes" : "no";
    this.scroll.dataset["only"] = this.only.checked && this.query ? "yes" : "no";
  }

  /** @param {Record<string, string>} words besides how old lines may be */
  address(words) {
    const all = new URLSearchParams(words);
    if (this.since.value) all.set("since", new Date(Date.now() - Number(this.since.value) * 1000).toISOString());
    return `${this.path}?${all}`;
  }

  /** The address of the lines that are shown. */
  linesAddress() {
    return this.address({ tail: this.tail.value, ...(this.follow.checked ? { follow: "1" } : {}) });
  }

  /** Begin anew with what is chosen. */
  restart() {
    this.stop();
    this.shown = [];
    this.waiting = [];
    this.dropped = 0;
    this.style = undefined;
    this.at = -1;
    this.why = "";
    this.last = { at: "", count: 0 };
    this.known = { at: "", count: 0 };
    fill(this.list);
    setText(this.note, "Reading …");
    this.read(this.linesAddress());
  }

  /** Go on behind the last line that was told. */
  resume() {
    // Lines without a time cannot be told from those that come again.
    if (!this.last.at && (this.shown.length || this.waiting.length)) return this.restart();
    this.stop();
    this.known = { ...this.last };
    const words = new URLSearchParams({ tail: String(MAX_LINES), since: this.last.at, follow: "1" });
    this.read(this.last.at ? `${this.path}?${words}` : this.linesAddress());
  }

  stop() {
    this.reading?.abort();
    this.reading = null;
    clearTimeout(this.retry);
  }

  /**
   * Hear of the container: when it has started or stopped since, a log that ended has more to tell.
   * @param {string} state @param {string | null | undefined} startedAt
   */
  heed(state, startedAt) {
    const run = `${LIVE.has(state)} ${startedAt}`;
    if (run === this.run) return;
    const isFirst = this.run === "";
    this.run = run;
    this.lives = LIVE.has(state);
    if (isFirst || this.reading || !this.follow.checked) return;
    this.tries = 0;
    this.resume();
  }

  /** @param {string} path */
  async read(path) {
    const reading = new AbortController();
    this.reading = reading;
    let end = "";
    try {
      await stream(path, reading.signal, (text) => { end = this.take(text) || end; }, () => this.begun());
      // While it is followed, only a container that stopped has no more to tell.
      if (this.reading === reading) this.ended(this.endText(end), end !== "complete" || this.lives);
    } catch (error) {
      if (reading.signal.aborted) return;
      this.ended(error instanceof Error ? error.message : String(error), PASSING.has(/** @type {{status?: number}} */ (error).status ?? -1));
    }
  }

  /** The server answers. That a container stands still is said until it runs, also while its log is asked for again. */
  begun() {
    if (this.lives) this.why = "";
    this.drawNote();
  }

  /** @param {string} end what the server says of it, or nothing */
  endText(end) {
    if (end && end !== "complete") return `The log broke off: ${end}.`;
    if (!this.follow.checked) return end ? "These are all lines that were asked for." : "The log ended.";
    return end ? "The container is not running; waiting for it to start." : "The log broke off.";
  }

  /** Take one line of the answer; gives why the stream ends when it says so. @param {string} text @returns {string} */
  take(text) {
    if (!text) return "";
    const line = JSON.parse(text);
    if ("end" in line) return line.end;
    if (!this.isNew(line)) return "";
    this.tries = 0;
    this.why = "";
    this.waiting.push(line);
    // Beyond what the page would keep there is nothing to wait for.
    if (this.waiting.length > 2 * MAX_LINES) this.dropped += this.waiting.splice(0, this.waiting.length - MAX_LINES).length;
    this.drawing ??= setTimeout(() => this.draw(), this.shown.length ? DRAW_MS : 0);
    return "";
  }

  /** Whether a line was not told before: a log that is read again begins with what stands at its `since`. @param {Line} line */
  isNew({ at }) {
    if (!at) return true;
    if (at < this.known.at) return false;
    if (at === this.known.at && this.known.count > 0) {
      this.known.count -= 1;
      return false;
    }
    if (at === this.last.at) this.last.count += 1;
    else if (at > this.last.at) this.last = { at, count: 1 };
    return true;
  }

  /** @param {string} why @param {boolean} hasMore whether it is worth asking again */
  ended(why, hasMore) {
    this.reading = null;
    this.why = why;
    if (this.follow.checked && hasMore) {
      this.retry = setTimeout(() => this.resume(), Math.min(RECONNECT_MS * 2 ** this.tries, LONGEST_MS));
      this.tries += 1;
    }
    if (!this.waiting.length) this.drawNote();
  }

  draw() {
    const until = performance.now() + DRAWING_MS;
    const made = /** @type {Shown[]} */ ([]);
    while (made.length < this.waiting.length && performance.now() < until) made.push(this.line(/** @type {Line} */ (this.waiting[made.length])));
    this.waiting.splice(0, made.length);
    this.list.append(...made.map((one) => one.node));
    this.shown.push(...made);
    const over = this.shown.length - MAX_LINES;
    if (over > 0) {
      for (const old of this.shown.splice(0, over)) old.node.remove();
      this.dropped += over;
      this.at = Math.max(-1, this.at - over);
    }
    this.drawing = this.waiting.length ? setTimeout(() => this.draw(), this.shown.length < MAX_LINES ? 0 : DRAW_MS) : undefined;
    if (this.query) this.count();
    this.drawNote();
  }

  drawNote() {
    const kept = this.dropped ? `Only the newest ${MAX_LINES} lines are kept; ${this.dropped} older ones went. ` : "";
    const none = this.shown.length ? "" : this.reading ? "Nothing yet. " : "There are no lines. ";
    setText(this.note, `${kept}${none}${this.why || (this.follow.checked ? "Following." : "Reading …")}`);
  }

  /** @param {Line} line @returns {Shown} */
  line({ stream: from, at, text }) {
    const { pieces: parts, style } = pieces(text, this.style);
    this.style = style;
    const content = h("bdi", { class: "log-text" }, parts.map((part) => {
      if (!part.style) return part.text;
      const { fg, bg, bold, dim, italic, underline, inverse } = part.style;
      const classes = [fg && `fg-${fg}`, bg && `bg-${bg}`, bold && "bold", dim && "dim", italic && "italic", underline && "underline", inverse && "inverse"];
      return h("span", { class: classes.filter(Boolean).join(" ") }, part.text);
    }));
    const shown = { node: h("div", { class: "log-line", "data-stream": from }, h("time", { datetime: at, title: at }, timeOfDay(at)), h("abbr", { class: "stream", title: from }, from === "stderr" ? "err" : "out"), content), plain: plain(text).toLowerCase() };
    if (this.query && shown.plain.includes(this.query)) shown.node.classList.add("match");
    return shown;
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    // Lines that are laid out late push the end away without anybody scrolling.
    if (scrollHeight - scrollTop - clientHeight < 40) this.sticks = true;
    else if (scrollTop < this.top - 2) this.sticks = false;
    this.top = scrollTop;
    this.newest.hidden = this.sticks;
  }

  toEnd() {
    this.sticks = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.top = this.scroll.scrollTop;
    this.newest.hidden = true;
  }

  /** @param {string} query */
  find(query) {
    this.query = query.toLowerCase();
    this.at = -1;
    for (const { node, plain: text } of this.shown) {
      node.classList.toggle("match", this.query !== "" && text.includes(this.query));
      node.classList.remove("here");
    }
    this.dress();
    this.count();
  }

  matches() {
    return this.shown.flatMap(({ node }, index) => (node.classList.contains("match") ? [index] : []));
  }

  count() {
    const matches = this.matches();
    const place = matches.indexOf(this.at);
    setText(this.found, this.query ? `${place < 0 ? "" : `${place + 1} of `}${matches.length} ${matches.length === 1 ? "line" : "lines"}` : "");
  }

  /** @param {number} by */
  step(by) {
    const matches = this.matches();
    if (!matches.length) return;
    this.shown[this.at]?.node.classList.remove("here");
    const place = matches.indexOf(this.at);
    const next = place < 0 ? (by > 0 ? 0 : matches.length - 1) : (place + by + matches.length) % matches.length;
    this.at = /** @type {number} */ (matches[next]);
    const node = /** @type {Shown} */ (this.shown[this.at]).node;
    node.classList.add("here");
    node.scrollIntoView({ block: "center" });
    this.count();
  }

  /** What a download holds: more than what is shown. */
  labelSaving() {
    const what = this.since.value ? `the log ${this.since.selectedOptions[0]?.textContent}` : "the whole log";
    const label = this.saving ? "Cancel the download" : `Download ${what}`;
    setText(this.save, this.saving ? "Cancel the download" : "Download");
    setAttribute(this.save, "aria-label", label);
    setAttribute(this.save, "title", label);
  }

  /** Save all lines of the chosen age, or end what is being saved. */
  async download() {
    if (this.saving) return this.saving.abort();
    const saving = new AbortController();
    this.saving = saving;
    this.labelSaving();
    try {
      this.keep(await download(this.address({ tail: "all", format: "text", timestamps: "1" }), saving.signal));
    } catch (error) {
      if (!saving.signal.aborted) failure(error);
    }
    this.saving = null;
    this.labelSaving();
  }

  /** @param {Blob} blob */
  keep(blob) {
    const url = URL.createObjectURL(blob);
    const link = h("a", { href: url, download: `${this.name().replace(/[^\w.-]/g, "_")}.log` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}
