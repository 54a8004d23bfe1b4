/** A button that copies a text. */
import { h } from "../dom.js";
import { notice } from "./notice.js";

/** @param {string | (() => string)} text @param {string} label what the button copies @param {string} [face] */
export function copyButton(text, label, face = "Copy") {
  return h("button", { type: "button", class: "copy", "aria-label": `Copy ${label}`, onclick: () => copy(typeof text === "string" ? text : text(), label) }, face);
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
