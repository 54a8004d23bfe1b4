/**
 * What this browser keeps for the page. Where it refuses, because storage is
 * switched off or full, the page works on and remembers until it is closed.
 */

/** @param {"localStorage" | "sessionStorage"} name */
function keeping(name) {
  const instead = /** @type {Map<string, string>} */ (new Map());
  return {
    /** @param {string} key @returns {string | null} */
    getItem(key) {
      const kept = instead.get(key);
      if (kept !== undefined) return kept;
      try {
        return window[name].getItem(key);
      } catch {
        return null;
      }
    },
    /** @param {string} key @param {string} value */
    setItem(key, value) {
      try {
        window[name].setItem(key, value);
        instead.delete(key);
      } catch {
        instead.set(key, value);
      }
    },
    /** @param {string} key */
    removeItem(key) {
      instead.delete(key);
      try {
        window[name].removeItem(key);
      } catch {
        // Nothing was kept.
      }
    },
  };
}

/** For every tab of this browser, also tomorrow. */
export const onDevice = keeping("localStorage");
/** For this tab of the browser. */
export const inTab = keeping("sessionStorage");
