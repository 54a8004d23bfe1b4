/**
 * Who is signed in. The token lives in this browser tab, or in the browser
 * when the person ticked "Stay signed in on this device"; never in a cookie.
 */

import { inTab, onDevice } from "./keep.js";

const KEY = "archnest.session";

/** @typedef {{token: string, expiresAt: string, startedAt: number, user: import("./types.js").User}} Stored */

/** @param {typeof inTab} storage @returns {Stored | null} */
function read(storage) {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "null");
    return stored && typeof stored.token === "string" && stored.user ? stored : null;
  } catch {
    return null;
  }
}

let current = read(inTab);
/** Where the session is kept; another tab of the same browser may keep another one. */
let kept = current ? inTab : onDevice;
current ??= read(onDevice);

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
  if (!current || kept !== onDevice) return false;
  const endsAt = Date.parse(current.expiresAt);
  return now > current.startedAt + (endsAt - current.startedAt) / 2;
}

/** @param {import("./types.js").SignedIn} signedIn @param {boolean} stay */
export function begin(signedIn, stay) {
  inTab.removeItem(KEY);
  kept = stay ? onDevice : inTab;
  keep(signedIn);
  tell(false);
}

/** @param {import("./types.js").SignedIn} signedIn */
export function renewed(signedIn) {
  if (current) keep(signedIn);
}

/** @param {import("./types.js").SignedIn} signedIn */
function keep(signedIn) {
  current = { ...signedIn, startedAt: Date.now() };
  kept.setItem(KEY, JSON.stringify(current));
}

/** Drop the session; `ended` says the server ended it, not the person. @param {boolean} ended */
export function end(ended) {
  if (!current) return;
  // Another tab may have signed in anew or renewed since; its session is not this one.
  if (read(kept)?.token === current.token) kept.removeItem(KEY);
  current = null;
  tell(ended);
}

/** @param {(ended: boolean) => void} listener called when someone signs in or out */
export function onChange(listener) {
  listeners.add(listener);
}

// What another tab of this browser does to the session that is kept on the device.
addEventListener("storage", (event) => {
  if (kept !== onDevice || (event.key !== KEY && event.key !== null)) return;
  const before = current;
  current = read(onDevice);
  if (before && current && JSON.stringify(before.user) !== JSON.stringify(current.user)) location.reload();
  else if (!before !== !current) tell(!current);
});

/** @param {boolean} ended */
function tell(ended) {
  for (const listener of listeners) listener(ended);
}
