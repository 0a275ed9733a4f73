// What every page shares: nothing here makes a thing possible, it only makes it quicker.
"use strict";
const root = document.documentElement;
root.classList.add("js");

// A button that copies the text of the element its data-copy names; the button says so for two seconds.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).innerText.trim());
  const said = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = said; }, 2000);
});

// Typed text that is not saved yet: the browser asks before the page is left.
let unsaved = false;
document.addEventListener("input", (event) => { if (event.target.closest("form[data-keep]")) unsaved = true; });
document.addEventListener("submit", () => { unsaved = false; });
document.addEventListener("htmx:after:swap", (event) => {
  if (event.target.closest?.("form[data-keep]")) unsaved = false;
});
addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

// A form that a script sent and no answer came to: it must not look as if it had been done.
document.addEventListener("htmx:error", () => {
  document.querySelector("#qt-said").replaceChildren(document.querySelector("#qt-unreached").content.cloneNode(true));
});

// A page that comes back with faults begins at their summary.
const greet = () => {
  document.querySelector(".govuk-error-summary")?.focus();
  for (const box of document.querySelectorAll("[data-toast]")) setTimeout(() => box.matches(":focus-within") || box.remove(), 8000);
};
addEventListener("DOMContentLoaded", greet);
