/**
 * The tab strip: the ARIA tabs pattern with tabs that can be closed. Those
 * scroll by themselves, so that no number of them moves the others away.
 */
import { fill, foreign, h, setAttribute } from "../dom.js";

/** @typedef {{id: string, title: string, hash: string, closable: boolean, note?: string}} Tab */

export class Tabs {
  /** @param {{open: (hash: string) => void, close: (id: string) => void, move: (id: string, by: number) => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.fixed = h("div", { class: "strip fixed", role: "presentation" });
    this.closable = h("div", { class: "strip closable", role: "presentation" });
    this.node = h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, this.fixed, this.closable);
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    // A wheel that turns one way only moves a strip too.
    for (const strip of [this.fixed, this.closable]) strip.addEventListener("wheel", (event) => { if (!event.deltaX) strip.scrollLeft += event.deltaY; }, { passive: true });
    this.dragged = "";
    this.drawn = "";
  }

  /** @param {Tab[]} tabs those that can be closed last @param {string} active */
  show(tabs, active) {
    const state = JSON.stringify(tabs);
    if (state !== this.drawn) {
      const focused = this.node.contains(document.activeElement) ? document.activeElement?.id : undefined;
      this.drawn = state;
      fill(this.fixed, tabs.filter((tab) => !tab.closable).map((tab) => this.tab(tab)));
      fill(this.closable, tabs.filter((tab) => tab.closable).map((tab) => this.tab(tab)));
      if (focused) (document.getElementById(focused) ?? document.getElementById(tabId(active)))?.focus();
    }
    for (const node of this.node.querySelectorAll("[role=tab]")) {
      const selected = node.id === tabId(active);
      setAttribute(node, "aria-selected", String(selected));
      setAttribute(node, "tabindex", selected ? "0" : "-1");
      if (selected) node.parentElement?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {Tab} tab */
  tab(tab) {
    // No button: not every browser lets one be dragged.
    const face = h("div", { class: "face", role: "tab", id: tabId(tab.id), tabindex: "-1", "aria-controls": panelId(tab.id), "data-id": tab.id, title: tab.note ?? tab.title }, foreign(tab.title));
    face.addEventListener("click", () => this.actions.open(tab.hash));
    const wrap = h("div", { class: "tab", role: "presentation", draggable: String(tab.closable) }, face);
    if (!tab.closable) return wrap;
    // Not in the tab order: Delete on the tab does the same.
    wrap.append(h("button", { type: "button", class: "close", tabindex: "-1", "aria-hidden": "true", title: `Close ${tab.title}`, onclick: () => this.actions.close(tab.id) }, "×"));
    wrap.addEventListener("auxclick", (event) => { if (event.button === 1) this.actions.close(tab.id); });
    wrap.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); });
    wrap.addEventListener("dragstart", (event) => {
      this.dragged = tab.id;
      event.dataTransfer?.setData("text/plain", tab.title);
    });
    wrap.addEventListener("dragover", (event) => event.preventDefault());
    wrap.addEventListener("drop", () => this.drop(tab.id));
    return wrap;
  }

  /** @param {string} onto */
  drop(onto) {
    const ids = this.ids();
    if (this.dragged && this.dragged !== onto) this.actions.move(this.dragged, ids.indexOf(onto) - ids.indexOf(this.dragged));
    this.dragged = "";
  }

  ids() {
    return [...this.node.querySelectorAll("[role=tab]")].map((node) => /** @type {HTMLElement} */ (node).dataset["id"] ?? "");
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const tabs = /** @type {HTMLElement[]} */ ([...this.node.querySelectorAll("[role=tab]")]);
    const index = tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (index < 0) return;
    const id = tabs[index]?.dataset["id"] ?? "";
    if (event.ctrlKey && event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      this.actions.move(id, event.key === "ArrowLeft" ? -1 : 1);
    } else if (event.key === "Enter" || event.key === " ") {
      tabs[index]?.click();
    } else if (event.key === "Delete") {
      this.actions.close(id);
    } else {
      const step = /** @type {Record<string, number>} */ ({ ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: tabs.length - 1 })[event.key];
      if (step === undefined) return;
      const next = tabs[(step + tabs.length) % tabs.length];
      next?.focus();
      next?.click();
    }
    event.preventDefault();
  }
}

/** @param {string} id */
export function tabId(id) {
  return `tab-${id}`;
}

/** @param {string} id */
export function panelId(id) {
  return `panel-${id}`;
}
