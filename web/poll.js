/**
 * Repeats a task: never overlapping, stopped while the page is hidden,
 * doubling its wait on failure up to a bound, at once when the page comes
 * back or the network does, or when the task says that there is more.
 */

export const EVERY_MS = 1500;
/** For what people change, and rarely. */
export const SELDOM_MS = 5000;
const LONGEST_MS = 15000;
/** A server that takes longer counts as away. */
const PATIENCE_MS = 15000;

/**
 * @param {(signal: AbortSignal) => Promise<boolean | void>} task resolves to true when there is more to do at once
 * @param {(error: unknown, retryAt: number) => void} failed
 * @param {number} everyMs
 */
export function poll(task, failed, everyMs = EVERY_MS) {
  let stopped = false, running = false, failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const controller = new AbortController();

  async function run() {
    clearTimeout(timer);
    if (stopped || running || document.hidden) return;
    running = true;
    let wait = everyMs;
    try {
      const more = await task(AbortSignal.any([controller.signal, AbortSignal.timeout(PATIENCE_MS)]));
      if (more === true) wait = 0;
      failures = 0;
    } catch (error) {
      wait = Math.min(EVERY_MS * 2 ** failures, LONGEST_MS);
      failures += 1;
      if (!stopped) failed(error, Date.now() + wait);
    }
    running = false;
    if (!stopped) timer = setTimeout(run, wait);
  }

  document.addEventListener("visibilitychange", run);
  addEventListener("online", run);
  run();
  return {
    now: run,
    stop() {
      stopped = true;
      clearTimeout(timer);
      controller.abort();
      document.removeEventListener("visibilitychange", run);
      removeEventListener("online", run);
    },
  };
}
