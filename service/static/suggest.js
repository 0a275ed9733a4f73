// Suggestions under a search field: a combobox with a list (ARIA 1.2).  Without it the field just searches.
"use strict";
for (const box of document.querySelectorAll("[data-suggest]")) {
  const input = box.querySelector("input");
  const list = box.appendChild(document.createElement("ul"));
  const said = box.appendChild(document.createElement("div"));
  Object.assign(list, { id: `${input.id}-list`, className: "qt-suggest__list", hidden: true });
  Object.assign(said, { className: "govuk-visually-hidden" });
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", box.dataset.label);
  said.setAttribute("role", "status");
  let at = -1, timer, asked = "";

  const close = () => {
    list.hidden = true; at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const move = (to) => {
    const options = [...list.children];
    if (!options.length) return;
    at = (to + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === at)));
    options[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[at].id);
  };
  const show = (found) => {
    list.replaceChildren(...found.map((one, n) => {
      const option = document.createElement("li"), unit = document.createElement("small");
      Object.assign(option, { id: `${list.id}-${n}`, textContent: one.title });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.id = one.id;
      unit.textContent = one.unit;
      option.append(unit);
      return option;
    }));
    close();
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    said.textContent = found.length ? `${found.length} ${box.dataset.some}` : box.dataset.none;
  };
  const go = (option) => { location.href = `/datasets/${option.dataset.id}`; };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    asked = input.value.trim();
    if (!asked) { said.textContent = ""; close(); return; }
    timer = setTimeout(async () => {
      const wanted = asked, answer = await fetch(`${box.dataset.suggest}?q=${encodeURIComponent(wanted)}`);
      if (answer.ok && wanted === asked && document.activeElement === input) show((await answer.json()).suggestions);
    }, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return;
      event.preventDefault();
      move(event.key === "ArrowDown" ? at + 1 : at < 0 ? -1 : at - 1);
    } else if (event.key === "Enter" && at >= 0) { event.preventDefault(); go(list.children[at]); }
    else if (event.key === "Escape" && !list.hidden) { event.preventDefault(); close(); }
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => { const option = event.target.closest("li"); if (option) go(option); });
  input.addEventListener("blur", close);
  input.form.addEventListener("submit", () => { clearTimeout(timer); asked = ""; close(); });
}
