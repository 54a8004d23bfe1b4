/** The tabs that are always there, in their order. */
import * as containers from "./containers.js";
import * as record from "./record.js";
import * as settings from "./settings.js";
import * as sources from "./sources.js";
import * as users from "./users.js";

/** @typedef {{shown: () => void, unmount: () => void}} Mounted */
/** @typedef {{id: string, title: string, access: string, mount: (panel: HTMLElement) => Mounted}} View */

/** @type {View[]} */
export const VIEWS = [containers, sources, users, record, settings];
