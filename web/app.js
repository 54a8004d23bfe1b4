/** The page's frame: who is signed in, which tabs are open, what the address says. */
import { call } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { clock } from "./format.js";
import { panelId, tabId, Tabs } from "./parts/tabs.js";
import * as prefs from "./prefs.js";
import * as session from "./session.js";
import * as store from "./store.js";
import * as container from "./views/container.js";
import { mark } from "./views/containers.js";
import { VIEWS } from "./views/index.js";
import * as login from "./views/login.js";
import * as nowhere from "./views/nowhere.js";
import * as setup from "./views/setup.js";

/** @typedef {{hostId: string, name: string}} Open */
/** @typedef {import("./parts/tabs.js").Tab} Tab */

const RENEWAL_CHECK_MS = 60000;
const HOME = "#/containers";
/** Addresses of the page itself, and of a set-up that is over. */
const STARTS = /^(#?|#\/|#\/setup\b.*)$/;
/** How long signing out waits for a server that does not answer. */
const FAREWELL_MS = 3000;

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const panels = /** @type {Map<string, {node: HTMLElement, view: import("./views/index.js").Mounted}>} */ (new Map());
const main = h("main", { class: "main" });
const trouble = h("span", { role: "alert" });
const countdown = h("span", {});
const banner = h("section", { class: "banner", "aria-label": "Connection", hidden: true }, trouble, countdown, h("button", { type: "button", onclick: () => store.retry() }, "Try now"));
const tabs = new Tabs({ open: (hash) => { location.hash = hash; }, close: closeTab, move: moveTab });
let shownBefore = false;
let titled = "ArchNest";
let astray = /** @type {Tab | null} */ (null);
let opened = /** @type {Open[]} */ ([]);

/** @param {Open} open */
function openId(open) {
  return `c-${encodeURIComponent(open.hostId)}-${encodeURIComponent(open.name)}`;
}

/** @param {Open} open */
function openHash(open) {
  return `#/hosts/${encodeURIComponent(open.hostId)}/containers/${encodeURIComponent(open.name)}`;
}

/** The container that an address names, or null. @param {string} hash @returns {Open | null} */
function openFrom(hash) {
  const match = /^#\/hosts\/([^/]+)\/containers\/([^/]+)$/.exec(hash);
  if (!match) return null;
  try {
    return { hostId: decodeURIComponent(match[1] ?? ""), name: decodeURIComponent(match[2] ?? "") };
  } catch {
    return null;
  }
}

/** A view's address as it stands, with its search and filters. @param {string} id */
function addressOf(id) {
  return panels.get(id)?.view.address?.() ?? prefs.readHere("addresses", /** @type {Record<string, string>} */ ({}))[id] ?? `#/${id}`;
}

/** Let the address say what a view shows now, without a new step for Back. @param {string} id @param {string} hash */
function readdress(id, hash) {
  if (panels.get(id)?.node.hidden !== false || location.hash === hash) return;
  history.replaceState(null, "", hash);
  prefs.writeHere("addresses", { [id]: hash });
  tabs.show(tabList(), id);
}

function allowedViews() {
  return VIEWS.filter((view) => view.access === "member" || session.isAdmin());
}

/** The view at an address; where there is none, or none for this role, one that says so. @param {string} path @returns {import("./views/index.js").View} */
function viewAt(path) {
  const view = VIEWS.find((one) => path === `#/${one.id}`);
  if (view && allowedViews().includes(view)) return view;
  return { id: `nowhere-${view?.id ?? "else"}`, title: view?.title ?? "Not found", access: "member", mount: (panel) => nowhere.mount(panel, view?.title) };
}

/** @returns {Tab[]} */
function tabList() {
  const views = allowedViews().map((view) => ({ id: view.id, title: view.title, hash: addressOf(view.id), closable: false }));
  const twice = (/** @type {Open} */ open) => opened.some((one) => one !== open && one.name === open.name);
  const containers = opened.map((open) => ({ id: openId(open), title: twice(open) ? `${open.name} · ${open.hostId}` : open.name, note: `${open.name} on ${open.hostId}`, hash: openHash(open), closable: true }));
  return [...views, ...(astray ? [astray] : []), ...containers];
}

/** This tab of the browser keeps its own; a new one begins with the latest. */
function keepTabs() {
  prefs.writeHere("tabs", { opened });
  prefs.write("tabs", { opened });
}

/** @param {string} id */
function closeTab(id) {
  const index = opened.findIndex((open) => openId(open) === id);
  if (index < 0) return;
  // Not the address: the same one can be written in other ways.
  const wasActive = panels.get(id)?.node.hidden === false;
  opened.splice(index, 1);
  keepTabs();
  panels.get(id)?.view.unmount();
  panels.get(id)?.node.remove();
  panels.delete(id);
  if (!wasActive) return show();
  const next = opened[index] ?? opened[index - 1];
  location.hash = next ? openHash(next) : addressOf("containers");
}

/** @param {string} id @param {number} by */
function moveTab(id, by) {
  const from = opened.findIndex((open) => openId(open) === id);
  if (from < 0) return;
  const to = Math.min(opened.length - 1, Math.max(0, from + by));
  opened.splice(to, 0, ...opened.splice(from, 1));
  keepTabs();
  show();
}

/** The panel of a tab, mounted when first shown. @param {string} id @param {(panel: HTMLElement) => import("./views/index.js").Mounted} mount */
function panelFor(id, mount) {
  let panel = panels.get(id);
  if (!panel) {
    const node = h("div", { role: "tabpanel", id: panelId(id), "aria-labelledby": tabId(id), tabindex: "-1", class: `panel panel-${id.split("-")[0]}` });
    main.append(node);
    panel = { node, view: mount(node) };
    panels.set(id, panel);
  }
  return panel;
}

/** Show what the address says. */
function show() {
  if (!session.user()) return;
  const open = openFrom(location.hash);
  if (!open && STARTS.test(location.hash)) history.replaceState(null, "", HOME);
  const [path = "", said] = location.hash.split("?", 2);
  const view = viewAt(path);
  if (open && !opened.some((one) => openId(one) === openId(open))) {
    opened.push(open);
    keepTabs();
  }
  const active = open ? openId(open) : view.id;
  astray = active.startsWith("nowhere") ? { id: view.id, title: view.title, hash: location.hash, closable: false } : null;
  const panel = panelFor(active, (node) => (open ? container.mount(node, open.hostId, open.name) : view.mount(node, (hash) => readdress(active, hash))));
  for (const [id, one] of panels) one.node.hidden = id !== active;
  tabs.show(tabList(), active);
  panel.view.shown(new URLSearchParams(said));
  // The link that led here went away with its panel, and the focus with it.
  if (shownBefore && document.activeElement === document.body) panel.node.focus({ preventScroll: true });
  shownBefore = true;
  titled = `${open ? `${open.name} on ${open.hostId}` : view.title} · ArchNest`;
  drawTitle();
}

/** How much is in trouble stands in the browser's own tab too. */
function drawTitle() {
  if (session.user()) document.title = `${mark()}${titled}`;
}

function drawBanner() {
  banner.hidden = store.trouble === null;
  if (!store.trouble) return;
  const since = store.lastHeard() ? `What is shown is as of ${clock(new Date(store.lastHeard()).toISOString(), Date.now())}.` : "";
  const seconds = Math.max(0, Math.ceil((store.trouble.retryAt - Date.now()) / 1000));
  setText(trouble, `${store.trouble.message} ${since} `);
  // Apart from the alert, or each second of it would be read out.
  setText(countdown, `Next try in ${seconds} s. `);
}

async function signOut() {
  const late = new Promise((resolve) => { setTimeout(resolve, FAREWELL_MS); });
  await Promise.race([call("POST", "api/auth/logout").catch(() => undefined), late]);
  session.end(false);
}

function header() {
  const user = session.user();
  return h("header", { class: "top" },
    h("a", { class: "brand", href: HOME }, h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }), "ArchNest"),
    tabs.node,
    h("div", { class: "who" }, h("bdi", {}, user?.username ?? ""), h("small", {}, user?.role ?? ""), h("button", { type: "button", onclick: signOut }, "Sign out")));
}

