/** A container as the `docker run` that would make one like it; pure. */

/** @typedef {import("../types.js").Container} Container */

const MASK = "********";
/** Labels that compose and image builders set; a container run by hand has none of the first and brings the second itself. */
const FOREIGN_LABEL = /^(com\.docker\.compose\.|org\.opencontainers\.image\.)/;
const DEFAULT_NETWORKS = new Set(["bridge", "podman"]);

/** A word for a POSIX shell. @param {string} text */
export function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The first word of words that are quoted for a shell already, and the rest. @param {string} words */
function firstWord(words) {
  const match = /^((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)\s*(.*)$/s.exec(words.trim());
  return match ? [match[1] ?? "", match[2] ?? ""] : ["", ""];
}

/** @param {import("../types.js").Port} port */
function publish({ hostIp, hostPort, containerPort, proto }) {
  const any = !hostIp || hostIp === "0.0.0.0" || hostIp === "::";
  const address = any ? "" : `${hostIp.includes(":") ? `[${hostIp}]` : hostIp}:`;
  return `${address}${hostPort}:${containerPort}${(proto ?? "tcp") === "tcp" ? "" : `/${proto}`}`;
}

/** @param {NonNullable<Container["mounts"]>[number]} mount */
function mounted({ type, source, destination, rw }) {
  if (type === "tmpfs") return ["--tmpfs", destination];
  return ["-v", `${source ? `${source}:` : ""}${destination}${rw === false ? ":ro" : ""}`];
}

/** A masked value is left to the shell that runs it, which hands over its own. @param {NonNullable<Container["env"]>[number]} entry */
function environment({ key, value }) {
  return ["-e", value == null || value === MASK ? key : `${key}=${value}`];
}

/**
 * What is not reported, devices and capabilities for instance, is not in it.
 * @param {Container} container
 * @param {number | null} hostMemory bytes the host has; a limit of as much is none
 */
export function dockerRun(container, hostMemory) {
  const { name, restartPolicy, networks, ports, mounts, env, labels, stats } = container;
  const limit = stats?.memLimit ?? null;
  const options = [
    name ? ["--name", name] : [],
    restartPolicy && restartPolicy !== "no" ? ["--restart", restartPolicy] : [],
    limit && hostMemory && limit < hostMemory * 0.999 ? ["--memory", String(limit)] : [],
    ...(networks ?? []).filter((network) => !DEFAULT_NETWORKS.has(network.name)).map((network) => ["--network", network.name]),
    ...[...new Set((ports ?? []).filter((port) => port.hostPort != null).map(publish))].map((port) => ["-p", port]),
    ...(mounts ?? []).map(mounted),
    ...(env ?? []).map(environment),
    ...Object.entries(labels ?? {}).filter(([key, value]) => !FOREIGN_LABEL.test(key) && value !== MASK).map(([key, value]) => ["--label", `${key}=${value}`]),
  ].filter((words) => words.length).map((words) => words.map(quoted).join(" "));
  // The agent joins both as words that are quoted for a shell.
  const [program, rest] = firstWord(container.entrypoint ?? "");
  if (program) options.push(`--entrypoint ${program}`);
  const words = [quoted(container.image), rest, container.command ?? ""].filter(Boolean).join(" ");
  return ["docker run -d", ...options, words].join(" \\\n  ");
}
