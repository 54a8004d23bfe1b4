/** Every host: what it is, who speaks for it, how current it is, its tokens, and what was refused. */
import { call, get, serverNow } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { dateTime, duration, memory } from "../format.js";
import { AddHost, upgradeLine } from "../parts/add_host.js";
import { copyButton } from "../parts/copy.js";
import { confirm } from "../parts/dialog.js";
import { conflictText, skewText } from "../parts/doubt.js";
import { forgetHost } from "../parts/forget.js";
import { failure, notice, pollFailure } from "../parts/notice.js";
import { poll } from "../poll.js";
import * as session from "../session.js";
import * as store from "../store.js";

/** @typedef {import("../types.js").AgentToken} AgentToken */
/** @typedef {import("../types.js").Host} Host */
/** @typedef {import("../types.js").Refusal} Refusal */

export const id = "hosts";
export const title = "Hosts";
export const access = "member";

const HEADS = ["Host", "System", "Source", "Agent", "Last report", "Containers", "Tokens", "Actions"];
const PATH = "api/agents/docker";

class HostsView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.tokens = /** @type {AgentToken[]} */ ([]);
    this.refusals = /** @type {Refusal[]} */ ([]);
    this.shown = "";
    this.redrawDialog = () => {};
    this.list = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Hosts" }, h("p", { class: "loading" }, "Loading …"));
    this.upgrade = h("section", { hidden: true });
    this.refused = h("section", { hidden: true });
    panel.append(h("div", { class: "page" }, h("h1", {}, "Hosts"),
      session.isAdmin() ? h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => this.add() }, "Add a host")) : null,
      this.list, this.upgrade, this.refused));
    this.polling = poll((signal) => this.load(signal), pollFailure);
    this.unsubscribe = store.subscribe(() => this.draw());
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    if (this.panel.hidden) return;
    const [{ tokens }, { refusals }] = await Promise.all([get(`${PATH}/tokens`), get(`${PATH}/refusals`)]);
    if (signal.aborted) return;
    this.tokens = tokens;
    this.refusals = refusals;
    this.draw();
    this.redrawDialog();
  }

  draw() {
    if (this.panel.hidden || !store.loaded) return;
    const hosts = store.allHosts();
    const waiting = [...new Set(this.tokens.filter((one) => !one.revokedAt).map((one) => one.hostId))].filter((hostId) => !store.hostOf(hostId));
    // The minute too: ages are told in it.
    const state = JSON.stringify([hosts, waiting, this.tokens, this.refusals, hosts.map((host) => age(host))]);
    if (state === this.shown) return;
    this.shown = state;
    const rows = [...hosts.map((host) => this.row(host.hostId, host)), ...waiting.map((hostId) => this.row(hostId, null))];
    const focus = document.activeElement instanceof HTMLElement && this.list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    fill(this.list, rows.length ? h("table", { class: "listing stacked" }, h("thead", {}, h("tr", {}, HEADS.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)) : h("p", { class: "none" }, "none yet"));
    if (focus) /** @type {HTMLElement | null} */ (this.list.querySelector(`[aria-label="${CSS.escape(focus)}"]`))?.focus();
    this.drawUpgrade(hosts);
    this.drawRefused();
  }

  /** @param {string} hostId @param {Host | null} host null for one that has not reported */
  row(hostId, host) {
    const live = this.tokens.filter((one) => one.hostId === hostId && !one.revokedAt).length;
    const refused = this.refusals.find((one) => one.hostId === hostId);
    const pushes = !host || host.source === "agent";
    return h("tr", {},
      h("th", { scope: "row" }, host ? hostName(host) : hostId),
      h("td", { "data-title": "System" }, host ? systemText(host) : "—"),
      h("td", { "data-title": "Source" }, host ? sourceText(host) : "agent"),
      h("td", { "data-title": "Agent" }, host ? agentText(host) : "—"),
      h("td", { "data-title": "Last report" }, host ? lastReport(host) : "none yet", host ? doubts(host) : null, refused ? h("p", { class: "form-error" }, refusedText(refused)) : null),
      h("td", { "data-title": "Containers" }, host ? host.containerCount : "—"),
      h("td", { "data-title": "Tokens" }, live || (pushes ? "shared token" : "—")),
      h("td", { class: "buttons" }, session.isAdmin() ? this.buttons(hostId, pushes || live > 0, pushes ? host : null) : null));
  }

  /** @param {string} hostId @param {boolean} hasTokens also an engine's host may have some, which only can be revoked @param {Host | null} host that may be forgotten */
  buttons(hostId, hasTokens, host) {
    return [
      hasTokens ? h("button", { type: "button", "aria-label": `Tokens of ${hostId}`, onclick: () => this.openTokens(hostId) }, "Tokens") : null,
      host ? h("button", { type: "button", class: "danger", "aria-label": `Forget ${hostId}`, onclick: () => forgetHost(host).then(() => this.polling.now()) }, "Forget") : null,
    ];
  }

  /** @param {Host[]} hosts */
  drawUpgrade(hosts) {
    const old = hosts.filter(isOld).map((host) => host.hostId);
    this.upgrade.hidden = old.length === 0;
    if (old.length === 0) return;
    const line = upgradeLine();
    fill(this.upgrade, h("h2", {}, old.length === 1 ? "An agent can be upgraded" : `${old.length} agents can be upgraded`),
      h("p", {}, `Agents of ${store.agentVersion()} or newer are current; older ones go on working. Run this on ${old.join(", ")}; settings stay as they are.`),
      h("pre", { tabindex: "0" }, h("code", {}, line)), copyButton(line, "the line", "Copy the line"),
      location.protocol === "https:" ? h("p", { class: "form-note" }, "Where the certificate is of a private CA, curl needs ", h("code", {}, "--cacert /etc/archnest/ca.pem"), " too.") : null);
  }

  drawRefused() {
    this.refused.hidden = this.refusals.length === 0;
    fill(this.refused, h("h2", {}, "Refused reports"), h("p", {}, "Since the server's start, the latest first."),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Refused reports" },
        h("table", { class: "listing" }, h("thead", {}, h("tr", {}, ["When", "Host", "From", "Why", "Times"].map((head) => h("th", { scope: "col" }, head)))),
          h("tbody", {}, this.refusals.map((one) => h("tr", {}, h("td", {}, dateTime(one.lastAt)), h("td", {}, one.hostId ?? "unknown"), h("td", {}, one.address ?? "—"), h("td", {}, foreign(one.detail)), h("td", {}, one.count)))))));
  }

  add() {
    const adding = new AddHost();
    open("Add a host", adding.node, () => {
      adding.stop();
      this.polling.now();
    });
  }

  /** @param {string} hostId */
  openTokens(hostId) {
    const list = h("div", {});
    const adding = new AddHost({ hostId, level: "h3" });
    this.redrawDialog = () => {
      const own = this.tokens.filter((one) => one.hostId === hostId);
      fill(list, own.length ? h("ul", { class: "tokens" }, own.map((one) => this.token(one))) : h("p", { class: "none" }, "This host has no token of its own; it reports with the shared one."));
    };
    this.redrawDialog();
    open(`Tokens of ${hostId}`, h("div", {}, h("h2", {}, `Tokens of ${hostId}`), list, adding.node), () => {
      this.redrawDialog = () => {};
      adding.stop();
    });
  }

  /** @param {AgentToken} token */
  token(token) {
    const used = token.lastUsedAt ? `last used ${dateTime(token.lastUsedAt)}${token.lastAddress ? ` from ${token.lastAddress}` : ""}` : "never used";
    return h("li", {}, h("code", {}, `ahn_${token.id}_…`), ` made ${dateTime(token.createdAt)}, `, token.revokedAt ? h("strong", {}, `revoked ${dateTime(token.revokedAt)}`) : used, " ",
      token.revokedAt ? null : h("button", { type: "button", class: "danger", "aria-label": `Revoke ahn_${token.id}`, onclick: () => this.revoke(token) }, "Revoke"));
  }

  /** @param {AgentToken} token */
  async revoke(token) {
    const sure = await confirm({ title: `Revoke ahn_${token.id}?`, text: `The next report of ${token.hostId} with this token is refused. This cannot be undone.`, action: "Revoke token", danger: true });
    if (!sure) return;
    try {
      await call("DELETE", `${PATH}/tokens/${encodeURIComponent(token.id)}`);
      notice(`Revoked a token of ${token.hostId}`);
    } catch (error) {
      failure(error);
    }
    this.polling.now();
  }
}

