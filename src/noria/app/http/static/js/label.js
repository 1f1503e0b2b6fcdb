// The built-in label desk: one task at a time, all of it by keys.
import { Combobox } from "./combobox.js";
import { articleList, call, el, Failure, keep, kept } from "./wire.js";

const $ = (id) => document.getElementById(id);
const desk = $("desk"), error = $("error"), submit = desk.querySelector("[type=submit]");
const MEANS = Object.fromEntries([...desk.elements.relevance].map((input) => [input.value, input.value.replaceAll("_", " ")]));
const HELPFUL = { yes: true, no: false, cannot_tell: null };
const DECISIONS = { answer: "Answered", clarify: "Asked back", handoff: "Handed over" };
const NO_ARTICLE = $("articles").dataset.none;
const deciding = new URLSearchParams(location.search).has("adjudicate");   // the queue of disputed tasks

let annotator = kept("annotator", "");
let titles = {};
let queue = [];            // tasks to come; the first is on the desk
const done = [];           // [{task, label}] of this sitting, the latest last
const mine = new Set();    // ids of tasks labelled in this sitting
const named = new Set();   // new domains named in this sitting, offered again
let sending = false;
let standing = { open: 0, labelled: 0 };
const seen = new Set();
const intent = new Combobox($("intent"), $("intent-list"), () => {
  if (!relevance()) setRelevance("in_scope");
  step();
}, () => step());

const task = () => queue[0];
const radio = (name) => desk.querySelector(`input[name="${name}"]:checked`)?.value;
const relevance = () => radio("relevance");
const titleOf = (name) => titles[name] ?? name.replaceAll("_", " ");
const shortcutsOn = () => $("shortcuts").checked;

// ---- What is on the desk

async function fetchTasks() {
  const path = deciding ? "/v1/label/disputed?limit=20" : `/v1/label/tasks?limit=20&annotator=${encodeURIComponent(annotator)}`;
  const reply = await call("GET", path);
  Object.assign(titles, reply.titles);
  standing = reply;
  for (const one of reply.tasks) {
    if (seen.has(one.task_id)) continue;
    seen.add(one.task_id);
    queue.push(one);
  }
}

async function next() {
  if (queue.length < 3) {
    try {
      await fetchTasks();
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      error.textContent = failure.message;
      if (!task()) { $("empty-title").textContent = failure.message; }
    }
  }
  show();
}

function show(label = null) {
  const one = task();
  desk.hidden = !one;
  $("empty").hidden = Boolean(one);
  $("back").disabled = $("empty-back").disabled = !done.length;
  progress();
  if (!one) { $("empty-title").focus(); return; }
  $("origin").textContent = `${one.account} · ${new Date(one.query_time_ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" })}`;
  $("query").textContent = one.text;
  showThought(one.predicted);
  showSaid(one.said);
  offerArticles(one.predicted);
  setRelevance(label?.relevance ?? null);
  intent.set(label?.intent ?? null);
  setHelpful(label ? { true: "yes", false: "no", null: "cannot_tell" }[label.helpful] : "cannot_tell");
  for (const box of boxes()) box.checked = Boolean(label?.article_ids.includes(box.value));
  $("note").value = label?.note ?? "";
  error.textContent = "";
  step();
  $("query").focus();
}

function showThought(predicted) {
  $("thought").hidden = !predicted;
  $("helpful-field").hidden = !predicted;
  if (!predicted) return;
  const articles = predicted.articles.map((article) => ({ ...article, title: article.title || article.article_id }));
  $("thought").replaceChildren(
    el("p", {}, el("span", { className: `decision ${predicted.decision}` }, DECISIONS[predicted.decision]),
      predicted.intent ? el("span", {}, "took it for ", el("strong", {}, predicted.intent_title)) : "without an idea of the intent"),
    articles.length ? articleList(articles, 0) : el("p", { className: "aside" }, "No article was shown."));
}

