// The form's status line: what is typed and not kept yet is never called saved.
"use strict";
const say = (text) => { const line = document.querySelector("#saved"); if (line) line.firstChild.nodeType === 3 ? line.firstChild.data = text : line.prepend(text); };
document.addEventListener("input", (event) => { if (event.target.closest("#step")) say(""); });

// An answer that is no page of the form (the session ended, the service is away) leaves the page as it is.
const failed = (event) => { if (event.target.closest?.("#step")) say(document.querySelector("#step").dataset.failed); };
document.addEventListener("htmx:response:error", failed);
document.addEventListener("htmx:error", failed);
