// The quiz widget: one question at a time, graded here so that it also works without a kernel (labs/kit/quiz.py).
// Text of questions reaches the page through textContent only.

// --- Grading: the same rules as labs/kit/questions.py; tests/browser holds the two together. ---

/** Whether each part of the answer is right: for options, whether it is to be chosen; else, whether it has its place. */
export function grade(question, answer) {
  const { kind, parts } = question;
  if (kind === "one" || kind === "several") {
    const chosen = [].concat(answer);
    const keys = parts.filter((part) => part.right).map((part) => part.text);
    const hits = chosen.filter((text) => keys.includes(text)).length;
    const share = Math.max(0, (hits - (chosen.length - hits)) / keys.length);
    return { right: hits === keys.length && chosen.length === hits, share, marks: parts.map((part) => part.right) };
  }
  const marks = parts.map((part, n) =>
    kind === "order" ? answer[n] === part.text : answer[part.left] === part.right,
  );
  const hits = marks.filter(Boolean).length;
  return { right: hits === marks.length, share: hits / marks.length, marks };
}

// --- Making elements ---

let instances = 0;

/** Text with `code` spans as nodes. */
function inline(text) {
  return text.split(/(`[^`]+`)/).map((piece) =>
    /^`[^`]+`$/.test(piece) ? make("code", {}, piece.slice(1, -1)) : document.createTextNode(piece),
  );
}

const plain = (text) => text.replaceAll("`", "");
const spoken = (text) => make("span", { class: "cq-spoken" }, text);
const icon = (name) => make("span", { class: `cq-icon cq-icon-${name}`, "aria-hidden": "true" });
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// --- One kind of question each: `fields` while it is open, `reasons` once it is checked. ---
// `fields(question, draft, name, say)` draws inputs that change the draft; `answer(question, draft)` is null while
// something is missing, and `missing` then says what.

const choice = {
  draft: (question, earlier) => ({ chosen: new Set([].concat(earlier ?? [])) }),
  how(question) {
    const rights = question.parts.filter((part) => part.right).length;
    return question.kind === "one" ? "Choose one." : `Choose ${rights}.`;
  },
  missing: "Choose an option first.",
  answer(question, { chosen }) {
    if (!chosen.size) return null;
    return question.kind === "one" ? [...chosen][0] : question.shown.filter((text) => chosen.has(text));
  },
  fields(question, draft, name, say, check) {
    const type = question.kind === "one" ? "radio" : "checkbox";
    const change = (event, text) => {
      if (type === "radio") draft.chosen.clear();
      if (event.target.checked) draft.chosen.add(text);
      else draft.chosen.delete(text);
    };
    return make(
      "div",
      { class: "cq-options" },
      question.shown.map((text) =>
        make(
          "label",
          { class: "cq-option" },
          make("input", {
            type,
            name,
            checked: draft.chosen.has(text),
            onchange: (event) => change(event, text),
            onkeydown: (event) => {
              if (event.key !== "Enter") return;
              event.preventDefault(); // or the same key would press the button that has the focus afterwards
              check();
            },
          }),
          make("span", { class: "cq-text" }, inline(text)),
        ),
      ),
    );
  },
  reasons(question, answer) {
    const chosen = [].concat(answer);
    return question.shown.map((text) => {
      const part = question.parts.find((candidate) => candidate.text === text);
      const mine = chosen.includes(text);
      const state = part.right ? (mine ? "right" : "missed") : mine ? "wrong" : "idle";
      const word = { right: "Right, your choice", missed: "Right, not chosen", wrong: "Wrong, your choice", idle: "Wrong" };
      return { state, word: word[state], text, why: part.why };
    });
  },
  outcome(question, answer, graded) {
    if (graded.right) return "";
    const chosen = [].concat(answer);
    const keys = question.parts.filter((part) => part.right).map((part) => part.text);
    const hits = chosen.filter((text) => keys.includes(text)).length;
    return question.kind === "one" ? "" : `You chose ${hits} of ${keys.length} right options and ${chosen.length - hits} wrong.`;
  },
};

const order = {
  draft: (question, earlier) => ({ texts: [...(earlier ?? question.shown)] }),
  how: () => "Put these in order, the first one at the top. Use the buttons, or Alt with the up and down arrow keys.",
  missing: "",
  answer: (question, { texts }) => [...texts],
  fields(question, draft, name, say) {
    const list = make("ol", { class: "cq-options cq-order" });
    const move = (row, text, step) => {
      const from = draft.texts.indexOf(text);
      const to = from + step;
      if (to < 0 || to >= draft.texts.length) return say(`${plain(text)} is ${step < 0 ? "the first" : "the last"} already.`);
      draft.texts.splice(to, 0, ...draft.texts.splice(from, 1));
      const focused = document.activeElement;
      const other = list.children[to];
      list.insertBefore(row, step < 0 ? other : other.nextSibling);
      number();
      focused.focus();
      say(`${plain(text)} is now ${to + 1} of ${draft.texts.length}.`);
    };
    const number = () =>
      [...list.children].forEach((row, n) => {
        row.querySelector(".cq-number").textContent = n + 1;
        const [up, down] = row.querySelectorAll("button");
        up.setAttribute("aria-disabled", String(n === 0));
        down.setAttribute("aria-disabled", String(n === list.children.length - 1));
      });
    for (const text of draft.texts) {
      const button = (word, step) =>
        make("button", {
          class: `cq-move cq-move-${word}`,
          "aria-label": `Move ${word}: ${plain(text)}`,
          title: `Move ${word}`,
          onclick: () => move(row, text, step),
        });
      const row = make(
        "li",
        {
          class: "cq-option",
          onkeydown: (event) => {
            const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
            if (!event.altKey || !step) return;
            event.preventDefault();
            move(row, text, step);
          },
        },
        make("span", { class: "cq-number", "aria-hidden": "true" }),
        make("span", { class: "cq-text" }, inline(text)),
        make("span", { class: "cq-moves" }, button("up", -1), button("down", 1)),
      );
      list.append(row);
    }
    number();
    return list;
  },
  reasons: (question, answer, graded) =>
    question.parts.map((part, n) => ({
      state: graded.marks[n] ? "right" : "wrong",
      word: graded.marks[n] ? "In its place" : `You had it at ${answer.indexOf(part.text) + 1}`,
      text: part.text,
      why: part.why,
      number: n + 1,
    })),
  outcome: (question, answer, graded) =>
    graded.right ? "" : `${graded.marks.filter(Boolean).length} of ${graded.marks.length} in their places. The list shows the right order.`,
};

const match = {
  draft: (question, earlier) => ({ chosen: { ...earlier } }),
  how: () => "Choose what belongs to each.",
  missing: "Choose something for each one first.",
  answer: (question, { chosen }) => (question.parts.every((part) => chosen[part.left]) ? { ...chosen } : null),
  fields(question, draft, name) {
    return make(
      "div",
      { class: "cq-options" },
      question.parts.map(({ left }, n) =>
        make(
          "div",
          { class: "cq-option cq-pair" },
          make("label", { class: "cq-text", for: `${name}-${n}` }, inline(left)),
          make(
            "select",
            {
              id: `${name}-${n}`,
              onchange: (event) => {
                draft.chosen[left] = event.target.value;
              },
            },
            make("option", { value: "" }, "Choose …"),
            question.shown.map((right) =>
              make("option", { value: right, selected: draft.chosen[left] === right }, plain(right)),
            ),
          ),
        ),
      ),
    );
  },
  reasons: (question, answer, graded) =>
    question.parts.map((part, n) => ({
      state: graded.marks[n] ? "right" : "wrong",
      word: graded.marks[n] ? "You had it" : `You chose: ${plain(answer[part.left])}`,
      text: `${part.left}: ${part.right}`,
      why: part.why,
    })),
  outcome: (question, answer, graded) =>
    graded.right ? "" : `${graded.marks.filter(Boolean).length} of ${graded.marks.length} pairs found. The list shows what belongs together.`,
};

const KINDS = { one: choice, several: choice, order, match };

function reasonList(reasons) {
  const list = make("ul", { class: "cq-options" });
  for (const { state, word, text, why, number } of reasons) {
    const good = state === "right" || state === "missed";
    list.append(
      make(
        "li",
        { class: "cq-option cq-reason", "data-state": state },
        state === "idle" ? icon("idle") : icon(good ? "right" : "wrong"),
        make(
          "div",
          { class: "cq-text" },
          make("p", { class: "cq-tag" }, word),
          make("p", { class: "cq-said" }, number ? `${number}. ` : null, inline(text)),
          make("p", { class: "cq-why" }, inline(why)),
        ),
      ),
    );
  }
  return list;
}

function sourceLine({ source, checked }) {
  const url = new URL(source);
  if (url.protocol !== "https:") return null;
  const link = make("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, url.hostname);
  link.append(spoken(" (opens a new tab)"));
  return make("p", { class: "cq-source" }, "Source: ", link, `, checked ${checked}`);
}

// --- The widget ---

function render({ model, el }) {
  const questions = model.get("questions");
  const name = `cq-${Date.now().toString(36)}-${++instances}`;
  const drafts = new Map();
  const retrying = new Set(); // ids answered before, opened again with 'Try again'
  let answers = model.get("answers");
  let at = questions.findIndex(({ id }) => !(id in answers)); // questions.length is the result
  if (at < 0) at = questions.length;

  const count = make("p", { class: "cq-count" });
  const tally = make("p", { class: "cq-tally" });
  const bar = make("div", { class: "cq-bar", "aria-hidden": "true" }, questions.map(() => make("span")));
  const body = make("div", { class: "cq-body" });
  const status = make("div", { class: "cq-status", role: "status" });
  const previous = make("button", { class: "cq-button", onclick: () => go(at - 1) }, "Previous");
  const next = make("button", { class: "cq-button", onclick: () => go(at + 1) });
  const action = make("button", { class: "cq-button", onclick: () => (checked(questions[at]) ? again() : check()) });
  const card = make(
    "div",
    { class: "course-card course-quiz", role: "group", "aria-label": `Quiz with ${plural(questions.length, "question")}` },
    make("div", { class: "cq-head" }, count, tally, bar),
    body,
    status,
    make("div", { class: "cq-foot" }, previous, action, next),
  );

  const checked = ({ id }) => id in answers && !retrying.has(id);
  const graded = (question) => grade(question, answers[question.id]);
  const open = (question) => {
    if (!drafts.has(question.id)) drafts.set(question.id, KINDS[question.kind].draft(question));
    return drafts.get(question.id);
  };

  /** Speak a sentence without showing it: where things moved, which the eye has seen. */
  const say = (text) => {
    delete status.dataset.state;
    status.replaceChildren(spoken(text));
  };

  /** Show and speak a sentence. */
  function tell(state, strong, ...rest) {
    status.dataset.state = state;
    status.replaceChildren(
      state === "note" ? "" : icon(state),
      make("p", {}, make("strong", {}, strong), ...rest),
    );
  }

  function tellOutcome(question) {
    const kind = KINDS[question.kind];
    const result = graded(question);
    const mine = kind.reasons(question, answers[question.id], result).filter(({ state }) => state !== "idle");
    tell(
      result.right ? "right" : "wrong",
      result.right ? "Right." : "Not right yet.",
      ` ${kind.outcome(question, answers[question.id], result)}`,
      spoken(mine.map(({ word, text, why }) => ` ${word}: ${plain(text)}. ${plain(why)}`).join(" ")),
    );
  }

  function check() {
    const question = questions[at];
    const kind = KINDS[question.kind];
    const answer = kind.answer(question, open(question));
    if (answer === null) return tell("note", kind.missing);
    retrying.delete(question.id);
    answers = { ...model.get("answers"), [question.id]: answer };
    model.set("answers", answers);
    model.set("attempt", { id: question.id, answer, number: (model.get("attempt").number ?? 0) + 1 });
    model.save_changes();
    draw();
    tellOutcome(question);
    next.focus();
  }

  function again() {
    const question = questions[at];
    retrying.add(question.id);
    drafts.delete(question.id);
    draw();
    say("Try again.");
    body.querySelector("input, select, button").focus();
  }

  function go(to) {
    at = Math.min(Math.max(to, 0), questions.length);
    draw();
    status.replaceChildren();
    delete status.dataset.state;
    if (at < questions.length && checked(questions[at])) tellOutcome(questions[at]);
    body.querySelector("[tabindex]").focus();
  }

  function drawQuestion(question) {
    const kind = KINDS[question.kind];
    const title = make(
      "legend",
      { class: "cq-stem", tabindex: "-1" },
      spoken(`Question ${at + 1} of ${questions.length}. `),
      inline(question.stem),
    );
    if (checked(question)) {
      const reasons = kind.reasons(question, answers[question.id], graded(question));
      body.replaceChildren(make("fieldset", {}, title, reasonList(reasons), sourceLine(question)));
      return;
    }
    const how = make("p", { class: "cq-how", id: `${name}-how` }, kind.how(question));
    const fields = kind.fields(question, open(question), `${name}-${at}`, say, check);
    body.replaceChildren(make("fieldset", { "aria-describedby": how.id }, title, how, fields));
  }

  function drawResult() {
    const done = questions.filter(checked);
    const right = done.filter((question) => graded(question).right);
    const missed = done.filter((question) => !graded(question).right);
    const open = questions.length - done.length;
    const retry = () => {
      for (const { id } of missed) {
        retrying.add(id);
        drafts.delete(id);
      }
      go(questions.indexOf(missed[0]));
    };
    const rows = questions.map((question, n) => {
      const state = !checked(question) ? "idle" : graded(question).right ? "right" : "wrong";
      const word = { idle: "Not answered", right: "Right", wrong: "Not right yet" }[state];
      return make(
        "li",
        {},
        make(
          "button",
          { class: "cq-row", onclick: () => go(n) },
          icon(state),
          make("span", { class: "cq-row-stem" }, `${n + 1}. ${plain(question.stem)}`),
          make("span", { class: "cq-row-word" }, word),
        ),
      );
    });
    body.replaceChildren(
      make("div", { class: "cq-score", tabindex: "-1", role: "group", "aria-label": "Your result" },
        make("p", { class: "cq-figure" }, make("strong", {}, `${right.length}`), ` of ${questions.length} right`),
        make("p", { class: "cq-how" },
          open ? `${plural(open, "question")} not answered yet.` :
          missed.length ? "Open a question to read its reasons, or try those again that you missed." :
          "All of them. Well done.")),
      missed.length ? make("button", { class: "cq-button cq-primary", onclick: retry }, `Try ${plural(missed.length, "missed question")} again`) : "",
      make("ol", { class: "cq-rows" }, rows),
    );
  }

  function draw() {
    const result = at === questions.length;
    count.textContent = result ? "Your result" : `Question ${at + 1} of ${questions.length}`;
    const done = questions.filter(checked);
    tally.textContent = done.length ? `${done.filter((q) => graded(q).right).length} right of ${done.length} answered` : "";
    [...bar.children].forEach((piece, n) => {
      piece.dataset.state = !checked(questions[n]) ? "idle" : graded(questions[n]).right ? "right" : "wrong";
      piece.toggleAttribute("data-here", n === at);
    });
    if (result) drawResult();
    else drawQuestion(questions[at]);
    const answered = !result && checked(questions[at]);
    previous.disabled = at === 0;
    next.hidden = result;
    next.textContent = at === questions.length - 1 ? "See result" : "Next";
    next.classList.toggle("cq-primary", answered);
    action.hidden = result;
    action.textContent = answered ? "Try again" : "Check";
    action.classList.toggle("cq-primary", !answered);
  }

  // Another view of the same quiz, or the kernel, has a newer answer.
  const follow = () => {
    if (model.get("answers") === answers) return;
    answers = model.get("answers");
    draw();
  };
  model.on("change:answers", follow);
  draw();
  if (at < questions.length && checked(questions[at])) tellOutcome(questions[at]);
  el.append(card);
  return () => model.off("change:answers", follow);
}

export default { render };
