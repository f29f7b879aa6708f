// The live picture (widget.py): draws what exists now, keyed by id, so that what stays is moved and not drawn again.

const SVG = "http://www.w3.org/2000/svg";
const ALIVE = 5_000; // ms between two signs of life to the kernel
const QUIET = 2_500; // ms between two sentences to a screen reader
let instances = 0;

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Set only what differs: an attribute that is written again costs a new layout. */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    const text = String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const STYLE = `
  svg { display: block; width: 100%; height: auto; }
  .picture { --good: #067f68; --wait: #a04300; --bad: #b3261e; --hollow: #ffffff; }
  .picture[data-theme=dark] { --good: #3fd0b0; --wait: #ffb169; --bad: #ff9c94; --hollow: #141c29; }
  .picture .defs { display: none; }
  .frame-part, .node-part { transition: transform 0.35s ease, opacity 0.35s ease; }
  .wire, .frame { transition: d 0.35s ease, width 0.35s ease, height 0.35s ease; }
  .fresh, .leaving { opacity: 0; }
  .picture .frame.planned { stroke-dasharray: 3 5; fill: none; }
  .picture .node-part.planned .icon { opacity: 0.35; }
  .picture .state { font-size: 11.5px; font-weight: bold; }
  .picture .node-part.bad .state { fill: var(--bad); }
  .picture .node-part.way .state { fill: var(--wait); }
  .picture .mark { font-size: 11.5px; font-weight: bold; fill: var(--bad); }
  .picture .tag { fill: var(--card); stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 2; }
  .picture .wire.initial, .picture .wire.planned { stroke-dasharray: 6 4; }
  .picture .wire.draining, .picture .wire.DISABLED { stroke-dasharray: 1.6 4; stroke-linecap: round; }
  .picture .wire.unhealthy { stroke: var(--bad); stroke-dasharray: 2 3; }
  .shape-ok path, .shape-way path, .shape-bad path { fill: none; stroke: var(--hollow); stroke-width: 2; stroke-linecap: round; }
  .shape-ok circle { fill: var(--good); }
  .shape-way path.body { fill: var(--wait); stroke: none; }
  .shape-bad path.body { fill: var(--bad); stroke: none; }
  .shape-off rect { fill: var(--hollow); stroke: var(--soft); stroke-width: 2; }
  .shape-planned circle { fill: none; stroke: var(--soft); stroke-width: 1.6; stroke-dasharray: 3 2.5; }
  .shapes { stroke: var(--card); }
  @media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;

// The shapes of states, on a field of 18 x 18: a tick in a ring, an hourglass, a cross in a diamond, a square, a dashed ring.
const SHAPES = {
  ok: () => [draw("circle", { cx: 9, cy: 9, r: 8 }), draw("path", { d: "M5 9.4l2.8 2.8 5-5.6" })],
  way: () => [draw("path", { class: "body", d: "M3 2h12L10 9l5 7H3l5-7z" })],
  bad: () => [draw("path", { class: "body", d: "M9 0l9 9-9 9-9-9z" }), draw("path", { d: "M6.2 6.2l5.6 5.6M11.8 6.2l-5.6 5.6" })],
  off: () => [draw("rect", { x: 2, y: 2, width: 14, height: 14, rx: 2 })],
  planned: () => [draw("circle", { cx: 9, cy: 9, r: 7.5 })],
};

// --- The parts of the picture ---

/** A layer whose children are kept by id: `update` makes, moves and takes away. */
function layer(create, change) {
  const group = draw("g");
  const parts = new Map();
  return {
    group,
    update(values) {
      const named = new Set(values.map(({ id }) => id));
      for (const [id, part] of parts) {
        if (named.has(id)) continue;
        parts.delete(id);
        part.classList.add("leaving");
        setTimeout(() => part.remove(), 360);
      }
      for (const value of values) {
        let part = parts.get(value.id);
        const fresh = !part;
        if (fresh) {
          part = create(value);
          parts.set(value.id, part);
        }
        if (fresh) {
          part.classList.add("fresh");
          group.append(part);
        }
        change(part, value);
        if (fresh) requestAnimationFrame(() => part.classList.remove("fresh"));
      }
    },
  };
}

const CORNERS = { cluster: "ecs" };
const at = (x, y) => ({ style: `transform: translate(${x}px, ${y}px)` });

function makeFrame({ kind }) {
  const parts = [draw("rect", { rx: 3 })];
  if (CORNERS[kind]) {
    parts.push(draw("rect", { class: `corner ${kind}`, width: 24, height: 24, rx: 3 }));
    parts.push(draw("use", { href: `#corner-${CORNERS[kind]}`, width: 24, height: 24 }));
  }
  const text = (name) => draw("text", { "data-part": name });
  const tag = draw("g", { "data-part": "tag" }, draw("rect", { class: "tag", height: 20, rx: 4 }), draw("text", { class: "mark", y: 14 }));
  return draw("g", { class: "frame-part" }, ...parts, text("title"), text("line"), tag);
}

