/** From a host's name to its first report: a token, the line to paste, and the wait. */
import { address, call, get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { poll } from "../poll.js";
import * as store from "../store.js";
import { copyButton } from "./copy.js";
import { confirm } from "./dialog.js";
import { field, form } from "./form.js";
import { pollFailure } from "./notice.js";

/** @typedef {import("../types.js").AgentToken & {token: string}} MadeToken */

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;
const HOST_ID = "[A-Za-z0-9._\\-]{1,128}";
/** What a shell takes as it is; the line needs no quotes then. */
const PLAIN = /^[A-Za-z0-9_.:/@%+,[\]~-]+$/;

/** Where this page is, as others may reach it. */
export function here() {
  return address("").replace(/\/$/, "");
}

/** The line that upgrades an installed agent; it keeps its settings. */
export function upgradeLine() {
  return `curl -fsSL ${here()}/agent/install.sh | sudo bash`;
}

/**
 * The line to paste. The token goes through the pipe: as an argument it would
 * stand in the process list.
 * @param {{url: string, token: string, hostId: string, caFile: string}} given
 */
export function installLine({ url, token, hostId, caFile }) {
  const settings = [`ARCHNEST_URL=${url}`, `ARCHNEST_AGENT_TOKEN=${token}`, `ARCHNEST_HOST_ID=${hostId}`, caFile && `ARCHNEST_CA_FILE=${caFile}`].filter(Boolean).join(" ");
  return `(echo export ${settings}; curl -fsSL ${caFile ? `--cacert ${caFile} ` : ""}${url}/agent/install.sh) | sudo bash`;
}

/** The same in steps, for those who read first. @param {{url: string, token: string, hostId: string, caFile: string}} given */
function steps({ url, token, hostId, caFile }) {
  return [
    `curl -fsSLO ${caFile ? `--cacert ${caFile} ` : ""}${url}/agent/install.sh`,
    "less install.sh",
    `sudo ${caFile ? `ARCHNEST_CA_FILE=${caFile} ` : ""}bash install.sh   # asks for what follows`,
    `#   ARCHNEST_URL          ${url}`,
    `#   ARCHNEST_AGENT_TOKEN  ${token}`,
    `#   ARCHNEST_HOST_ID      ${hostId}`,
  ].join("\n");
}

/** Where other machines would look for a server of their own. @param {string} name */
function onlyHere(name) {
  return h("p", { class: "form-note" }, h("strong", {}, `${name} is this machine alone. `), "To add others, open this page under the address that they reach, or put it above. A server that listens for this machine alone is started with ",
    h("code", {}, `ARCHNEST_LISTEN=0.0.0.0:${location.port || "4000"}`), ".");
}

export class AddHost {
  /** @param {{hostId?: string, level?: "h2" | "h3"}} [options] a host that is known gets another token */
  constructor({ hostId = "", level = "h2" } = {}) {
    this.polling = /** @type {ReturnType<typeof poll> | null} */ (null);
    this.state = h("p", { class: "waits", role: "status" });
    this.node = h("div", { class: "add-host" }, this.naming(hostId, level));
  }

  stop() {
    this.polling?.stop();
    this.polling = null;
  }

  /** @param {string} known @param {"h2" | "h3"} level */
  naming(known, level) {
    const usual = { autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: 1024 };
    const name = field("Name of the host", { ...usual, required: true, pattern: HOST_ID, maxlength: 128, value: known, readonly: known !== "", placeholder: "nas", title: "1 to 128 of A-Z a-z 0-9 . _ -" });
    const url = field("URL of this server, as the host reaches it", { ...usual, required: true, value: here(), type: "url" });
    const ca = field("CA file on the host, if the certificate is of a private CA", { ...usual, placeholder: "/etc/ssl/certs/home-ca.pem" });
    const local = h("div", {});
    const check = () => fill(local, LOOPBACK.test(hostnameOf(url.input.value)) ? onlyHere(hostnameOf(url.input.value)) : null);
    url.input.addEventListener("input", check);
    check();
    return form({ title: known ? `Another token for ${known}` : "Add a host", level, action: "Make the line", fields: [name.node, url.node, local, h("details", {}, h("summary", {}, "A private CA"), ca.node)], submit: async () => {
      const given = { url: url.input.value.trim().replace(/\/+$/, ""), caFile: ca.input.value.trim(), hostId: name.input.value.trim() };
      if (!PLAIN.test(given.url) || (given.caFile && !PLAIN.test(given.caFile))) throw new Error("An address or a path with spaces or quotes cannot stand in the line.");
      if (!(await isFree(given.hostId, known !== ""))) return name.input.select();
      const made = /** @type {MadeToken} */ (await call("POST", "api/agents/docker/tokens", { hostId: given.hostId }));
      this.show(made, { ...given, token: made.token });
    } });
  }

  /** @param {MadeToken} made @param {{url: string, token: string, hostId: string, caFile: string}} given */
  show(made, given) {
    const line = installLine(given);
    const byHand = steps(given);
    fill(this.state, "Waiting for the first report …");
    fill(this.node,
      h("p", {}, "Run this on ", h("strong", {}, foreign(made.hostId)), ". It needs Docker or podman, jq and curl, opens no port, and says what it did and how to undo it."),
      h("pre", { tabindex: "0" }, h("code", {}, line)),
      h("div", { class: "buttons" }, copyButton(line, "the line", "Copy the line")),
      h("p", { class: "form-note" }, "The token in it is shown only now, and reports for ", foreign(made.hostId), " alone. As root without sudo, leave the word sudo out; without root, end the line in ", h("code", {}, "| bash -s -- --user"), "."),
      h("details", {}, h("summary", {}, "Read before you run it"), h("pre", { tabindex: "0" }, h("code", {}, byHand)), copyButton(byHand, "the steps", "Copy the steps")),
      this.state);
    this.stop();
    this.polling = poll((signal) => this.look(made, signal), pollFailure);
  }

  /** @param {MadeToken} made @param {AbortSignal} signal */
  async look(made, signal) {
    const host = store.hostOf(made.hostId);
    const [{ tokens }, { refusals }] = await Promise.all([get("api/agents/docker/tokens"), get("api/agents/docker/refusals")]);
    if (signal.aborted) return;
    const used = tokens.some((/** @type {MadeToken} */ one) => one.id === made.id && one.lastUsedAt);
    if (used && host && host.receivedAt > made.createdAt) {
      this.stop();
      this.state.dataset["kind"] = "done";
      fill(this.state, h("strong", {}, "First report received: "), `${host.containerCount} ${host.containerCount === 1 ? "container" : "containers"}. `, h("a", { href: `#/containers?host=${encodeURIComponent(made.hostId)}` }, "Show them"));
      return;
    }
    const refused = refusals.find((/** @type {import("../types.js").Refusal} */ one) => one.hostId === made.hostId && one.lastAt > made.createdAt);
    if (refused) fill(this.state, h("strong", {}, "A report was refused: "), foreign(refused.detail), ". Still waiting …");
  }
}

/**
 * Whether an agent may take this name; a person is asked where one has it. Throws where no agent can.
 * @param {string} hostId @param {boolean} isMeant that the host is known already
 */
async function isFree(hostId, isMeant) {
  const [{ sources }, { tokens }, { hosts }] = await Promise.all([get("api/sources"), get("api/agents/docker/tokens"), get("api/agents/docker/hosts")]);
  const source = sources.find((/** @type {import("../types.js").Source} */ one) => one.hostId === hostId);
  if (source && !source.linked) throw new Error(`${hostId} is a host whose engine this server asks (tab Sources), so the reports of an agent under this name would be refused. Choose another name.`);
  const isTaken = hosts.some((/** @type {import("../types.js").Host} */ one) => one.hostId === hostId) || tokens.some((/** @type {MadeToken} */ one) => one.hostId === hostId && !one.revokedAt);
  if (isMeant || !isTaken) return true;
  return confirm({ title: `${hostId} is in use`, text: "What reports under one name is one host: of two machines, each would replace what the other reports. Choose another name for another machine. For the same one, continue: it gets one more token.", action: "Continue" });
}

/** @param {string} url */
function hostnameOf(url) {
  try {
    return new URL(url).hostname;
  } catch {
    return "";
  }
}
