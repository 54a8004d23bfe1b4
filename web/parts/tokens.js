/** Access tokens for programs: made, shown once, listed and revoked. */
import { call, get } from "../api.js";
import { fill, foreign, h } from "../dom.js";
import { dateTime } from "../format.js";
import * as session from "../session.js";
import { copyButton } from "./copy.js";
import { confirm } from "./dialog.js";
import { field, form } from "./form.js";
import { failure, notice } from "./notice.js";

/** @typedef {import("../types.js").AccessToken} AccessToken */

const HEADS = ["Name", "Role", "Whose", "Created", "Expires", "Last used", "Actions"];
const LIVES = /** @type {[number, string][]} */ ([[30, "30 days"], [90, "90 days"], [365, "1 year"], [1825, "5 years"]]);
const USUAL_DAYS = 90;

class Tokens {
  constructor() {
    this.list = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Access tokens" });
    this.made = h("div", { role: "status" });
    this.node = h("section", {}, h("h2", {}, "Access tokens"),
      h("p", {}, "For scripts and Prometheus: a program shows the token in place of your password. It may do what its role may, except sign in, open terminals, change accounts or make tokens. Changing your password leaves tokens as they are."),
      this.list, this.made, this.makeForm());
  }

  async load() {
    try {
      const { tokens } = await get("api/auth/tokens");
      fill(this.list, tokens.length ? this.table(tokens) : h("p", { class: "none" }, "none yet"));
    } catch (error) {
      failure(error);
    }
  }

  /** @param {AccessToken[]} tokens */
  table(tokens) {
    return h("table", { class: "listing stacked" },
      h("thead", {}, h("tr", {}, HEADS.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, tokens.map((token) => this.row(token))));
  }

  /** @param {AccessToken} token */
  row(token) {
    const expired = Date.parse(token.expiresAt) <= Date.now();
    const used = token.lastUsedAt ? [dateTime(token.lastUsedAt), token.lastAddress ? h("small", {}, ` from ${token.lastAddress}`) : null] : "never";
    return h("tr", {},
      h("th", { scope: "row" }, foreign(token.name), h("small", {}, ` anp_${token.id}_…`)),
      h("td", {}, token.role), h("td", { "data-title": "Whose" }, foreign(token.username)), h("td", { "data-title": "Created" }, dateTime(token.createdAt)),
      h("td", { "data-title": "Expires" }, expired ? h("strong", {}, "expired ") : null, dateTime(token.expiresAt)), h("td", { "data-title": "Last used" }, used),
      h("td", {}, h("button", { type: "button", class: "danger", "aria-label": `Revoke ${token.name}`, onclick: () => this.revoke(token) }, "Revoke")));
  }

  /** @param {AccessToken} token */
  async revoke(token) {
    const sure = await confirm({ title: `Revoke ${token.name}?`, text: "Whatever uses it is refused from now on. This cannot be undone.", action: "Revoke token", danger: true });
    if (!sure) return;
    try {
      await call("DELETE", `api/auth/tokens/${encodeURIComponent(token.id)}`);
      fill(this.made);
      notice(`Revoked ${token.name}`);
    } catch (error) {
      failure(error);
    }
    if (session.user()) await this.load();
  }

  makeForm() {
    const name = field("What is it for?", { autocomplete: "off", required: true, maxlength: 64, placeholder: "prometheus" });
    const password = field("Your password", { type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
    const role = h("select", {}, h("option", { value: "member" }, "member: reads everything"), session.isAdmin() ? h("option", { value: "admin" }, "admin: changes things too") : null);
    const days = h("select", {}, LIVES.map(([count, text]) => h("option", { value: count, selected: count === USUAL_DAYS }, text)));
    const node = form({ title: "Make a token", level: "h3", action: "Make token", submit: async () => {
      const made = await call("POST", "api/auth/tokens", { name: name.input.value.trim(), password: password.input.value, role: role.value, expiresInDays: Number(days.value) });
      this.show(made);
      node.reset();
      await this.load();
    }, fields: [name.node, h("label", { class: "field" }, h("span", {}, "Role"), role), h("label", { class: "field" }, h("span", {}, "Lives for"), days), password.node] });
    return node;
  }

  /** @param {AccessToken & {token: string}} made */
  show(made) {
    fill(this.made, h("p", {}, "Copy ", h("strong", {}, foreign(made.name)), " now: it is not shown again."),
      h("pre", { tabindex: "0" }, h("code", {}, made.token)), copyButton(made.token, "the token", "Copy the token"));
  }
}

/** The section of the settings; `forget` drops a token that is still shown. */
export function tokensSection() {
  const tokens = new Tokens();
  return { node: tokens.node, load: () => tokens.load(), forget: () => fill(tokens.made) };
}
