// The decision aid: a group of radio buttons a question. What is chosen goes to Python, and its advice comes back.

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "course-chooser";
  const own = `chooser-${Math.random().toString(36).slice(2)}`;
  for (const question of model.get("questions")) {
    const group = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = question.ask;
    group.append(legend);
    for (const [id, words] of question.options) {
      const label = document.createElement("label");
      const button = document.createElement("input");
      Object.assign(button, { type: "radio", name: `${own}-${question.id}`, value: id });
      button.checked = model.get("given")[question.id] === id;
      button.addEventListener("change", () => {
        model.set("given", { ...model.get("given"), [question.id]: id });
        model.save_changes();
      });
      label.append(button, document.createTextNode(` ${words}`));
      group.append(label);
    }
    root.append(group);
  }
  const advice = document.createElement("div");
  advice.className = "advice";
  advice.setAttribute("role", "status");
  root.append(advice);

  const show = () => {
    const { name, because, turns, source, checked } = model.get("advice");
    const strong = document.createElement("strong");
    strong.textContent = `Take: ${name}.`;
    const why = document.createElement("p");
    why.append(strong, ` ${because}`);
    const intro = document.createElement("p");
    intro.textContent = "Another answer changes it:";
    const list = document.createElement("ul");
    for (const [ask, words, other] of turns) {
      const item = document.createElement("li");
      item.textContent = `${ask} “${words}”: ${other}`;
      list.append(item);
    }
    const link = document.createElement("a");
    Object.assign(link, { href: source, textContent: "Read on at AWS", target: "_blank", rel: "noopener" });
    const end = document.createElement("p");
    end.append(link, ` (checked ${checked})`);
    advice.replaceChildren(why, intro, list, end);
  };
  // Arrow keys belong to the radio buttons here, and not to the notebook around them.
  const keep = (event) => event.stopPropagation();
  root.addEventListener("keydown", keep);
  model.on("change:advice", show);
  show();
  el.append(root);
  return () => model.off("change:advice", show);
}

export default { render };
