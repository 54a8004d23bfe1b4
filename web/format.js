/** Numbers, times and names as people read them; no DOM. */

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @param {number} value @param {number} base @param {string[]} units */
function scaled(value, base, units) {
  let step = 0;
  while (value >= base && step < units.length - 1) {
    value /= base;
    step += 1;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2)} ${units[step]}`;
}

/** Memory, in the binary units of `docker stats`. @param {number | null | undefined} bytes */
export function memory(bytes) {
  return bytes == null ? "—" : scaled(bytes, 1024, BINARY);
}

/** Network and disk, in the decimal units of `docker stats`. @param {number | null | undefined} bytes */
export function traffic(bytes) {
  return bytes == null ? "—" : scaled(bytes, 1000, DECIMAL);
}

/** 100 is one core fully used. @param {number | null | undefined} percent */
export function cpu(percent) {
  if (percent == null) return "—";
  return `${percent >= 100 ? Math.round(percent) : percent.toFixed(percent >= 10 ? 1 : 2)} %`;
}

/** "12 s", "5 min", "3 h", "4 d". @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** "3 d 4 h": two units, for uptimes. @param {number} milliseconds */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [
    [Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => Number(count) > 0);
  return first < 0 ? "0 s" : parts.slice(first, first + 2).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** Local date and time; the text itself when it is none. @param {string | null | undefined} text */
export function dateTime(text) {
  if (!text) return "—";
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  return at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Hours and minutes, with the day when it is not today. @param {string | null | undefined} text @param {number} now */
export function clock(text, now) {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return text ?? "—";
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const today = new Date(now).toDateString() === at.toDateString();
  return today ? time : `${at.toLocaleDateString(undefined, { month: "short", day: "numeric" })} ${time}`;
}

/** Local time of day to the millisecond, for columns; the text itself when it is none. @param {string | null | undefined} text */
export function timeOfDay(text) {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return text ?? "";
  const two = (/** @type {number} */ count) => String(count).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/**
 * An image reference apart: repository, tag and digest. A colon before the
 * last slash belongs to a registry's port.
 * @param {string} image
 */
export function imageParts(image) {
  const [reference = "", digest = ""] = image.split("@", 2);
  const colon = reference.lastIndexOf(":");
  const tagged = colon > reference.lastIndexOf("/");
  return { name: tagged ? reference.slice(0, colon) : reference, tag: tagged ? reference.slice(colon + 1) : "", digest };
}

/** A text's place in a list as people count: "web-2" before "Web-10". @param {string} text */
export function naturally(text) {
  return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}

/** The 12 characters that Docker shows. @param {string} id */
export function shortId(id) {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

const ANY_ADDRESS = new Set(["", "0.0.0.0", "::"]);

/** "8080→80", "127.0.0.1:8080→80/udp", "80" when unpublished. @param {import("./types.js").Port} port */
export function portText(port) {
  const inner = (port.proto ?? "tcp") === "tcp" ? `${port.containerPort}` : `${port.containerPort}/${port.proto}`;
  if (port.hostPort == null) return inner;
  const address = port.hostIp ?? "";
  if (ANY_ADDRESS.has(address)) return `${port.hostPort}→${inner}`;
  return `${address.includes(":") ? `[${address}]` : address}:${port.hostPort}→${inner}`;
}

/**
 * Each published port once (engines list IPv4 and IPv6 apart), the unpublished last.
 * @param {import("./types.js").Port[]} ports
 */
export function portTexts(ports) {
  const published = ports.filter((port) => port.hostPort != null);
  const unpublished = ports.filter((port) => port.hostPort == null);
  return [...new Set([...published, ...unpublished].map(portText))];
}