function showSaid(said) {
  $("said").hidden = !said.length;
  $("said").replaceChildren(el("ul", {}, ...said.map((one) => el("li", {},
    el("strong", {}, one.annotator), `: ${MEANS[one.relevance]}`, one.intent ? `, ${titleOf(one.intent)}` : "",
    one.helpful === null ? "" : one.helpful ? ", helped" : ", did not help",
    one.article_ids.length ? `, articles: ${one.article_ids.join(", ")}` : "", one.note ? ` (${one.note})` : ""))));
}

const boxes = () => [...$("articles").querySelectorAll("input")];

function offerArticles(predicted) {
  const shown = predicted?.articles ?? [];
  const box = (value, title) => el("label", {}, el("input", { type: "checkbox", name: "articles", value }), ` ${title}`);
  $("articles").replaceChildren(
    ...shown.map((article) => box(article.article_id, article.title || article.article_id)), box(NO_ARTICLE, "none exists"));
}

/** Either some articles are right or none is. */
function marked(box) {
  if (!box.checked) return;
  for (const other of boxes()) if ((other.value === NO_ARTICLE) !== (box.value === NO_ARTICLE)) other.checked = false;
}

function progress() {
  const all = standing.open + standing.labelled;
  $("progress").value = all ? standing.labelled / all : 1;
  $("count").textContent = `${standing.labelled} of ${all} labelled, ${mine.size} by you now`;
}

// ---- The judgement

function setRelevance(value) {
  for (const input of desk.elements.relevance) input.checked = input.value === value;
  const one = task();
  const nameless = value === "irrelevant" || value === "small_talk";
  $("intent-field").hidden = nameless;
  $("intent-label").textContent = $("intent-label").dataset[value === "new_domain" ? "domain" : "intent"];
  $("article-field").hidden = !one.predicted?.articles.length || nameless || value === "new_domain";
  if ($("article-field").hidden) for (const box of boxes()) box.checked = false;
  if (nameless) intent.set(null);
  // a name inside the scope cannot be a new domain, and the other way round
  if (value === "new_domain" && one.scope.includes(intent.value)) intent.set(null);
  if (value === "in_scope" && !one.scope.includes(intent.value)) intent.set(null);
  const entry = (name) => ({ name, title: titleOf(name) });
  intent.offer(value === "new_domain" ? [...named].map((name) => ({ name, title: name })) : one.scope.map(entry), value === "new_domain");
  step();
}

function setHelpful(value) {
  for (const input of desk.elements.helpful) input.checked = input.value === value;
  step();
}

/** What "same as predicted" stands for: null where the prediction is hidden or cannot be taken over. */
const same = () => task()?.same ?? null;

function takeSame() {
  const taken = same();
  if (!taken) return;
  setRelevance(taken.relevance);
  intent.set(taken.intent);
  step();
  $("status").textContent = `Same as predicted: ${MEANS[taken.relevance]}${taken.intent ? `, ${titleOf(taken.intent)}` : ""}.`;
}

const complete = () => Boolean(relevance()) && (relevance() !== "in_scope" || intent.value !== null);

function step() {
  submit.disabled = sending;
  const taken = same();
  const enter = intent.at < 0 ? whatEnterDoes(taken) : "takes the marked one";
  $("next-step").replaceChildren(el("kbd", {}, "Enter"), ` ${enter}`);
  submit.textContent = complete() || !taken ? "Submit and next" : "Same as predicted";
}

function whatEnterDoes(taken) {
  if (complete()) return "submits";
  if (!taken || (relevance() && relevance() !== taken.relevance)) return relevance() ? "goes to the search" : "does nothing yet: say what it is";
  return `takes “${taken.intent ? titleOf(taken.intent) : MEANS[taken.relevance]}”`;
}

/** Enter, or the button: submits what is complete, else completes it. */
function enter() {
  const taken = same();
  if (complete()) send();
  else if (taken && (!relevance() || relevance() === taken.relevance)) takeSame();
  else if (!relevance()) { error.textContent = "Say first what it is (1 to 4)."; desk.elements.relevance[0].focus(); }
  else $("intent").focus();
}

