/** Replaces what differs and leaves the rest, with its focus, selection and scroll position. */

const FOCUSABLE = "a[href], button, input, select, [tabindex]";

/**
 * Make the children of `parent` equal to `wanted`, place by place.
 * @param {Element} parent @param {(Element | null)[]} wanted
 */
export function patch(parent, wanted) {
  const nodes = /** @type {Element[]} */ (wanted.filter((node) => node !== null));
  nodes.forEach((node, index) => {
    const old = parent.children[index];
    if (!old) parent.append(node);
    else if (!old.isEqualNode(node) && !isInUse(old)) replace(old, node);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild?.remove();
}

/** Whether a person types or selects in it; it is replaced at a later update. @param {Element} node */
function isInUse(node) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && node.contains(selection.anchorNode);
  return selecting || (document.activeElement instanceof HTMLInputElement && node.contains(document.activeElement));
}

/** @param {Element} old @param {Element} node */
function replace(old, node) {
  const place = [...old.querySelectorAll(FOCUSABLE)].indexOf(/** @type {Element} */ (document.activeElement));
  old.replaceWith(node);
  if (place < 0) return;
  const next = /** @type {HTMLElement | undefined} */ (node.querySelectorAll(FOCUSABLE)[place]);
  next?.focus({ preventScroll: true });
}
