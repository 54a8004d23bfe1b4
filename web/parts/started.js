/** The line that adds a host, for an empty page and for the settings. */
import { address } from "../api.js";
import { h } from "../dom.js";
import { copyButton } from "./copy.js";

/** The exact line to run on a Docker host. */
export function addHostLine() {
  const base = address("").replace(/\/$/, "");
  return `curl -fsS ${base}/agent/archnest-docker-agent.sh -o archnest-docker-agent.sh && ARCHNEST_URL=${base} ARCHNEST_AGENT_TOKEN=<the agent token> ARCHNEST_HOST_ID=$(hostname) bash archnest-docker-agent.sh --loop 30`;
}

export function gettingStarted() {
  const line = addHostLine();
  return h("section", { class: "started" },
    h("h2", {}, "No host reports yet"),
    h("p", {}, "Run this on a machine with Docker, jq and curl. It needs outbound HTTP only and opens no port."),
    h("pre", { tabindex: "0" }, h("code", {}, line)),
    h("p", {}, copyButton(line, "the line", "Copy the line"), " Put the server's ARCHNEST_AGENT_TOKEN where it says so; this page never shows it."),
    h("p", {}, "Its containers appear here within half a minute, without a reload."));
}
