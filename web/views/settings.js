/** One's own password and tokens, and the look of the page. */
import { call } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../parts/form.js";
import { notice } from "../parts/notice.js";
import { tokensSection } from "../parts/tokens.js";
import * as prefs from "../prefs.js";

export const id = "settings";
export const title = "Settings";
export const access = "member";

function themeChoice() {
  const options = [["system", "Follow the system"], ["light", "Light"], ["dark", "Dark"]];
  return h("fieldset", { class: "choice" }, h("legend", {}, "Theme"), options.map(([value, text]) =>
    h("label", {}, h("input", { type: "radio", name: "theme", value, checked: prefs.theme() === value, onchange: () => prefs.setTheme(/** @type {prefs.Theme} */ (value)) }), text)));
}

function passwordForm() {
  const current = field("Current password", { type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
  const next = field("New password, 8 characters or more", { type: "password", autocomplete: "new-password", required: true, minlength: 8, maxlength: 1024 });
  const again = field("New password again", { type: "password", autocomplete: "new-password", required: true, maxlength: 1024 });
  const node = form({ title: "Change password", action: "Change password", fields: [h("p", {}, "This ends your sessions elsewhere."), current.node, next.node, again.node], submit: async () => {
    if (next.input.value !== again.input.value) throw new Error("The two new passwords differ.");
    await call("POST", "api/auth/password", { currentPassword: current.input.value, newPassword: next.input.value });
    notice("Changed the password");
    node.reset();
  } });
  return node;
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const tokens = tokensSection();
  panel.append(h("div", { class: "page" }, h("h1", {}, "Settings"), themeChoice(),
    passwordForm(), tokens.node, h("p", {}, h("a", { href: "api/docs" }, "API documentation"))));
  return { shown: () => { tokens.load(); }, unmount: () => {} };
}
