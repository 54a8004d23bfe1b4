/** What stands at an address that leads nowhere, or to a view that is for admins. */
import { foreign, h } from "../dom.js";
import * as session from "../session.js";

/** @param {HTMLElement} panel @param {string} [title] of the view that only admins may open */
export function mount(panel, title) {
  const user = session.user();
  const why = title === undefined
    ? [h("p", {}, "Nothing is at this address. It may be mistyped, or of another version of ArchNest.")]
    : [h("p", {}, "Only admins may open this page. You are signed in as ", foreign(user?.username ?? ""), ` with the role ${user?.role}.`),
      h("p", {}, "An admin can do for you what is to be done here, or change your role.")];
  panel.append(h("div", { class: "page" }, h("h1", {}, title ?? "Not found"), ...why, h("p", {}, h("a", { href: "#/containers" }, "All containers"))));
  return { shown: () => {}, unmount: () => {} };
}
