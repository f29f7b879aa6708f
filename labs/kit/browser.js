// What the widgets share: elements, and the theme of the page. It stands before each one's own module (browser.py).

// --- Making elements ---

const FOCUSABLE = new Set(["a", "button", "input", "select", "summary"]);

/** An element with attributes, listeners (`onclick: f`) and children; null children are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) {
    // On each element that can have the focus: otherwise JupyterLab takes arrows, b and dd for commands on cells.
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  if (tag === "button") element.type = "button";
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

// --- Light or dark ---

/** The theme of the page: JupyterLab's word, else that of a static site, else the system's. */
function theme() {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  const page = document.documentElement;
  if (page.dataset.theme === "dark" || page.dataset.theme === "light") return page.dataset.theme;
  return page.classList.contains("dark") || matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Call `changed` whenever the theme may have changed; returns how to stop that. */
function watchTheme(changed) {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", changed);
  };
}
