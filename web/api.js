/** Talks to the server; every failure is an ApiError with words for people. */
import * as session from "./session.js";

export class ApiError extends Error {
  /** @param {number} status 0 when the server was not reached @param {string} kind @param {string} detail */
  constructor(status, kind, detail) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

/** How long an answer may take; some things that are done take their time. */
const PATIENCE_MS = { GET: 30000, other: 150000 };

let clockOffset = 0;

/** Milliseconds now by the server's clock, so that ages do not depend on this machine's. */
export function serverNow() {
  return Date.now() + clockOffset;
}

/** @param {Response} response */
function noteClock(response) {
  const at = Date.parse(response.headers.get("Date") ?? "");
  // The header counts whole seconds; on average half of one has passed.
  if (!Number.isNaN(at)) clockOffset = at + 500 - Date.now();
}

/** @param {string} path below the page's own address */
export function address(path) {
  return new URL(path, document.baseURI).href.replace(/#.*$/, "");
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, etag?: string, signal?: AbortSignal}} [options]
 */
async function send(method, path, options = {}) {
  const headers = new Headers();
  const token = session.token();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (options.etag) headers.set("If-None-Match", options.etag);
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  const body = options.body === undefined ? null : JSON.stringify(options.body);
  let response;
  try {
    response = await fetch(address(path), { method, headers, body, signal: options.signal ?? AbortSignal.timeout(method === "GET" ? PATIENCE_MS.GET : PATIENCE_MS.other), cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", error instanceof DOMException && error.name === "TimeoutError" ? "The server does not answer." : "The server cannot be reached.");
  }
  noteClock(response);
  if (!response.ok && response.status !== 304) throw await problem(response, token);
  return response;
}

/** @param {Response} response @param {string | null} usedToken */
async function problem(response, usedToken) {
  let kind = "unknown", detail = `The server answered ${response.status}.`;
  try {
    const document = await response.json();
    kind = String(document.type).replace("urn:archnest:problem:", "");
    detail = String(document.detail);
  } catch {
    // A proxy's own error page; its status says enough.
  }
  if (kind === "not-signed-in" && usedToken !== null && usedToken === session.token()) session.end(true);
  const wait = response.headers.get("Retry-After");
  if (wait) detail += ` Try again in ${wait} s.`;
  return new ApiError(response.status, kind, detail);
}

/** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function call(method, path, body) {
  const response = await send(method, path, { body });
  return response.status === 204 ? null : json(response);
}

/** @param {Response} response @returns {Promise<any>} */
async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError(response.status, "not-json", "What answered is not ArchNest, perhaps a proxy before it.");
    throw new ApiError(0, "unreachable", "The server stopped in the middle of its answer.");
  }
}

/** @param {string} path @returns {Promise<any>} */
export function get(path) {
  return call("GET", path);
}

/**
 * A poll: null when nothing changed since the ETag.
 * @param {string} path @param {string} etag @param {AbortSignal} signal
 * @returns {Promise<{etag: string, body: any} | null>}
 */
export async function getIfChanged(path, etag, signal) {
  const response = await send("GET", path, { etag, signal });
  if (response.status === 304) return null;
  return { etag: response.headers.get("ETag") ?? "", body: await json(response) };
}

/**
 * Read an answer line by line as it comes, until it ends.
 * @param {string} path @param {AbortSignal} signal @param {(line: string) => void} take
 * @param {() => void} [begun] called once the server answers, perhaps long before the first line
 */
export async function stream(path, signal, take, begun) {
  const response = await send("GET", path, { signal });
  begun?.();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const part = await reader.read().catch((error) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, "unreachable", "The connection to the server broke off.");
    });
    if (part.done) break;
    const lines = (rest + decoder.decode(part.value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  if (rest) take(rest);
}

/**
 * A whole answer, however long it takes and is; the browser holds it, not the page.
 * @param {string} path @param {AbortSignal} signal
 */
export async function download(path, signal) {
  const response = await send("GET", path, { signal });
  return response.blob().catch((error) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The connection to the server broke off.");
  });
}