async function send() {
  if (sending) return;
  const one = task();
  const helpful = HELPFUL[radio("helpful")] ?? null;
  const label = {
    task_id: one.task_id, relevance: relevance(), intent: intent.value, helpful: one.predicted ? helpful : null,
    article_ids: boxes().filter((box) => box.checked).map((box) => box.value),
    annotator, note: $("note").value.trim(), adjudication: deciding,
  };
  sending = true;
  step();
  error.textContent = "";
  try {
    standing = await call("POST", "/v1/label/labels", label);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    error.textContent = failure.message;
    sending = false;
    step();
    return;
  }
  sending = false;
  mine.add(one.task_id);
  if (label.relevance === "new_domain" && label.intent) named.add(label.intent);
  done.push({ task: one, label });
  queue.shift();
  $("status").textContent = "Labelled. Next query:";
  await next();
}

function back() {
  const last = sending ? null : done.pop();
  if (!last) return;
  queue.unshift(last.task);
  show(last.label);
  $("status").textContent = "Back at the previous query. Your label is shown; submit to replace it.";
}

// ---- Keys and clicks

const KEYS = {
  s: takeSame, u: back, a: () => { if (!$("article-field").hidden) boxes()[0].focus(); },
  "/": () => { if (!$("intent-field").hidden) $("intent").focus(); },
};
for (const input of desk.elements.relevance) KEYS[input.dataset.key] = () => setRelevance(input.value);
for (const input of desk.elements.helpful) KEYS[input.dataset.key] = () => { if (task().predicted) setHelpful(input.value); };

document.addEventListener("keydown", (event) => {
  if (desk.hidden || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const on = event.target;
  if (on.closest("textarea, select, input[type=text]")) return;
  if (event.key === "Escape" && on.closest("#articles")) { on.blur(); return; }
  if (event.key === "Enter") {
    if (on.closest("button, a, summary, input:not([type=checkbox])")) return;   // these have an Enter of their own
    event.preventDefault();
    if (!event.repeat) enter();
  } else if (shortcutsOn() && KEYS[event.key.toLowerCase()]) {
    event.preventDefault();
    error.textContent = "";
    KEYS[event.key.toLowerCase()]();
  }
});
desk.addEventListener("submit", (event) => { event.preventDefault(); enter(); });
desk.addEventListener("change", (event) => { if (event.target.name === "relevance") setRelevance(event.target.value); else { if (event.target.name === "articles") marked(event.target); step(); } });
$("back").addEventListener("click", back);
$("empty-back").addEventListener("click", back);
$("again").addEventListener("click", () => next());
$("shortcuts").addEventListener("change", () => keep("shortcuts", $("shortcuts").checked ? "on" : "off"));

if (deciding) {
  $("mode").replaceChildren("You decide what others dispute; your word settles it. ", el("a", { href: "/label" }, "Back to labelling"));
  $("empty-text").textContent = "People agree on every task that has all its answers.";
}

function start() {
  $("who").hidden = true;
  $("me").hidden = false;
  $("me-name").textContent = annotator;
  if (task()) show(); else next();
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("annotator").value.trim();
  if (!name) { $("annotator").value = ""; $("annotator").focus(); return; }
  // another person is asked about other tasks
  if (name !== annotator) { queue = []; seen.clear(); mine.clear(); done.length = 0; }
  annotator = name;
  keep("annotator", annotator);
  start();
});
$("rename").addEventListener("click", () => {
  $("me").hidden = $("empty").hidden = desk.hidden = true;
  $("who").hidden = false;
  $("annotator").value = annotator;
  $("annotator").select();
});
$("shortcuts").checked = kept("shortcuts", "on") === "on";
if (annotator) {
  $("annotator").value = annotator;
  start();
} else $("annotator").focus();
