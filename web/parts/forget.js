/** Forgetting a host whose reports an agent pushes. */
import { call } from "../api.js";
import * as store from "../store.js";
import { confirm } from "./dialog.js";
import { failure, notice } from "./notice.js";

/** Ask, and forget it. @param {import("../types.js").Host} host */
export async function forgetHost(host) {
  const sure = await confirm({ title: `Forget ${host.hostId}?`, text: `${host.hostId} and its ${host.containerCount} containers disappear from this page and its tokens are revoked. An agent with the shared token would bring it back.`, action: "Forget host", danger: true });
  if (!sure) return;
  try {
    await call("DELETE", `api/agents/docker/hosts/${encodeURIComponent(host.hostId)}`);
    notice(`Forgot ${host.hostId}`);
    store.retry();
  } catch (error) {
    failure(error);
  }
}
