/** The line that adds a host, for an empty page and for the settings. */
import { address } from "../api.js";
import { h } from "../dom.js";
import * as session from "../session.js";
import { copyButton } from "./copy.js";

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

/** The exact line to run on a Docker host. */
export function addHostLine() {
  const base = address("").replace(/\/$/, "");
  return `curl -fsS ${base}/agent/archnest-docker-agent.sh -o archnest-docker-agent.sh && ARCHNEST_URL=${base} ARCHNEST_AGENT_TOKEN=<the agent token> ARCHNEST_HOST_ID=$(hostname) bash archnest-docker-agent.sh --loop 30`;
}

/** Where other machines would look for a server of their own. */
function onlyHere() {
  return h("p", {}, h("strong", {}, `${location.hostname} is this machine alone. `), "To add others, stop the server, start it with ",
    h("code", {}, `ARCHNEST_LISTEN=0.0.0.0:${location.port || "4000"}`), " and open it under its own address, which is then in the line too.");
}

/** What an empty page says: from here to the first host. */
export function gettingStarted() {
  const line = addHostLine();
  return h("section", { class: "started" },
    h("h2", {}, "No host reports yet"),
    h("p", {}, "Run this on a machine with Docker, jq and curl. It needs outbound HTTP only and opens no port."),
    h("pre", { tabindex: "0" }, h("code", {}, line)),
    h("p", {}, copyButton(line, "the line", "Copy the line"), " The agent token is the server's ARCHNEST_AGENT_TOKEN; this page never shows it. After ", h("code", {}, "make run"), " the whole line, token and all, stands in its terminal."),
    LOOPBACK.test(location.hostname) ? onlyHere() : null,
    session.isAdmin() ? h("p", {}, "Nothing is to run on that machine? ", h("a", { href: "#/sources" }, "Let the server ask its engine"), " over SSH, TLS or a socket.") : null,
    h("p", { class: "waits" }, "Waiting for the first report: the containers appear here by themselves."));
}
