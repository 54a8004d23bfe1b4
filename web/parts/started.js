/** What an empty page says: from here to the first host. */
import { h } from "../dom.js";
import * as session from "../session.js";
import { AddHost } from "./add_host.js";

/** @returns {{node: HTMLElement, stop: () => void}} */
export function gettingStarted() {
  if (!session.isAdmin()) {
    return { node: h("section", { class: "started" }, h("h2", {}, "No host reports yet"), h("p", {}, "An admin adds the first one. Its containers appear here by themselves.")), stop: () => {} };
  }
  const adding = new AddHost();
  const node = h("section", { class: "started" },
    h("h2", {}, "No host reports yet"),
    h("p", {}, "Name a machine that runs containers and paste one line there. It needs outbound HTTP only and opens no port. Its containers appear here by themselves."),
    adding.node,
    h("p", {}, "Nothing is to run on that machine? ", h("a", { href: "#/sources" }, "Let the server ask its engine"), " over SSH, TLS or a socket."));
  return { node, stop: () => adding.stop() };
}
