/** Choosing a host, how current it is, and forgetting one that is silent. */
import { serverNow } from "../api.js";
import { fill, h, setAttribute, setText } from "../dom.js";
import { duration } from "../format.js";
import * as session from "../session.js";
import * as store from "../store.js";
import { conflictText, skewText } from "./doubt.js";
import { forgetHost } from "./forget.js";

/** @typedef {import("../types.js").Host} Host */

const SOURCES = /** @type {Record<string, string>} */ ({ agent: "agent", "docker-tcp": "TCP", "docker-socket": "socket", "docker-ssh": "SSH" });
const STALE_NAMED = 4;
const CONFLICTS_NAMED = 3;

export class HostChoice {
  /** @param {(hostId: string) => void} chosen */
  constructor(chosen) {
    this.hostId = "";
    this.select = h("select", { "aria-label": "Host", onchange: () => chosen(this.select.value) });
    this.text = h("span", {});
    this.forgetButton = h("button", { type: "button", class: "danger", onclick: () => { const host = store.hostOf(this.hostId); if (host) forgetHost(host); } }, "Forget this host");
    this.note = h("p", { class: "host-note" }, this.text, this.forgetButton);
    this.conflict = h("p", { class: "conflict", hidden: true });
    this.drawn = "";
    this.drawnFrom = /** @type {Host[] | null} */ (null);
  }

  /** @param {string} hostId empty for all */
  update(hostId) {
    this.hostId = hostId;
    const hosts = store.allHosts();
    if (hosts !== this.drawnFrom) this.drawOptions(hosts);
    this.select.value = hostId;
    this.drawNote();
  }

  /** @param {Host[]} hosts */
  drawOptions(hosts) {
    this.drawnFrom = hosts;
    const options = [{ value: "", text: `All hosts (${hosts.length})` }, ...hosts.map((host) => ({
      value: host.hostId,
      text: `${host.hostId} · ${SOURCES[host.source] ?? host.source}${store.isSilent(host) ? " · stale" : ""}${host.conflict ? " · conflict" : ""}`,
    }))];
    const state = JSON.stringify(options);
    if (this.drawn === state) return;
    this.drawn = state;
    fill(this.select, options.map(({ value, text }) => h("option", { value }, text)));
  }

  /** How current the chosen host is, or which hosts are not. */
  drawNote() {
    const host = this.hostId ? store.hostOf(this.hostId) : null;
    const stale = store.allHosts().filter((one) => store.isSilent(one));
    const isStale = host ? store.isSilent(host) : stale.length > 0;
    setAttribute(this.note, "data-kind", isStale ? "stale" : "fresh");
    setText(this.text, host ? hostLine(host, isStale) : staleLine(stale));
    this.forgetButton.hidden = !(host && isStale && session.isAdmin());
    this.note.hidden = this.text.textContent === "";
    const texts = (host ? [host] : store.allHosts()).map(conflictText).filter(Boolean);
    const more = texts.length - CONFLICTS_NAMED;
    setText(this.conflict, texts.slice(0, CONFLICTS_NAMED).join(" ") + (more > 0 ? ` And ${more} more.` : ""));
    this.conflict.hidden = texts.length === 0;
  }
}

/** @param {Host} host */
function age(host) {
  return duration(serverNow() - Date.parse(host.receivedAt));
}

/** @param {Host} host @param {boolean} isStale */
function hostLine(host, isStale) {
  // Directional marks in a name a host chose for itself end with it.
  const name = `\u2068${host.hostname ?? host.hostId}\u2069`;
  if (host.error) return `${name} cannot be asked now: \u2068${host.error}\u2069. What is shown is ${age(host)} old.`;
  if (isStale) return `${name} is stale: its last report is ${age(host)} old. What is shown is its last known state.`;
  return `${name} reported ${age(host)} ago${host.engine?.version ? `, engine \u2068${host.engine.version}\u2069` : ""}. ${skewText(host)}`.trimEnd();
}

/** @param {Host[]} stale */
function staleLine(stale) {
  if (stale.length === 0) return "";
  const more = stale.length > STALE_NAMED ? ` and ${stale.length - STALE_NAMED} more` : "";
  return `Stale: ${stale.slice(0, STALE_NAMED).map((host) => `${host.hostId} (last report ${age(host)} ago)`).join(", ")}${more}.`;
}