function enter() {
  const latest = prefs.read("tabs", { opened: /** @type {Open[]} */ ([]) });
  opened = prefs.readHere("tabs", latest).opened.filter((open) => typeof open?.hostId === "string" && typeof open?.name === "string");
  fill(root, header(), banner, main);
  store.start();
  show();
}

/** @param {string} message */
function leave(message) {
  store.stop();
  for (const { view, node } of panels.values()) {
    view.unmount();
    node.remove();
  }
  panels.clear();
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  document.title = "Sign in · ArchNest";
  const panel = h("main", { class: "gate" }, h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: 32, height: 32 }), "ArchNest"));
  fill(root, panel);
  const code = /^#\/setup\?code=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1];
  if (code) setup.mount(panel, code);
  else login.mount(panel, message);
}

async function renewIfDue() {
  if (!session.wantsRenewal(Date.now())) return;
  try {
    session.renewed(await call("POST", "api/auth/renew"));
  } catch {
    // The next check tries again; an ended session has already led to sign-in.
  }
}

prefs.applyTheme();
prefs.follow("theme", prefs.applyTheme);
store.subscribe(drawBanner);
store.subscribe(drawTitle);
session.onChange((ended) => (session.user() ? enter() : leave(ended ? "Your session has ended. Sign in to go on where you were." : "")));
addEventListener("hashchange", () => (session.user() ? show() : leave("")));
// Who is here again sees at once whether the server is.
for (const type of ["focus", "pointerdown", "keydown"]) addEventListener(type, store.nudge);
setInterval(drawBanner, 1000);
setInterval(renewIfDue, RENEWAL_CHECK_MS);
if (session.user()) {
  enter();
  renewIfDue();
} else {
  leave("");
}
