/**
 * Who is signed in. The token lives in this browser tab, or in the browser
 * when the person ticked "Stay signed in on this device"; never in a cookie.
 */

const KEY = "archnest.session";

/** @typedef {{token: string, expiresAt: string, startedAt: number, user: import("./types.js").User}} Stored */

/** @param {Storage} storage @returns {Stored | null} */
function read(storage) {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "null");
    return stored && typeof stored.token === "string" && stored.user ? stored : null;
  } catch {
    return null;
  }
}

let current = read(sessionStorage) ?? read(localStorage);
const listeners = /** @type {Set<(ended: boolean) => void>} */ (new Set());

/** @returns {import("./types.js").User | null} */
export function user() {
  return current?.user ?? null;
}

/** @returns {string | null} */
export function token() {
  return current?.token ?? null;
}

export function isAdmin() {
  return current?.user.role === "admin";
}

/** Whether the session is kept on this device and half of its life has passed. @param {number} now */
export function wantsRenewal(now) {
  if (!current || !localStorage.getItem(KEY)) return false;
  const endsAt = Date.parse(current.expiresAt);
  return now > current.startedAt + (endsAt - current.startedAt) / 2;
}

/** @param {import("./types.js").SignedIn} signedIn @param {boolean} stay */
export function begin(signedIn, stay) {
  current = { ...signedIn, startedAt: Date.now() };
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  (stay ? localStorage : sessionStorage).setItem(KEY, JSON.stringify(current));
  tell(false);
}

/** @param {import("./types.js").SignedIn} signedIn */
export function renewed(signedIn) {
  current = { ...signedIn, startedAt: Date.now() };
  localStorage.setItem(KEY, JSON.stringify(current));
}

/** Drop the session; `ended` says the server ended it, not the person. @param {boolean} ended */
export function end(ended) {
  if (!current) return;
  current = null;
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  tell(ended);
}

/** @param {(ended: boolean) => void} listener called when someone signs in or out */
export function onChange(listener) {
  listeners.add(listener);
}

/** @param {boolean} ended */
function tell(ended) {
  for (const listener of listeners) listener(ended);
}
