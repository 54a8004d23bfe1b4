/** A form that says why it failed, next to what failed. */
import { fill, h } from "../dom.js";

let serial = 0;

/**
 * @param {string} label
 * @param {Record<string, any>} props of the input
 */
export function field(label, props) {
  serial += 1;
  const id = `field-${serial}`;
  const input = h("input", { id, ...props });
  return { input, node: h("div", { class: "field" }, h("label", { for: id }, label), input) };
}

/**
 * @param {{title?: string, fields: (Node | string | null)[], action: string, submit: () => Promise<void>, level?: "h1" | "h2" | "h3"}} options
 */
export function form({ title, fields, action, submit, level = "h2" }) {
  const error = h("p", { class: "form-error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, action);
  const node = h("form", { class: "form" }, title ? h(level, {}, title) : null, ...fields, error, h("div", { class: "buttons" }, button));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(error);
    button.disabled = true;
    try {
      await submit();
    } catch (problem) {
      fill(error, problem instanceof Error ? problem.message : String(problem));
    } finally {
      button.disabled = false;
    }
  });
  return node;
}
