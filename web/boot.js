/**
 * Looks after the page's own parts: when one does not arrive, as while a
 * network changes, no part of the page could say so. It is tried again once.
 */
addEventListener("error", (event) => {
  if (!(event.target instanceof HTMLScriptElement)) return;
  const [way] = performance.getEntriesByType("navigation");
  if (way instanceof PerformanceNavigationTiming && way.type !== "reload") return location.reload();
  const text = document.createElement("p");
  text.className = "loading";
  text.setAttribute("role", "alert");
  const again = document.createElement("button");
  again.type = "button";
  again.append("Load it again");
  again.addEventListener("click", () => location.reload());
  text.append("A part of the page did not arrive: the connection to the server broke off. ", again);
  document.getElementById("app")?.replaceChildren(text);
}, true);