function changeFrame(part, value) {
  const { id, kind, x, y, width, height, title, line, mark, markWidth, planned } = value;
  const find = (name) => part.querySelector(`[data-part=${name}]`);
  set(part, { "data-id": id, "data-kind": kind, ...at(x, y) });
  set(part.firstChild, { class: `frame ${kind}${planned ? " planned" : ""}`, width, height });
  const left = CORNERS[kind] ? 32 : 10;
  set(find("title"), { class: `title ${kind}`, x: left, y: 17 });
  set(find("line"), { class: "detail", x: left, y: 35 });
  say(find("title"), title);
  say(find("line"), line);
  const tag = find("tag");
  set(tag, { visibility: mark ? "visible" : "hidden", transform: `translate(${width - markWidth - 8} 4)` });
  set(tag.firstChild, { width: markWidth });
  set(tag.lastChild, { x: 7 });
  say(tag.lastChild, mark);
}

function makeNode() {
  const title = draw("title");
  return draw("g", {}, title, draw("g", { class: "icon" }), draw("g", { class: "shapes" }), draw("g"));
}

function changeNode(part, { id, icon, x, y, size, lines, shape, kind, state, planned, title }) {
  const [name, picture, shapes, texts] = part.children;
  const fresh = part.classList.contains("fresh") ? " fresh" : "";
  set(part, { class: `node-part ${shape}${planned ? " planned" : ""}${fresh}`, "data-id": id, "data-kind": kind, "data-state": state, ...at(x, y) });
  say(name, title);
  set(picture, { transform: `translate(${-size / 2} 0) scale(${size / 48})` });
  if (picture.dataset.icon !== icon) {
    picture.dataset.icon = icon;
    // Shapes of our own are drawn in place: what is only used is not reached by the style sheet.
    const shape = part.getRootNode().querySelector?.(`#icon-${icon} .shape`);
    picture.replaceChildren(shape ? shape.cloneNode(true) : draw("use", { href: `#icon-${icon}`, width: 48, height: 48 }));
  }
  if (shapes.dataset.shape !== shape) {
    shapes.dataset.shape = shape;
    shapes.replaceChildren(...SHAPES[shape]());
  }
  set(shapes, { class: `shapes shape-${shape}`, transform: `translate(${size / 2 - 9} -7)` });
  while (texts.children.length > lines.length) texts.lastChild.remove();
  lines.forEach(([style, text], n) => {
    const line = texts.children[n] ?? texts.appendChild(draw("text", { "text-anchor": "middle" }));
    set(line, { class: style, x: 0, y: size + 15 + n * 15 });
    say(line, text);
  });
}

const makeWire = () => draw("g", { class: "edge" }, draw("title"), draw("path"), draw("path", { class: "head" }));

function changeWire(part, { id, d, head, kind, state, title }) {
  const [name, line, tip] = part.children;
  set(part, { "data-id": id });
  say(name, title);
  set(line, { class: `wire ${kind} ${state}`, d });
  set(tip, { d: head });
}

/** The scene as nested lists. It is made anew only when it says something new. */
function list(branches) {
  return make("ul", {}, ...branches.map(({ text, inside }) => make("li", {}, text, ...(inside.length ? [list(inside)] : []))));
}

// --- The widget ---

