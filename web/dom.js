/** Builds elements. Strings become text nodes, never markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * h("td", {class: "num"}, text)
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, any>} [props] attributes; on… are listeners
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value != null && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...kept(children));
  return node;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function kept(children) {
  return /** @type {(Node | string)[]} */ (
    children.flat().filter((child) => child != null && child !== false).map((child) => (child instanceof Node ? child : String(child))));
}

/** @param {Element} node @param {...(Child | Child[])} children */
export function fill(node, ...children) {
  node.replaceChildren(...kept(children));
}

/** Text a container or an agent chose: it cannot turn the direction of what surrounds it. @param {string} text */
export function foreign(text) {
  return h("bdi", {}, text);
}

/** Set text only when it differs, so that a selection inside survives. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or drop an attribute only when it differs. @param {Element} node @param {string} name @param {string | null} value */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";

/** A decorative icon from one path of a 16 by 16 grid. @param {string} path @param {string} [className] */
export function icon(path, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
