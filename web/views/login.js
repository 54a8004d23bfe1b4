/** Signing in. */
import { call } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../parts/form.js";
import * as session from "../session.js";

/** @param {HTMLElement} panel @param {string} message why the person is here again, if so */
export function mount(panel, message) {
  const username = field("Username", { name: "username", autocomplete: "username", required: true, maxlength: 256, autocapitalize: "none", spellcheck: "false" });
  const password = field("Password", { name: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
  const stay = h("input", { type: "checkbox", name: "stay" });
  const node = form({
    title: "Sign in", level: "h1", action: "Sign in",
    fields: [message ? h("p", { class: "form-note", role: "status" }, message) : null, username.node, password.node, h("label", { class: "check" }, stay, "Stay signed in on this device")],
    submit: async () => {
      session.begin(await call("POST", "api/auth/login", { username: username.input.value, password: password.input.value }), stay.checked);
    },
  });
  panel.append(node, h("p", { class: "hint" }, "No account yet? The server's log shows the link that makes the first admin; later ones are made by an admin."));
  username.input.focus();
}
