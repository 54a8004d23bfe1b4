/**
 * Brings nodes up to date where they are: what is equal stays, with its focus,
 * selection, scroll position and what the pointer is pressing.
 *
 * A kept node keeps its listeners. So whatever a listener knows stands in an
 * attribute, or the node says `data-whole` and is replaced as one.
 */

/**
 * Make the children of `parent` equal to `wanted`, place by place.
 * @param {Element} parent @param {(Node | null)[]} wanted
 */
export function patch(parent, wanted) {
  const nodes = /** @type {Node[]} */ (wanted.filter((node) => node !== null));
  nodes.forEach((node, index) => {
    const old = parent.childNodes[index];
    if (!old) parent.append(node);
    else if (!old.isEqualNode(node)) bring(old, node);
  });
  while (parent.childNodes.length > nodes.length) parent.lastChild?.remove();
}

/** @param {ChildNode} old @param {Node} node */
function bring(old, node) {
  if (old instanceof Text && node instanceof Text) {
    old.data = node.data;
  } else if (old instanceof Element && node instanceof Element && isAlike(old, node)) {
    for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) setOne(old, name, value);
    patch(old, [...node.childNodes]);
  } else if (!isInUse(old)) {
    old.replaceWith(node);
  }
}

/** @param {Element} node @param {string} name @param {string} value */
function setOne(node, name, value) {
  // The page's policy refuses styles that are set as attributes.
  if (name === "style" && node instanceof HTMLElement) node.style.cssText = value;
  else node.setAttribute(name, value);
}

/** @param {Element} old @param {Element} node */
function isAlike(old, node) {
  return old.nodeName === node.nodeName && !old.hasAttribute("data-whole") && !node.hasAttribute("data-whole");
}

/** Whether a person types or selects in it; it is replaced at a later update. @param {Node} node */
function isInUse(node) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && node.contains(selection.anchorNode);
  return selecting || (document.activeElement instanceof HTMLInputElement && node.contains(document.activeElement));
}
