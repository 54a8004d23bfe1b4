/** Accounts and roles, for admins. */
import { call, get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { dateTime } from "../format.js";
import { confirm } from "../parts/dialog.js";
import { field, form } from "../parts/form.js";
import { failure, notice, pollFailure } from "../parts/notice.js";
import { poll, SELDOM_MS } from "../poll.js";
import * as session from "../session.js";

/** @typedef {import("../types.js").Account} Account */

export const id = "users";
export const title = "Users";
export const access = "admin";

class UsersView {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.shown = "";
    this.asked = 0;
    this.list = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Accounts" }, h("p", { class: "loading" }, "Loading …"));
    panel.append(h("div", { class: "page" }, h("h1", {}, "Users"), h("p", {}, "Members see everything; only admins change anything."), this.list, this.addForm()));
    this.polling = poll(() => this.load(), pollFailure, SELDOM_MS);
  }

  async load() {
    if (this.panel.hidden) return;
    this.asked += 1;
    const asked = this.asked;
    const { users } = await get("api/users");
    const state = JSON.stringify(users);
    // What was asked before a change would show the time before it.
    if (asked !== this.asked || state === this.shown) return;
    this.shown = state;
    this.draw(users);
  }

  /** Show what is so now, whether a change was taken or refused. */
  async reload() {
    if (!session.user()) return;
    this.shown = "";
    await this.load().catch(pollFailure);
  }

  /** @param {Account[]} users */
  draw(users) {
    const focus = this.list.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    fill(this.list, h("table", { class: "listing stacked" },
      h("thead", {}, h("tr", {}, ["User", "Role", "Created", "Last signed in", "Actions"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, users.map((user) => this.row(user)))));
    if (focus) /** @type {HTMLElement | null} */ (this.list.querySelector(`[aria-label="${CSS.escape(focus)}"]`))?.focus();
  }

  /** @param {Account} user */
  row(user) {
    const role = h("select", { "aria-label": `Role of ${user.username}`, onchange: () => this.changeRole(user, role) },
      ["member", "admin"].map((value) => h("option", { value, selected: value === user.role }, value)));
    const isSelf = session.user()?.username === user.username;
    return h("tr", {},
      h("th", { scope: "row" }, foreign(user.username), isSelf ? h("small", {}, " (you)") : null),
      h("td", {}, role), h("td", { "data-title": "Created" }, dateTime(user.createdAt)), h("td", { "data-title": "Last signed in" }, user.lastLoginAt ? dateTime(user.lastLoginAt) : "never"),
      h("td", {}, h("div", { class: "buttons" },
        isSelf ? null : h("button", { type: "button", "aria-label": `Set password of ${user.username}`, onclick: () => this.reset(user) }, "Set password"),
        h("button", { type: "button", class: "danger", "aria-label": `Remove ${user.username}`, onclick: () => this.remove(user) }, "Remove"))));
  }

  /** An arrow key is enough to choose another role, so it asks. @param {Account} user @param {HTMLSelectElement} select */
  async changeRole(user, select) {
    const role = select.value;
    const sure = await confirm({ title: `Make ${user.username} ${role === "admin" ? "an admin" : "a member"}?`, text: roleText(user, role), action: `Make ${role}`, danger: true });
    if (!sure) {
      select.value = user.role;
      return;
    }
    try {
      await call("PATCH", `api/users/${encodeURIComponent(user.username)}`, { role });
      notice(`Changed ${user.username}`);
    } catch (error) {
      failure(error);
    }
    await this.reload();
  }

  /** @param {Account} user */
  reset(user) {
    const password = field(`New password for ${user.username}`, { type: "password", autocomplete: "new-password", required: true, minlength: 8, maxlength: 1024 });
    const dialog = h("dialog", { class: "dialog", "aria-label": `Set the password of ${user.username}` },
      form({ title: `Set the password of ${user.username}`, fields: [h("p", {}, "This ends the account's sessions."), password.node], action: "Set password", submit: async () => {
        await call("PATCH", `api/users/${encodeURIComponent(user.username)}`, { password: password.input.value });
        notice(`Changed the password of ${user.username}`);
        dialog.close();
      } }),
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {Account} user */
  async remove(user) {
    const sure = await confirm({ title: `Remove ${user.username}?`, text: "The account and its sessions end at once.", action: "Remove account", danger: true });
    if (!sure) return;
    try {
      await call("DELETE", `api/users/${encodeURIComponent(user.username)}`);
      notice(`Removed ${user.username}`);
    } catch (error) {
      failure(error);
    }
    await this.reload();
  }

  addForm() {
    const username = field("Username", { autocomplete: "off", required: true, maxlength: 64, autocapitalize: "none", spellcheck: "false" });
    const password = field("Password, 8 characters or more", { type: "password", autocomplete: "new-password", required: true, minlength: 8, maxlength: 1024 });
    const role = h("select", {}, h("option", { value: "member" }, "member"), h("option", { value: "admin" }, "admin"));
    const roleField = h("label", { class: "field" }, h("span", {}, "Role"), role);
    const node = form({ title: "Add a user", fields: [username.node, password.node, roleField], action: "Add user", submit: async () => {
      await call("POST", "api/users", { username: username.input.value, password: password.input.value, role: role.value });
      notice(`Added ${username.input.value}`);
      node.reset();
      await this.reload();
    } });
    return node;
  }
}

/** What another role means for an account. @param {Account} user @param {string} role */
function roleText(user, role) {
  const means = role === "admin" ? "Admins change everything: accounts, hosts, sources and containers." : "Members see everything and change nothing.";
  const ends = session.user()?.username === user.username ? "You are signed out at once, and only another admin can undo it." : "The account's sessions end at once.";
  return `${means} ${ends}`;
}

/** @param {HTMLElement} panel */
export function mount(panel) {
  const view = new UsersView(panel);
  return { shown: () => { view.polling.now(); }, unmount: () => { view.polling.stop(); } };
}
