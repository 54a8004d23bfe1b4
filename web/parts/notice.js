/** What just happened, said once and politely to screen readers too. */
import { h } from "../dom.js";

const SHOWN_MS = 6000;

/** @param {string} text @param {"done" | "failed"} [kind] */
export function notice(text, kind = "done") {
  let area = document.getElementById("notices");
  if (!area) {
    area = h("div", { id: "notices", role: "status", "aria-live": "polite" });
    document.body.append(area);
  }
  // Said again, it stands once.
  for (const one of [...area.children]) if (one.textContent === text) one.remove();
  const node = h("p", { class: "notice", "data-kind": kind }, text);
  area.append(node);
  setTimeout(() => node.remove(), SHOWN_MS);
}

/** @param {unknown} error */
export function failure(error) {
  notice(error instanceof Error ? error.message : String(error), "failed");
}

/** What failed by itself: that the server is away stands above the page already. @param {unknown} error */
export function pollFailure(error) {
  if (/** @type {{status?: number}} */ (error).status !== 0) failure(error);
}
