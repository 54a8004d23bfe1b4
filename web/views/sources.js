/** Hosts whose Docker Engine the server asks itself, for admins. */
import { call, get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { confirm } from "../parts/dialog.js";
import { field, form } from "../parts/form.js";
import { failure, notice, pollFailure } from "../parts/notice.js";
import { poll } from "../poll.js";

/** @typedef {import("../types.js").Source} Source */
/** @typedef {import("../types.js").SourceTest} SourceTest */

export const id = "sources";
export const title = "Sources";
export const access = "admin";

const ADDRESSES = /** @type {Record<string, string>} */ ({
  "docker-ssh": "user@host or user@host:port",
  "docker-tcp": "host:port",
  "docker-socket": "path of the socket on the server",
});

class SourcesView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.shown = "";
    this.list = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Sources" }, h("p", { class: "loading" }, "Loading …"));
    this.result = h("p", { class: "form-note", role: "status" });
    panel.append(h("div", { class: "page" }, h("h1", {}, "Sources"),
      h("p", {}, "Hosts whose Docker Engine this server asks itself. Who reaches an engine is root on its host. Files are paths on the server that its user can read."),
      this.list, this.addForm()));
    this.polling = poll((signal) => this.load(signal), pollFailure);
  }

  /** @param {AbortSignal} [signal] */
  async load(signal) {
    if (this.panel.hidden) return;
    const { sources } = await get("api/sources");
    const state = JSON.stringify(sources);
    if (signal?.aborted || state === this.shown) return;
    this.shown = state;
    fill(this.list, sources.length ? table(sources.map((/** @type {Source} */ source) => this.row(source))) : h("p", { class: "none" }, "none yet"));
  }

  /** @param {Source} source */
  row(source) {
    const said = [source.error, source.warning].filter((text) => text !== null).map((text) => h("p", { class: "form-error" }, foreign(String(text))));
    return h("tr", {},
      h("th", { scope: "row" }, source.hostId, source.linked ? h("small", {}, " linked to its agent") : null), h("td", { "data-title": "Kind" }, source.kind), h("td", { "data-title": "Address" }, foreign(source.address)),
      h("td", { "data-title": "State" }, source.state, said),
      h("td", { class: "buttons" },
        h("button", { type: "button", onclick: () => this.test(source) }, "Test"),
        h("button", { type: "button", onclick: () => this.edit(source) }, "Edit"),
        h("button", { type: "button", class: "danger", onclick: () => this.remove(source) }, "Remove")));
  }

  /** Test a source and offer the host key that it shows. @param {Source} source */
  async test(source) {
    const { hostId, kind, address, caFile, certFile, keyFile, hostKey } = source;
    try {
      const result = await call("POST", "api/sources/test", { hostId, kind, address, caFile, certFile, keyFile, hostKey });
      if (result.ok) return notice(words(result));
      if (!result.hostKey) return notice(words(result), "failed");
      if (await accepts(hostId, result)) await call("PATCH", path(source), { hostKey: result.hostKey });
    } catch (error) {
      failure(error);
    }
    return this.polling.now();
  }

  /** @param {Source} source */
  edit(source) {
    const how = howFields(source);
    how.adjust(source.kind);
    const dialog = h("dialog", { class: "dialog", "aria-label": `Edit ${source.hostId}` },
      form({ title: `Edit ${source.hostId}`, fields: [h("p", {}, source.kind), ...how.nodes], action: "Save and connect", submit: async () => {
        await call("PATCH", path(source), how.given());
        notice(`Changed ${source.hostId}`);
        dialog.close();
        this.polling.now();
      } }),
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {Source} source */
  async remove(source) {
    const sure = await confirm({ title: `Remove ${source.hostId}?`, text: source.linked ? `${source.hostId} stays with its agent; actions, logs and terminal end.` : `${source.hostId} and its containers disappear from this page. Nothing changes on the host.`, action: "Remove source", danger: true });
    if (!sure) return;
    try {
      await call("DELETE", path(source));
      notice(`Removed ${source.hostId}`);
    } catch (error) {
      failure(error);
    }
    this.polling.now();
  }

  addForm() {
    const kind = h("select", {}, Object.keys(ADDRESSES).map((value) => h("option", { value }, value)));
    const hostId = field("Host id", { required: true, maxlength: 128, autocapitalize: "none", spellcheck: "false" });
    const how = howFields();
    const link = h("input", { type: "checkbox" });
    const adjust = () => how.adjust(kind.value);
    kind.addEventListener("change", adjust);
    adjust();
    const given = () => ({ hostId: hostId.input.value.trim(), kind: kind.value, link: link.checked, ...how.given() });
    const linked = h("label", { class: "check" }, link, "Link to the agent that reports this host: both become one host, with actions");
    const fields = [hostId.node, h("label", { class: "field" }, h("span", {}, "Kind"), kind), ...how.nodes, linked, this.result];
    const node = form({ title: "Add a source", fields, action: "Test and add", submit: async () => {
      if (await this.add(given())) {
        node.reset();
        adjust();
      }
    } });
    return node;
  }

  /** Test it, ask for its host key, and add it once it works. @param {{hostId: string}} source */
  async add(source) {
    let result = await call("POST", "api/sources/test", source);
    let hostKey = null;
    if (result.problem === "host-key-unknown") {
      if (!await accepts(source.hostId, result)) return false;
      hostKey = result.hostKey;
      result = await call("POST", "api/sources/test", { ...source, hostKey });
    }
    if (!result.ok) throw new Error(words(result));
    await call("POST", "api/sources", { ...source, hostKey });
    fill(this.result, result.warning);
    notice(`Added ${source.hostId}`);
    this.polling.now();
    return true;
  }
}

/** The fields that say how an engine is reached. @param {Partial<Source>} [now] */
function howFields(now = {}) {
  const limits = { maxlength: 1024, autocapitalize: "none", spellcheck: "false" };
  const address = field("Address", { required: true, value: now.address, ...limits });
  const key = field("Private key file", { value: now.keyFile, ...limits });
  const ca = field("CA file (TLS)", { value: now.caFile, ...limits });
  const cert = field("Client certificate file (TLS)", { value: now.certFile, ...limits });
  const value = (/** @type {typeof key} */ one) => (one.node.hidden ? null : one.input.value.trim() || null);
  return {
    nodes: [address.node, key.node, ca.node, cert.node],
    /** @param {string} kind */
    adjust: (kind) => {
      address.input.placeholder = ADDRESSES[kind] ?? "";
      key.node.hidden = kind === "docker-socket";
      ca.node.hidden = cert.node.hidden = kind !== "docker-tcp";
    },
    given: () => ({ address: address.input.value.trim(), keyFile: value(key), caFile: value(ca), certFile: value(cert) }),
  };
}

/** @param {HTMLElement[]} rows */
function table(rows) {
  return h("table", { class: "listing stacked" },
    h("thead", {}, h("tr", {}, ["Host", "Kind", "Address", "State", "Actions"].map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows));
}

/** @param {Source} source */
function path(source) {
  return `api/sources/${encodeURIComponent(source.hostId)}`;
}

/** @param {SourceTest} result */
function words(result) {
  if (!result.ok) return `${result.problem}: ${result.detail}`;
  return `It answers: engine ${result.engine?.version}, API ${result.engine?.apiVersion}`;
}

/** @param {string} hostId @param {SourceTest} result */
function accepts(hostId, result) {
  const isNew = result.problem === "host-key-unknown";
  return confirm({
    title: isNew ? `Accept the host key of ${hostId}?` : `The host key of ${hostId} has changed`,
    text: `${result.detail}. Compare the fingerprint with: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, run on the host.${isNew ? "" : " Someone may be between this server and the host."}`,
    action: `Accept ${result.hostKey}`,
    danger: !isNew,
  });
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const view = new SourcesView(panel);
  return { shown: () => { view.polling.now(); }, unmount: () => view.polling.stop() };
}
