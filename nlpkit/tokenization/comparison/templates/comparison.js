"use strict";
// The page says everything without this: it sets one vocabulary off where it is pointed at or focused.
(() => {
  const marks = [...document.querySelectorAll("[data-v]")];
  const show = target => {
    const mark = target && target.closest && target.closest("[data-v]");
    document.body.classList.toggle("one", Boolean(mark));
    for (const other of marks) other.classList.toggle("on", Boolean(mark) && other.dataset.n === mark.dataset.n);
  };
  document.addEventListener("pointerover", event => show(event.target));
  document.addEventListener("pointerleave", () => show(null));
  document.addEventListener("focusin", event => show(event.target));
  document.addEventListener("focusout", () => show(null));
})();
