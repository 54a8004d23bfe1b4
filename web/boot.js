/** Says so when a part of the page did not arrive, which no part of it could. */
addEventListener("error", (event) => {
  if (!(event.target instanceof HTMLScriptElement)) return;
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
