/** The first admin, proven by the code in the link that the server printed. */
import { call } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../parts/form.js";
import * as session from "../session.js";

/** @param {HTMLElement} panel @param {string} code */
export function mount(panel, code) {
  const username = field("Username", { name: "username", autocomplete: "username", required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._@\\-]{0,63}", title: "letters, digits and . _ @ -", autocapitalize: "none", spellcheck: "false" });
  const password = field("Password, 8 characters or more", { name: "password", type: "password", autocomplete: "new-password", required: true, minlength: 8, maxlength: 1024 });
  const again = field("The same password again", { name: "again", type: "password", autocomplete: "new-password", required: true, maxlength: 1024 });
  panel.append(form({
    title: "Make the first admin", level: "h1", action: "Make the account",
    fields: [h("p", { class: "form-note" }, "This account may do everything, and add others."), username.node, password.node, again.node],
    submit: async () => {
      if (password.input.value !== again.input.value) throw new Error("The two passwords differ.");
      const signedIn = await call("POST", "api/auth/setup", { code, username: username.input.value, password: password.input.value });
      history.replaceState(null, "", "#/containers");
      session.begin(signedIn, false);
    },
  }));
  panel.append(h("p", { class: "hint" }, "There is an admin already? ", h("a", { href: "#/containers" }, "Sign in"), "."));
  username.input.focus();
}