function render({ model, el }) {
  const view = `${Date.now().toString(36)}-${++instances}`;
  const title = model.get("title");
  const onDemand = model.get("on_demand");
  let paused = false;
  let ended = false;

  const sprite = new DOMParser().parseFromString(model.get("sprite"), "image/svg+xml").documentElement;
  const svg = draw("svg", { class: "picture", role: "img" });
  const [frames, wires, nodes] = [layer(makeFrame, changeFrame), layer(makeWire, changeWire), layer(makeNode, changeNode)];
  const card = draw("rect", { class: "card", x: 0.5, y: 0.5, rx: 10 });
  svg.append(...[...sprite.children].map((part) => document.importNode(part, true)), card, frames.group, wires.group, nodes.group);
  // A shadow tree of its own: the picture's styles and ids stay inside, and the page's outside.
  const frame = make("div", { class: "cl-picture" });
  frame.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), svg);
  const scroller = make("div", { class: "cl-scroller" }, frame);

  const state = make("span", { class: "cl-state" });
  const pause = make("button", { class: "cl-button", onclick: toggle });
  const notes = make("div", { class: "cl-notes" });
  const plan = make("div", { class: "cl-plan" });
  const news = make("p", { class: "cl-news", role: "status", "aria-live": "polite" });
  const twin = make("div", { class: "cl-tree" });
  const words = make("details", { class: "cl-words" }, make("summary", {}, "The same in words"), twin);
  el.append(
    make(
      "div",
      { class: "course-card course-live", role: "group", "aria-label": `Live picture: ${title}` },
      make("div", { class: "cl-head" }, make("p", { class: "cl-title" }, `What exists now: ${title}`), state, pause),
      scroller,
      make("div", { class: "cl-panel" }, notes, plan, news),
      words,
    ),
  );

  // --- What the kernel says ---

  let treeText = "";
  function show() {
    const drawing = model.get("drawing");
    if (!drawing.frames) return;
    const begin = performance.now();
    const { width, height } = drawing;
    set(svg, { viewBox: `0 0 ${width} ${height}`, "aria-label": `${title}. ${drawing.summary} ${drawing.plan.join(" ")}` });
    set(card, { width: width - 1, height: height - 1 });
    frames.update(drawing.frames);
    wires.update(drawing.wires);
    nodes.update(drawing.nodes);
    const text = JSON.stringify([drawing.summary, drawing.tree]);
    if (text !== treeText) {
      treeText = text;
      twin.replaceChildren(make("p", {}, drawing.summary), list(drawing.tree));
    }
    const told = JSON.stringify(drawing.plan);
    if (plan.dataset.told !== told) {
      plan.dataset.told = told;
      const heading = drawing.planned ? "✔ Held against the plan" : "≠ Held against the plan";
      const lines = make("ul", {}, ...drawing.plan.map((line) => make("li", {}, line)));
      plan.replaceChildren(...(drawing.plan.length ? [make("p", { class: "cl-heading" }, heading), lines] : []));
    }
    el.firstChild.dataset.redraw = (performance.now() - begin).toFixed(1);
    el.firstChild.dataset.shown = String(Date.now());
  }

  let waiting = [];
  let speaking = 0;
  function tell() {
    const { text } = model.get("news");
    if (text) waiting.push(text);
    if (!speaking) speak();
  }
  /** One sentence after another, with time to be read out between them. */
  function speak() {
    if (!waiting.length) {
      speaking = 0;
      return;
    }
    news.textContent = waiting.splice(0).slice(-3).join(" ");
    speaking = setTimeout(speak, QUIET);
  }

  function note() {
    const lines = model.get("notes").map((text) => make("p", {}, `! ${text}`));
    notes.replaceChildren(...lines);
    status();
  }

  // --- What the page says ---

  const tellKernel = (kind) => {
    if (ended) return;
    try {
      model.send?.({ kind, view });
    } catch {
      over(); // the kernel has gone
    }
  };
  const inSight = () => !paused && !document.hidden;
  function alive() {
    if (inSight() && !onDemand) tellKernel("here");
  }
  function seen() {
    if (onDemand) return;
    tellKernel(inSight() ? "here" : "left");
    status();
  }
  function toggle() {
    if (onDemand) {
      tellKernel("look");
      return;
    }
    paused = !paused;
    seen();
  }
  function status() {
    const [sign, word] = ended ? ["■", "Ended: run the cell again"] : onDemand ? ["○", "Looks when asked"] : paused ? ["⏸", "Paused"] : ["●", "Live"];
    say(state, `${sign} ${word}`);
    say(pause, onDemand ? "Look once" : paused ? "Go on" : "Pause");
    pause.toggleAttribute("disabled", ended);
    set(el.firstChild, { "data-state": ended ? "ended" : paused ? "paused" : "live" });
  }
  function over() {
    ended = true;
    status();
  }

  const dress = () => svg.setAttribute("data-theme", theme());
  const resized = new ResizeObserver(() => {
    const scrolls = scroller.scrollWidth > scroller.clientWidth;
    const names = { tabindex: "0", role: "region", "aria-label": "Live picture, scrolls sideways", "data-lm-suppress-shortcuts": "true" };
    for (const [name, value] of Object.entries(names)) {
      if (scrolls) scroller.setAttribute(name, value);
      else scroller.removeAttribute(name);
    }
  });
  dress();
  show();
  note();
  status();
  resized.observe(scroller);
  const unwatch = watchTheme(dress);
  const heard = [
    ["change:drawing", show],
    ["change:news", tell],
    ["change:notes", note],
    ["comm_live_update", over],
    ["destroy", over],
  ];
  for (const [event, listener] of heard) model.on(event, listener);
  document.addEventListener("visibilitychange", seen);
  const pulse = setInterval(alive, ALIVE);
  seen();
  return () => {
    tellKernel("left");
    clearInterval(pulse);
    clearTimeout(speaking);
    document.removeEventListener("visibilitychange", seen);
    resized.disconnect();
    unwatch();
    for (const [event, listener] of heard) model.off(event, listener);
  };
}

export default { render };
