/** Small live charts of a container's figures, drawn by uPlot. */
import { address } from "../api.js";
import { fill, h, setAttribute, setText } from "../dom.js";
import { cpu, memory, traffic } from "../format.js";

/** @typedef {import("../samples.js").Series} Series */
/** @typedef {typeof import("uplot")} UPlotClass */
/** @typedef {{key: keyof Series, word: string, colour: string, dash?: number[]}} Line */
/** @typedef {{title: string, format: (value: number) => string, steps?: number[], lines: Line[]}} Chart */

const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const CHARTS = /** @type {Chart[]} */ ([
  { title: "CPU", format: cpu, lines: [{ key: "cpu", word: "", colour: "--bar" }] },
  { title: "Memory", format: memory, steps: BINARY_STEPS, lines: [{ key: "memory", word: "", colour: "--bar-memory" }] },
  { title: "Network", format: (value) => `${traffic(value)}/s`, lines: [{ key: "received", word: "received ", colour: "--bar" }, { key: "sent", word: "sent ", colour: "--odd", dash: [6, 4] }] },
]);
const HEIGHT = 120;
/** A minute at least, or the first reports would stand at no time at all. */
const LEAST_S = 60;
const SOURCE = "vendor/uplot/uPlot.esm.js";
const STYLE = "vendor/uplot/uPlot.min.css";

/** @type {Promise<UPlotClass> | null} */
let loading = null;

/** uPlot, fetched with the first chart. */
function uplot() {
  loading ??= import(address(SOURCE)).then((module) => {
    document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
    return module.default;
  }, (error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** A colour of the page as it is now, so that charts follow the theme. @param {string} name */
function colour(name) {
  probe.style.setProperty("color", `var(${name})`);
  return getComputedStyle(probe).color;
}
const probe = h("span", { hidden: true });
document.head.append(probe);

class ChartBox {
  /** @param {Chart} chart */
  constructor(chart) {
    this.chart = chart;
    this.figure = h("p", { class: "chart-figure" });
    this.place = h("div", { class: "chart-place", role: "img", "aria-label": `${chart.title} since the tab was opened` });
    this.node = h("div", { class: "chart" }, h("h3", {}, chart.title), this.figure, this.place);
    this.plot = /** @type {import("uplot") | null} */ (null);
    this.series = /** @type {Series | null} */ (null);
    new ResizeObserver(() => this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT })).observe(this.place);
  }

  /** @param {Series} series @param {UPlotClass} UPlot */
  draw(series, UPlot) {
    this.series = series;
    const data = /** @type {any} */ ([series.at, ...this.chart.lines.map((line) => series[line.key])]);
    if (this.plot) this.plot.setData(data);
    else if (this.place.clientWidth) this.plot = new UPlot(this.options(), data, this.place);
    this.say(null);
  }

  /** @returns {import("uplot").Options} */
  options() {
    const { chart } = this;
    const axis = { stroke: () => colour("--muted"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width: this.place.clientWidth, height: HEIGHT, legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "container" }, points: { size: 6 } },
      hooks: { setCursor: [(plot) => this.say(plot.cursor.idx ?? null)] },
      scales: { x: { range: span }, y: { range: (_, __, most) => [0, (most || 1) * 1.1] } },
      axes: [
        { ...axis, size: 24, space: 80, values: (_, ticks) => ticks.map((tick) => timeText(tick, (ticks[1] ?? 0) - (ticks[0] ?? 0) < 60)) },
        { ...axis, size: 72, space: 36, ...(chart.steps ? { incrs: chart.steps } : {}), values: (_, ticks) => ticks.map(chart.format) },
      ],
      series: [{}, ...chart.lines.map((line) => ({ stroke: () => colour(line.colour), width: 2, spanGaps: false, points: { size: 5 }, ...(line.dash ? { dash: line.dash } : {}) }))],
    };
  }

  /** The figures at a place in time, or the newest ones. @param {number | null} index */
  say(index) {
    const { series, chart } = this;
    if (!series) return;
    const at = index ?? series.at.length - 1;
    const text = chart.lines.map((line) => `${line.word}${valueText(series[line.key][at], chart.format)}`).join(", ");
    const when = index === null ? "" : ` at ${timeText(series.at[at] ?? 0, true)}`;
    if (this.figure.textContent !== text + when) {
      fill(this.figure, chart.lines.map((line, number) => [number ? ", " : null, chart.lines.length > 1 ? swatch(line) : null, `${line.word}${valueText(series[line.key][at], chart.format)}`]).flat(), when);
    }
    const most = Math.max(...chart.lines.flatMap((line) => series[line.key].map((value) => value ?? 0)));
    setAttribute(this.place, "aria-label", `${chart.title} since the tab was opened: now ${text}, at most ${chart.format(most)}`);
  }
}

/** From the first report to the last; uPlot itself gives a single one a day. @param {import("uplot")} plot @returns {[number, number]} */
function span(plot) {
  const at = plot.data[0], last = at.at(-1) ?? 0;
  return [Math.min(at[0] ?? 0, last - LEAST_S), last];
}

/** @param {Line} line */
function swatch(line) {
  return h("span", { class: "swatch", "data-dash": Boolean(line.dash), "aria-hidden": "true" });
}

/** @param {number} at unix seconds @param {boolean} precise */
function timeText(at, precise) {
  return new Date(at * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", ...(precise ? { second: "2-digit" } : {}) });
}

/** @param {number | null | undefined} value @param {(value: number) => string} format */
function valueText(value, format) {
  return value == null ? "—" : format(value);
}

export class Charts {
  constructor() {
    this.boxes = CHARTS.map((chart) => new ChartBox(chart));
    this.since = h("p", { class: "hint" });
    this.body = h("div", { class: "charts" }, this.boxes.map((box) => box.node));
    this.node = h("section", { class: "card live" }, h("h2", {}, "Since this tab was opened"), this.since, this.body);
    // Colours are read while drawing.
    this.redraw = () => { for (const box of this.boxes) box.plot?.redraw(false); };
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.redraw);
    this.theme = new MutationObserver(this.redraw);
    this.theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  stop() {
    this.scheme.removeEventListener("change", this.redraw);
    this.theme.disconnect();
    for (const box of this.boxes) box.plot?.destroy();
  }

  /** @param {import("../samples.js").Samples} samples */
  async update(samples) {
    const known = samples.series.cpu.some((value) => value !== null) || samples.series.memory.some((value) => value !== null);
    this.node.hidden = !known;
    if (!known) return;
    setText(this.since, samples.length < 2 ? "The next report begins the lines." : "Each report adds to the lines.");
    try {
      const UPlot = await uplot();
      for (const box of this.boxes) box.draw(samples.series, UPlot);
    } catch {
      fill(this.since, "The charts could not be loaded. The figures below are current.");
    }
  }
}
