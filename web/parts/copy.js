/** A button that copies a text. */
import { h } from "../dom.js";
import { notice } from "./notice.js";

/** @param {string | (() => string)} text @param {string} label what the button copies @param {string} [face] */
export function copyButton(text, label, face = "Copy") {
  // A text stands in the button itself, for a page that is patched keeps the button and its listener.
  const node = h("button", { type: "button", class: "copy", "aria-label": `Copy ${label}`, "data-text": typeof text === "string" ? text : null,
    onclick: () => copy(typeof text === "string" ? node.dataset["text"] ?? "" : text(), label) }, face);
  return node;
}

/** @param {string} text @param {string} label */
async function copy(text, label) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers offer the clipboard only over https and on localhost.
    const area = h("textarea", { class: "offscreen", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  notice(`Copied ${label}`);
}
