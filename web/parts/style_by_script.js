/**
 * Lets a library that styles by markup live under a policy that forbids it.
 *
 * xterm.js makes `style` elements and `style` attributes, which `style-src 'self'`
 * blocks. Here they go through the CSS object model instead, which the policy
 * allows since only the page's own script can use it.
 */

const make = document.createElement.bind(document);
let installed = false;

/** The style element's stand-in: its text becomes a sheet of the document. */
function styleElement() {
  const sheet = new CSSStyleSheet();
  const node = make("template");
  const drop = () => { document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet); };
  Object.defineProperty(node, "textContent", { set: (/** @type {string} */ text) => { sheet.replaceSync(text); } });
  Object.defineProperty(node, "remove", { value: () => { drop(); Element.prototype.remove.call(node); } });
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return node;
}

/** @this {HTMLElement} @param {string} name @param {string} value */
function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** From now on; a second call does nothing. */
export function styleByScript() {
  if (installed) return;
  installed = true;
  document.createElement = /** @param {string} name @returns {any} */ (name) => {
    if (name === "style") return styleElement();
    const node = make(name);
    if (name === "span") node.setAttribute = setAttribute;
    return node;
  };
}
