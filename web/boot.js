/**
 * Looks after the page's own parts: when one does not arrive, as while a
 * network changes, no other part could say so. They are asked for again some
 * times, which the history's state counts, and then the page says so.
 */
const waitsMs = [200, 1000, 3000];
let lost = false;

function tell() {
  const text = document.createElement("p");
  text.className = "loading";
  text.setAttribute("role", "alert");
  const again = document.createElement("button");
  again.type = "button";
  again.append("Load it again");
  again.addEventListener("click", () => {
    history.replaceState(null, "");
    location.reload();
  });
  text.append("A part of the page did not arrive: the connection to the server broke off. ", again);
  document.getElementById("app")?.replaceChildren(text);
}

addEventListener("error", ({ target }) => {
  const isPart = target instanceof HTMLScriptElement || target instanceof HTMLLinkElement;
  // What is loaded later, a chart's parts, has its own words.
  if (!isPart || lost || document.readyState === "complete") return;
  lost = true;
  const tried = Number(history.state?.lost ?? 0);
  if (tried >= waitsMs.length) return tell();
  history.replaceState({ lost: tried + 1 }, "");
  setTimeout(() => location.reload(), waitsMs[tried]);
}, true);
