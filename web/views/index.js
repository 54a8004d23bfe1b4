/** The tabs that are always there, in their order. */
import * as containers from "./containers.js";
import * as hosts from "./hosts.js";
import * as record from "./record.js";
import * as settings from "./settings.js";
import * as sources from "./sources.js";
import * as users from "./users.js";

/**
 * What a mounted view answers to. `shown` gets what its address says after the
 * question mark; `address` is the view's address as it stands, where that says more.
 * @typedef {{shown: (params: URLSearchParams) => void, unmount: () => void, address?: () => string}} Mounted
 */
/** @typedef {{id: string, title: string, access: string, mount: (panel: HTMLElement, readdress: (hash: string) => void) => Mounted}} View */

/** @type {View[]} */
export const VIEWS = [containers, hosts, sources, users, record, settings];
