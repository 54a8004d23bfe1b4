/** A container's ports; those a browser may open are links. */
import { h } from "../dom.js";
import { portText, portTexts } from "../format.js";

const LOCAL = /^(127\.|::1$)/;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/**
 * Where a published TCP port can be opened from this browser, or null. An
 * address bound to the host's loopback cannot; a host's name is used only if
 * it is one.
 * @param {import("../types.js").Port} port @param {import("../types.js").Host} host
 */
export function portLink(port, host) {
  if (port.hostPort == null || (port.proto ?? "tcp") !== "tcp" || port.hostPort < 1 || port.hostPort > 65535) return null;
  const bound = port.hostIp ?? "";
  if (LOCAL.test(bound)) return null;
  const any = bound === "" || bound === "0.0.0.0" || bound === "::";
  const name = any ? (host.hostname ?? host.hostId) : bound;
  if (!any && bound.includes(":")) return /^[0-9a-fA-F:]+$/.test(bound) ? `http://[${bound}]:${port.hostPort}/` : null;
  return NAME.test(name) ? `http://${name}:${port.hostPort}/` : null;
}

/** @param {import("../types.js").Port[]} ports @param {import("../types.js").Host} host */
export function portList(ports, host) {
  const shown = new Set();
  return portTexts(ports).map((text) => {
    const port = ports.find((one) => portText(one) === text && !shown.has(one));
    const link = port ? portLink(port, host) : null;
    return link === null ? h("span", { class: "port", dir: "auto" }, text)
      : h("a", { class: "port", dir: "auto", href: link, target: "_blank", rel: "noopener noreferrer", title: `Open ${link}` }, text);
  });
}
