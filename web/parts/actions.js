/** What can be done with a container, how far it is and how it ended. */
import { call } from "../api.js";
import { fill, h, setAttribute } from "../dom.js";
import * as session from "../session.js";
import * as store from "../store.js";
import { confirm } from "./dialog.js";
import { notice } from "./notice.js";

/** @typedef {import("../types.js").Row} Row */
/** @typedef {"start" | "stop" | "restart" | "pause" | "unpause" | "kill" | "remove"} Action */
/** @typedef {{kind: "busy" | "done" | "failed", text: string, detail: string}} Progress */

const WORDS = /** @type {Record<Action, [string, string, string]>} */ ({
  start: ["Start", "starting …", "started"],
  stop: ["Stop", "stopping …", "stopped"],
  restart: ["Restart", "restarting …", "restarted"],
  pause: ["Pause", "pausing …", "paused"],
  unpause: ["Unpause", "unpausing …", "unpaused"],
  kill: ["Kill", "killing …", "killed"],
  remove: ["Remove", "removing …", "removed"],
});
const BY_STATE = /** @type {Record<string, Action[]>} */ ({
  running: ["restart", "stop", "pause", "kill", "remove"],
  restarting: ["stop", "restart", "kill", "remove"],
  paused: ["unpause", "stop", "kill", "remove"],
});
const AT_REST = /** @type {Action[]} */ (["start", "remove"]);
/** How long a row tells how an action ended. */
const TOLD_MS = 8000;
const FAILURE_TOLD_MS = 30000;

const progress = /** @type {Map<string, Progress>} */ (new Map());
const listeners = /** @type {Set<() => void>} */ (new Set());

/** Be told when an action begins or ends. @param {() => void} listener @returns {() => void} ends it */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {string} key @param {Progress} now @param {number} toldMs 0: until it changes */
function tell(key, now, toldMs) {
  progress.set(key, now);
  if (toldMs) {
    setTimeout(() => {
      if (progress.get(key) !== now) return;
      progress.delete(key);
      for (const listener of listeners) listener();
    }, toldMs);
  }
  for (const listener of listeners) listener();
}

/** What may be done with it now; null where its source cannot. @param {Row} row @returns {Action[] | null} */
export function offered(row) {
  if (!row.host.capabilities.includes("actions")) return null;
  if (!session.isAdmin() || !row.standing.current) return [];
  return BY_STATE[row.container.state] ?? AT_REST;
}

/** @param {Row} row @param {Action} action */
async function perform(row, action) {
  const { host, container, key } = row;
  const name = container.name || container.id.slice(0, 12);
  const force = action === "remove" && container.state in BY_STATE;
  if (action === "remove") {
    const sure = await confirm({ title: `Remove ${name}?`, text: `The container ${name} on ${host.hostId} is removed for good${force ? ", killed first because it runs" : ""}. Its named volumes stay.`, action: "Remove container", danger: true });
    if (!sure) return;
  }
  tell(key, { kind: "busy", text: WORDS[action][1], detail: "" }, 0);
  try {
    await call("POST", `api/hosts/${encodeURIComponent(host.hostId)}/containers/${encodeURIComponent(container.id)}/actions`, { action, force });
    tell(key, { kind: "done", text: WORDS[action][2], detail: "" }, TOLD_MS);
    notice(`${name} on ${host.hostId}: ${WORDS[action][2]}`);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    tell(key, { kind: "failed", text: `could not ${action}`, detail }, FAILURE_TOLD_MS);
    notice(`Could not ${action} ${name} on ${host.hostId}: ${detail}`, "failed");
  }
  store.retry();
}

/** @param {Row} row @param {Action} action */
function button(row, action) {
  const name = row.container.name || row.container.id.slice(0, 12);
  return h("button", { type: "button", class: action === "remove" || action === "kill" ? "small danger" : "small", "aria-label": `${WORDS[action][0]} ${name}`, onclick: () => perform(row, action) }, WORDS[action][0]);
}

/** Arrow keys, Home and End walk along the items of a menu. @param {KeyboardEvent} event @param {HTMLElement[]} items */
function walk(event, items) {
  const index = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const step = /** @type {Record<string, number>} */ ({ ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: items.length - 1 })[event.key];
  if (step === undefined) return;
  items[(step + items.length) % items.length]?.focus();
  event.preventDefault();
}

/** The rest of the actions in a menu over the page, so that no row clips it. @param {Row} row @param {Action[]} actions */
function menuButton(row, actions) {
  const name = row.container.name || row.container.id.slice(0, 12);
  const more = h("button", { type: "button", class: "small", "aria-label": `More actions for ${name}`, "aria-haspopup": "menu" }, "⋯");
  more.addEventListener("click", () => {
    const items = actions.map((action) => h("button", { type: "button", role: "menuitem", class: action === "remove" || action === "kill" ? "danger" : null, onclick: () => { menu.close(); perform(row, action); } }, WORDS[action][0]));
    const menu = h("dialog", { class: "action-menu", "aria-label": `Actions for ${name}` }, h("div", { role: "menu" }, items));
    menu.addEventListener("keydown", (event) => walk(event, items));
    menu.addEventListener("close", () => menu.remove());
    menu.addEventListener("click", (event) => { if (event.target === menu) menu.close(); });
    document.body.append(menu);
    menu.showModal();
    const { right, bottom, top } = more.getBoundingClientRect();
    const below = bottom + menu.offsetHeight < innerHeight;
    menu.style.setProperty("left", `${Math.max(4, right - menu.offsetWidth)}px`);
    menu.style.setProperty("top", `${below ? bottom : Math.max(4, top - menu.offsetHeight)}px`);
  });
  return more;
}

/** @param {Row} row @param {Action[]} actions @param {number} direct how many stand outside the menu */
function buttons(row, actions, direct) {
  const rest = actions.slice(direct);
  return [...actions.slice(0, direct).map((action) => button(row, action)), ...(rest.length > 1 ? [menuButton(row, rest)] : rest.map((action) => button(row, action)))];
}

/** A word in a row, of which the page's column has many; read out in full. */
function unavailable() {
  return ["not available", h("span", { class: "unseen" }, " from this source")];
}

/**
 * Show a row's actions, or how the one under way is doing.
 * @param {HTMLElement} node @param {Row} row @param {number} direct how many stand outside the menu
 * @param {(Node | string)[]} [none] what stands where there are none
 */
export function updateActions(node, row, direct, none = unavailable()) {
  const now = progress.get(row.key);
  const actions = offered(row);
  // The buttons act on this row, whichever one the node served before.
  const state = `${row.key} ${row.container.id} ${row.container.state} ${actions ? actions.join() : "none"} ${now ? `${now.kind} ${now.text} ${now.detail}` : ""}`;
  if (node.dataset["actions"] === state) return;
  node.dataset["actions"] = state;
  const hadKeyboard = node.querySelector(":focus-visible") !== null;
  const said = now ? h("span", { class: "progress", "data-kind": now.kind, role: "status", tabindex: "-1", title: now.detail || null }, now.text) : null;
  setAttribute(node, "title", actions ? null : "Not available from this source: an agent only reports");
  if (!actions) return fill(node, h("small", {}, ...none));
  // A row has no room for what is told and a button.
  fill(node, said, now?.kind === "busy" ? null : buttons(row, actions, now && direct === 1 ? 0 : direct));
  // What was pressed is gone, but not the place of whoever goes by keys.
  if (hadKeyboard) /** @type {HTMLElement | null} */ (node.querySelector("button") ?? node.querySelector(".progress"))?.focus();
}