/** @param {string} label @param {HTMLElement} content @param {() => void} closed */
function open(label, content, closed) {
  const dialog = h("dialog", { class: "dialog wide", "aria-label": label }, content, h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Close")));
  dialog.addEventListener("close", () => {
    closed();
    dialog.remove();
  });
  // Its address leads to another view, which a dialog would cover.
  dialog.addEventListener("click", (event) => {
    if (event.target instanceof HTMLAnchorElement) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Host} host */
function age(host) {
  return duration(serverNow() - Date.parse(host.receivedAt));
}

/** Whether its agent is older than the one the server serves. @param {Host} host */
function isOld(host) {
  return host.agentVersion != null && Number(host.agentVersion) < Number(store.agentVersion());
}

/** @param {Host} host */
function hostName(host) {
  const other = host.hostname && host.hostname !== host.hostId ? h("small", {}, " ", foreign(host.hostname)) : null;
  return [h("a", { href: `#/containers?host=${encodeURIComponent(host.hostId)}` }, host.hostId), other];
}

/** The machine and its engine, as far as they are told. @param {Host} host */
function systemText({ engine }) {
  const { os, kernel, arch, cpus, memTotal, version, apiVersion } = engine ?? {};
  const size = [cpus == null ? null : `${cpus} ${cpus === 1 ? "core" : "cores"}`, memTotal == null ? null : memory(memTotal)];
  const told = [...size, arch, kernel, version && `engine ${version}`, apiVersion && `API ${apiVersion}`].filter(Boolean);
  return [os ? h("div", {}, foreign(os)) : null, told.length ? h("small", {}, foreign(told.join(" · "))) : null, os || told.length ? null : "—"];
}

/** @param {Host} host */
function sourceText(host) {
  return [host.source, host.linkedSource ? h("small", {}, ` and ${host.linkedSource}`) : null];
}

/** @param {Host} host */
function agentText(host) {
  return [host.agentVersion ? foreign(host.agentVersion) : "—", isOld(host) ? h("strong", {}, " can be upgraded") : null];
}

/** @param {Host} host */
function lastReport(host) {
  return [store.isSilent(host) ? h("strong", {}, "stale: ") : null, `${age(host)} ago`];
}

/** @param {Host} host */
function doubts(host) {
  const [conflict, skew] = [conflictText(host), skewText(host)];
  return [conflict ? h("p", { class: "form-error" }, conflict) : null, skew ? h("p", {}, skew) : null];
}

/** @param {Refusal} refused */
function refusedText(refused) {
  const from = refused.address ? ` from ${refused.address}` : "";
  return `refused ${dateTime(refused.lastAt)}${from}: \u2068${refused.detail}\u2069`;
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const view = new HostsView(panel);
  return {
    shown: () => { view.draw(); view.polling.now(); },
    unmount: () => { view.polling.stop(); view.unsubscribe(); },
  };
}
