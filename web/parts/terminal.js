/** An interactive shell in a container, over a WebSocket. */
import { address, call } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { styleByScript } from "./style_by_script.js";

/** @typedef {{hostId: string, containerId: string, name: string}} Target */
/** @typedef {import("@xterm/xterm").Terminal} Screen */

/** Input goes in pieces, no more of it ahead of the container than the server keeps. */
const PIECE = 16 * 1024;
const MAX_UNTAKEN = 128 * 1024;
/** Turns the direction of what stands beside it, so that text reads as something else. */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** OSC commands that containers have no use for here: titles, links, the clipboard. */
const REFUSED_OSC = [0, 1, 2, 8, 52];
const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace';
const THEME = {
  background: "#10151b", foreground: "#e6ebf0", cursor: "#2fb5a9", cursorAccent: "#10151b", selectionBackground: "#3d5166",
  black: "#3a4450", red: "#ff9d98", green: "#7edba0", yellow: "#f2c66d", blue: "#a5c8ff", magenta: "#cfb1f5", cyan: "#7cd5e0", white: "#cfd7df",
  brightBlack: "#a3afbc", brightRed: "#ffb3ae", brightGreen: "#96e6b3", brightYellow: "#ffd88a", brightBlue: "#bcd6ff", brightMagenta: "#dcc4fb", brightCyan: "#9be3ec", brightWhite: "#ffffff",
};

/** @returns {Promise<{xterm: typeof import("@xterm/xterm"), fit: typeof import("@xterm/addon-fit")}>} */
async function library() {
  const place = "../vendor/xterm";
  if (!document.querySelector("link[data-terminal]")) {
    const sheet = h("link", { rel: "stylesheet", href: "vendor/xterm/xterm.css", "data-terminal": true });
    await new Promise((done) => { sheet.onload = sheet.onerror = done; document.head.append(sheet); });
  }
  const [xterm, fit] = await Promise.all([import(`${place}/xterm.js`), import(`${place}/addon-fit.js`)]);
  return { xterm, fit };
}

export class Terminal {
  /** @param {() => Target} target */
  constructor(target) {
    this.target = target;
    this.socket = /** @type {WebSocket | null} */ (null);
    this.screen = /** @type {Screen | null} */ (null);
    this.fitter = /** @type {import("@xterm/addon-fit").FitAddon | null} */ (null);
    this.typed = /** @type {Uint8Array[]} */ ([]);
    this.untaken = 0;
    this.decoder = new TextDecoder();
    this.open = h("button", { type: "button", class: "primary", onclick: () => { this.start(); } }, "Open terminal");
    this.close = h("button", { type: "button", hidden: true, onclick: () => this.leave() }, "Close terminal");
    this.note = h("p", { class: "log-note", role: "status" });
    this.place = h("div", { class: "shell", hidden: true });
    this.node = h("div", { class: "terminal-part" }, h("div", { class: "buttons" }, this.open, this.close, this.note), this.place);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.place);
  }

  async start() {
    this.open.disabled = true;
    setText(this.note, "Connecting …");
    const { hostId, containerId, name } = this.target();
    try {
      const [{ xterm, fit }, { ticket }] = await Promise.all([library(), call("POST", "api/tickets", { kind: "exec", hostId, containerId })]);
      this.show(xterm, fit, name);
      this.connect(ticket);
    } catch (error) {
      this.ended(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {typeof import("@xterm/xterm")} xterm @param {typeof import("@xterm/addon-fit")} fit @param {string} name */
  show(xterm, fit, name) {
    styleByScript();
    this.screen?.dispose();
    this.place.hidden = false;
    this.decoder = new TextDecoder();
    const screen = new xterm.Terminal({ theme: THEME, fontFamily: FONT, fontSize: 13, scrollback: 5000, cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches, screenReaderMode: false });
    this.screen = screen;
    this.fitter = new fit.FitAddon();
    screen.loadAddon(this.fitter);
    for (const code of REFUSED_OSC) screen.parser.registerOscHandler(code, () => true);
    // Tab belongs to the shell, so another key has to lead out.
    screen.attachCustomKeyEventHandler((event) => {
      if (event.key !== "F6" || !event.shiftKey) return true;
      if (event.type === "keydown") this.close.focus();
      event.preventDefault();
      return false;
    });
    screen.open(this.place);
    screen.textarea?.setAttribute("aria-label", `Terminal in ${name}. Shift+F6 leaves it.`);
    const encoder = new TextEncoder();
    screen.onData((text) => this.type(encoder.encode(text)));
    screen.onBinary((text) => this.type(Uint8Array.from(text, (one) => one.charCodeAt(0))));
    screen.onResize(({ cols, rows }) => this.say({ resize: { cols, rows } }));
    this.fit();
  }

  /** @param {string} ticket */
  connect(ticket) {
    const screen = /** @type {Screen} */ (this.screen);
    const socket = new WebSocket(address("api/exec").replace(/^http/, "ws"));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.typed = [];
    this.untaken = 0;
    let why = "The connection to the server broke off.";
    socket.onopen = () => {
      socket.send(JSON.stringify({ ticket, cols: screen.cols, rows: screen.rows }));
      setText(this.note, "Connected. Shift+F6 leaves the terminal.");
      this.open.hidden = true;
      this.close.hidden = false;
      screen.focus();
      this.node.scrollIntoView({ block: "nearest" });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.take(new Uint8Array(data));
      const said = JSON.parse(data);
      if ("ack" in said) this.taken(said.ack);
      else why = "exit" in said ? `The shell ended with exit code ${said.exit}.` : `The terminal ended: ${said.error}.`;
    };
    socket.onclose = () => { if (this.socket === socket) this.ended(why); };
  }

  /** @param {Uint8Array} data */
  take(data) {
    const text = this.decoder.decode(data, { stream: true }).replace(TURNING, "\ufffd");
    this.screen?.write(text, () => this.say({ ack: data.length }));
  }

  /** @param {Uint8Array} data */
  type(data) {
    for (let at = 0; at < data.length; at += PIECE) this.typed.push(data.subarray(at, at + PIECE));
    this.send();
  }

  send() {
    while (this.socket?.readyState === WebSocket.OPEN && this.typed[0] && this.untaken + this.typed[0].length <= MAX_UNTAKEN) {
      const piece = /** @type {Uint8Array<ArrayBuffer>} */ (this.typed.shift());
      this.untaken += piece.length;
      this.socket.send(piece);
    }
  }

  /** @param {number} bytes that the container has taken */
  taken(bytes) {
    this.untaken = Math.max(0, this.untaken - bytes);
    this.send();
  }

  /** @param {unknown} message */
  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  fit() {
    // Behind another tab it has no size.
    if (this.place.clientHeight > 0) this.fitter?.fit();
  }

  leave() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.ended("You closed the terminal.");
  }

  /** @param {string} why */
  ended(why) {
    const held = this.node.contains(document.activeElement);
    this.socket = null;
    if (this.screen) this.screen.options.disableStdin = true;
    setText(this.note, why);
    fill(this.open, this.screen ? "Open it again" : "Open terminal");
    this.open.disabled = false;
    this.open.hidden = false;
    this.close.hidden = true;
    if (held) this.open.focus();
  }

  stop() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.observer.disconnect();
    this.screen?.dispose();
  }
}
