// The walk through a picture (labs/kit/walk.py): the SVG, its steps, and what each step speaks of lit up.

const SVG = "http://www.w3.org/2000/svg";
const XLINK = "http://www.w3.org/1999/xlink";
// Never dimmed: what is not drawn by itself, and the ground and heading of the house style.
const GROUND = ".card, .heading";
const UNSEEN = new Set(["defs", "style", "metadata", "title", "desc", "symbol"]);
let instances = 0;

// --- The picture ---

/** The SVG as an element: without scripts and outer references, its ids made unique by a prefix. */
function parse(text, prefix) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const svg = parsed.documentElement;
  if (svg.localName !== "svg" || parsed.querySelector("parsererror")) throw new Error("The picture is no well-formed SVG.");
  svg.querySelectorAll("script, foreignObject").forEach((element) => element.remove());
  for (const element of [svg, ...svg.querySelectorAll("*")]) {
    for (const { name, value } of [...element.attributes]) {
      const reference = name === "href" || name === "xlink:href";
      if (name.startsWith("on") || (reference && !/^(#|data:image\/)/.test(value))) element.removeAttribute(name);
      else if (name === "id") element.id = prefix + value;
      else if (reference && value.startsWith("#")) {
        if (name === "href") element.setAttribute(name, `#${prefix}${value.slice(1)}`);
        else element.setAttributeNS(XLINK, name, `#${prefix}${value.slice(1)}`);
      } else if (name === "aria-labelledby" || name === "aria-describedby") {
        element.setAttribute(name, value.trim().split(/\s+/).map((id) => prefix + id).join(" "));
      } else if (value.includes("url(#")) element.setAttribute(name, value.replaceAll("url(#", `url(#${prefix}`));
    }
  }
  return document.importNode(svg, true);
}

/** An element's box in the units of the picture, whatever transforms lie between. */
function boxOf(svg, element) {
  const box = element.getBBox();
  const toPicture = svg.getScreenCTM().inverse().multiply(element.getScreenCTM());
  const corners = [
    [box.x, box.y],
    [box.x + box.width, box.y + box.height],
  ].map(([x, y]) => new DOMPoint(x, y).matrixTransform(toPicture));
  const x = Math.min(corners[0].x, corners[1].x);
  const y = Math.min(corners[0].y, corners[1].y);
  return { x, y, width: Math.abs(corners[1].x - corners[0].x), height: Math.abs(corners[1].y - corners[0].y) };
}

const holds = (outer, inner) =>
  inner.x >= outer.x - 1 &&
  inner.y >= outer.y - 1 &&
  inner.x + inner.width <= outer.x + outer.width + 1 &&
  inner.y + inner.height <= outer.y + outer.height + 1;

const isEdge = (element) => element.classList.contains("edge");
const isFrame = (element) => element.classList.contains("group") || element.classList.contains("cluster");

/** The outermost elements that hold none of the lit ones: what is to be dimmed. */
function others(element, lit) {
  return [...element.children].flatMap((child) => {
    if (UNSEEN.has(child.localName) || child.matches(GROUND) || lit.has(child)) return [];
    return [...lit].some((one) => child.contains(one)) ? others(child, lit) : [child];
  });
}

/** Light up the targets of a step in the picture; without a step, show all of it plainly. */
function light(svg, prefix, step) {
  svg.querySelectorAll(".walk-dim").forEach((element) => element.classList.remove("walk-dim"));
  svg.querySelectorAll(".walk-line, .walk-head").forEach((element) => element.classList.remove("walk-line", "walk-head"));
  svg.querySelector(".walk-marks")?.remove();
  if (!step) return;
  const find = (id) => svg.getElementById(prefix + id);
  const targets = step.targets.map(find);
  const lit = new Set(targets);
  const legend = find(`step-${step.n}`); // the sentence where the picture itself prints its steps
  if (legend) lit.add(legend);
  // What lies inside a frame is its neighbour in the file, and belongs to it all the same.
  const boxes = targets.filter(isFrame).map((frame) => boxOf(svg, frame));
  for (const part of svg.querySelectorAll(".node, .group, .cluster, .edge")) {
    if (boxes.length && boxes.some((box) => holds(box, boxOf(svg, part)))) lit.add(part);
  }
  others(svg, lit).forEach((element) => element.classList.add("walk-dim"));
  for (const edge of targets.filter(isEdge)) {
    for (const line of edge.querySelectorAll("path, line, polyline, polygon")) {
      line.classList.add(getComputedStyle(line).fill === "none" ? "walk-line" : "walk-head");
    }
  }
  const unit = svg.viewBox.baseVal.width / svg.getBoundingClientRect().width; // one pixel in units of the picture
  const marks = document.createElementNS(SVG, "g");
  marks.setAttribute("class", "walk-marks");
  const draw = (name, attributes, text) => {
    const shape = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    if (text) shape.textContent = text;
    marks.append(shape);
  };
  const frames = targets.filter((target) => !isEdge(target)).flatMap((target) => {
    const box = boxOf(svg, target);
    if (!isFrame(target) && boxes.some((frame) => holds(frame, box))) return []; // the frame around it says it
    const gap = (isFrame(target) ? 1 : 6) * unit;
    return { x: box.x - gap, y: box.y - gap, width: box.width + 2 * gap, height: box.height + 2 * gap };
  });
  for (const frame of frames) draw("rect", { class: "walk-outline", ...frame, rx: 9 * unit });
  // Pictures of the house style carry the step's number on an arrow or a frame. Others get it here.
  if (!targets.some((target) => target.querySelector(".badge"))) {
    const at = frames[0] ?? boxOf(svg, targets[0]);
    draw("circle", { class: "walk-badge", cx: at.x, cy: at.y, r: 11 * unit });
    draw("text", { class: "walk-number", x: at.x, y: at.y, "font-size": 12 * unit }, String(step.n));
  }
  svg.append(marks);
}

const IN_PICTURE = `
  svg { display: block; width: 100%; height: auto; overflow: visible; }
  svg * { transition: opacity 0.25s ease; }
  .walk-dim { opacity: 0.22 !important; }
  .walk-line { stroke-width: 4px !important; vector-effect: non-scaling-stroke; stroke: var(--walk-mark) !important; }
  .walk-head { fill: var(--walk-mark) !important; }
  .walk-outline { fill: none !important; stroke: var(--walk-mark) !important; stroke-width: 3px; vector-effect: non-scaling-stroke; }
  .walk-badge { fill: var(--walk-mark) !important; }
  svg .walk-number { fill: var(--walk-on-mark) !important; font-weight: 700; text-anchor: middle; dominant-baseline: central; }
  svg[data-theme="light"] { --walk-mark: #1558b0; --walk-on-mark: #ffffff; }
  svg[data-theme="dark"] { --walk-mark: #8ab8ff; --walk-on-mark: #0b1622; }
  @media (prefers-reduced-motion: reduce) { svg * { transition: none; } }
`;

// --- The widget ---

function render({ model, el }) {
  const prefix = `walk-${Date.now().toString(36)}-${++instances}-`;
  const steps = model.get("steps");
  const title = model.get("title");
  const svg = parse(model.get("svg"), prefix);
  // A shadow tree of its own: the picture's styles stay inside, and the page's outside.
  const frame = make("div", { class: "cw-picture" });
  const shadow = frame.attachShadow({ mode: "open" });
  shadow.append(make("style", {}, IN_PICTURE), svg);
  const scroller = make("div", { class: "cw-scroller" }, frame);

  const count = make("p", { class: "cw-count" });
  const sentence = make("p", { class: "cw-sentence" });
  const status = make("div", { class: "cw-status", role: "status" }, count, sentence);
  const button = (label, name, to) => make("button", { class: `cw-button ${name}`, onclick: () => go(to()) }, label);
  const previous = button("Previous", "cw-previous", () => at() - 1);
  const next = button("Next", "cw-next", () => at() + 1);
  const stops = [0, ...steps.map(({ n }) => n)].map((n) =>
    make("button", { class: "cw-stop", "aria-label": n ? `Step ${n}` : "Whole picture", onclick: () => go(n) }, n ? String(n) : "All"),
  );
  const strip = make("div", { class: "cw-strip", role: "group", "aria-label": "Steps" }, ...stops);
  const words = make(
    "details",
    { class: "cw-words" },
    make("summary", {}, "The picture in words"),
    make("p", {}, model.get("description")),
    make("ol", {}, ...steps.map(({ text }) => make("li", {}, text))),
  );
  const card = make(
    "div",
    { class: "course-card course-walk", role: "group", "aria-label": `Walk through the picture: ${title}`, onkeydown: keys },
    scroller,
    make("div", { class: "cw-panel" }, status, make("div", { class: "cw-controls" }, previous, strip, next)),
    words,
  );

  const at = () => model.get("step");

  function go(to) {
    const step = Math.min(Math.max(to, 0), steps.length);
    if (step === at()) return;
    model.set("step", step);
    model.save_changes();
  }

  /** Arrows, Home and End step, wherever the focus is, except where arrows scroll the picture. */
  function keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target === scroller) return;
    const to = { ArrowRight: at() + 1, ArrowDown: at() + 1, ArrowLeft: at() - 1, ArrowUp: at() - 1, Home: 0, End: steps.length };
    if (!(event.key in to)) return;
    event.preventDefault();
    go(to[event.key]);
    if (stops.includes(event.target)) stops[at()].focus();
  }

  function draw() {
    const step = steps[at() - 1];
    count.textContent = step ? `Step ${step.n} of ${steps.length}` : "The whole picture";
    sentence.textContent = step ? step.text : model.get("description");
    // Not `disabled`: the focus would be lost at either end.
    previous.setAttribute("aria-disabled", String(at() === 0));
    next.setAttribute("aria-disabled", String(at() === steps.length));
    stops.forEach((stop, n) => {
      if (n === at()) stop.setAttribute("aria-current", "step");
      else stop.removeAttribute("aria-current");
    });
    relight();
    reveal();
  }

  /** Boxes can be measured only while the picture is shown. */
  function relight() {
    if (svg.getBoundingClientRect().width) light(svg, prefix, steps[at() - 1]);
  }

  /** Where the picture is wider than its place, bring what is lit into sight. */
  function reveal() {
    const marks = svg.querySelector(".walk-marks") ?? svg.querySelector(".walk-line");
    if (!marks || scroller.scrollWidth <= scroller.clientWidth) return;
    const [inner, outer] = [marks.getBoundingClientRect(), scroller.getBoundingClientRect()];
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scroller.scrollBy({
      left: inner.x + inner.width / 2 - (outer.x + outer.width / 2),
      behavior: calm ? "instant" : "smooth",
    });
  }

  const dress = () => svg.setAttribute("data-theme", theme());
  const resized = new ResizeObserver(() => {
    const scrolls = scroller.scrollWidth > scroller.clientWidth;
    const names = { tabindex: "0", role: "region", "aria-label": "Picture, scrolls sideways", "data-lm-suppress-shortcuts": "true" };
    for (const [name, value] of Object.entries(names)) {
      if (scrolls) scroller.setAttribute(name, value);
      else scroller.removeAttribute(name);
    }
    relight();
  });

  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", title);
  svg.removeAttribute("aria-labelledby");
  dress();
  el.append(card);
  draw();
  resized.observe(scroller);
  const unwatch = watchTheme(dress);
  model.on("change:step", draw);
  return () => {
    resized.disconnect();
    unwatch();
    model.off("change:step", draw);
  };
}

export default { render };
