"use strict";
// The page says everything without this; it adds reading single tokens and moving about the map.

(() => {
  const box = document.querySelector(".tokens"), readout = document.querySelector(".readout");
  if (!box) return;
  const tokens = [...box.querySelectorAll("span")];
  let active = -1;
  const show = index => {
    if (index < 0 || index >= tokens.length) return;
    if (active >= 0) tokens[active].classList.remove("on");
    active = index;
    const token = tokens[index], bytes = token.dataset.b;
    token.classList.add("on");
    readout.innerHTML = "id <b></b> · <b></b>: <b></b>";
    const parts = readout.querySelectorAll("b"), count = bytes.split(" ").length;
    parts[0].textContent = token.dataset.i;
    parts[1].textContent = count + (count === 1 ? " byte" : " bytes");
    parts[2].textContent = bytes;
  };
  box.addEventListener("pointerover", event => show(tokens.indexOf(event.target.closest("span"))));
  box.addEventListener("focus", () => { if (active < 0) show(0); });
  box.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -active, End: tokens.length - 1 - active }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(active + step);
    tokens[active].scrollIntoView({ block: "nearest" });
  });
})();

(() => {
  const svg = document.querySelector(".map svg");
  if (!svg) return;
  const { width, height } = svg.viewBox.baseVal, most = 12;
  const words = [...svg.querySelectorAll(".word")].map(group => {
    const text = group.querySelector("text");
    return { group, x: +group.dataset.x, y: +group.dataset.y, w: text.getComputedTextLength() / 2 + 1, h: parseFloat(text.getAttribute("font-size")) * .58 };
  });
  let scale = 1, left = 0, top = 0;
  const draw = () => {
    const shown = [];
    for (const word of words) {
      const x = (word.x - left) * scale, y = (word.y - top) * scale;
      word.group.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      const free = shown.every(o => Math.abs(x - o.x) >= word.w + o.w || Math.abs(y - o.y) >= word.h + o.h);
      if (word.group.classList.contains("shown") !== free) {
        word.group.classList.toggle("shown", free);
        if (free) word.group.parentNode.append(word.group);  // labels are painted over dots
      }
      if (free) shown.push({ x, y, w: word.w, h: word.h });
    }
  };
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const move = (newLeft, newTop) => {
    left = clamp(newLeft, 0, width - width / scale);
    top = clamp(newTop, 0, height - height / scale);
    draw();
  };
  const zoom = (factor, x = width / 2, y = height / 2) => {
    const next = clamp(scale * factor, 1, most), held = 1 / scale - 1 / next;
    scale = next;
    move(left + x * held, top + y * held);
  };
  const at = event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  const actions = { in: () => zoom(1.5), out: () => zoom(1 / 1.5), all: () => zoom(0) };
  for (const button of document.querySelectorAll(".zoom button")) button.addEventListener("click", actions[button.dataset.do]);
  svg.addEventListener("dblclick", event => zoom(event.shiftKey ? .5 : 2, ...at(event)));
  svg.addEventListener("wheel", event => {  // plain scrolling stays the page's
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 200), ...at(event));
  }, { passive: false });
  let held = null;
  svg.addEventListener("pointerdown", event => { held = at(event); svg.setPointerCapture(event.pointerId); svg.classList.add("moving"); });
  svg.addEventListener("pointermove", event => {
    if (!held) return;
    const now = at(event);
    move(left - (now[0] - held[0]) / scale, top - (now[1] - held[1]) / scale);
    held = now;
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { held = null; svg.classList.remove("moving"); });
  svg.addEventListener("keydown", event => {
    const step = 90 / scale;
    const action = {
      "+": actions.in, "=": actions.in, "-": actions.out, "0": actions.all,
      ArrowLeft: () => move(left - step, top), ArrowRight: () => move(left + step, top),
      ArrowUp: () => move(left, top - step), ArrowDown: () => move(left, top + step),
    }[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || (scale === 1 && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  });
  draw();
})();
