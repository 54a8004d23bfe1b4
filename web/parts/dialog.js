/** Asks before something is done, naming it. */
import { h } from "../dom.js";

/**
 * @param {{title: string, text: string, action: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action, danger = false }) {
  return new Promise((resolve) => {
    const close = () => dialog.close();
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: close }, "Cancel"),
        h("button", { type: "button", class: danger ? "danger" : "primary", onclick: () => { dialog.returnValue = "yes"; dialog.close("yes"); } }, action)));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
