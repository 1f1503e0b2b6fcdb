// The built-in label desk: one task at a time, all of it by keys.
import { Combobox } from "./combobox.js";
import { articleList, call, el, Failure, keep, kept } from "./wire.js";

const $ = (id) => document.getElementById(id);
const desk = $("desk"), error = $("error"), submit = desk.querySelector("[type=submit]");
const RELEVANCES = ["in_scope", "new_domain", "irrelevant", "small_talk"];
const MEANS = { in_scope: "in scope", new_domain: "new domain", irrelevant: "irrelevant", small_talk: "small talk" };
const RESERVED = { oos: "new_domain", irrelevant: "irrelevant", small_talk: "small_talk" };
const DECISIONS = { answer: "Answered", clarify: "Asked back", handoff: "Handed over" };
const NO_ARTICLE = "none";

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
  const reply = await call("GET", "/v1/label/tasks?limit=20");
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
  offerArticles(one.predicted);
  setRelevance(label?.relevance ?? null);
  intent.set(label?.intent ?? null);
  setHelpful(label ? { true: "yes", false: "no", null: "" }[label.helpful] : "");
  $("article").value = label?.article_id ?? "";
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

function offerArticles(predicted) {
  const shown = predicted?.articles ?? [];
  $("article-field").hidden = !shown.length;
  $("article").replaceChildren(
    el("option", { value: "" }, "not judged"),
    ...shown.map((article) => el("option", { value: article.article_id }, article.title || article.article_id)),
    el("option", { value: NO_ARTICLE }, "none of these"));
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
  $("intent-label").textContent = value === "new_domain" ? "Name of the new domain (may be left empty)" : "Right intent";
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

/** What "same as predicted" stands for: null where the prediction is hidden or is none of the task's intents. */
function same() {
  const predicted = task()?.predicted;
  if (!predicted?.intent) return null;
  if (RESERVED[predicted.intent]) return { relevance: RESERVED[predicted.intent], intent: null };
  return task().scope.includes(predicted.intent) ? { relevance: "in_scope", intent: predicted.intent } : null;
}

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
  const helpful = { yes: true, no: false }[radio("helpful")] ?? null;
  const label = {
    task_id: one.task_id, relevance: relevance(), intent: intent.value, article_id: $("article").value || null,
    helpful: one.predicted ? helpful : null, annotator, note: $("note").value.trim(),
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
  s: takeSame, u: back, y: () => setHelpful("yes"), n: () => setHelpful("no"), 0: () => setHelpful(""),
  "/": () => { if (!$("intent-field").hidden) $("intent").focus(); },
};
RELEVANCES.forEach((value, place) => { KEYS[place + 1] = () => setRelevance(value); });

document.addEventListener("keydown", (event) => {
  if (desk.hidden || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const on = event.target;
  if (on.closest("textarea, select, input[type=text]")) return;
  if (event.key === "Enter") {
    if (on.closest("button, a, summary, input")) return;   // these have an Enter of their own
    event.preventDefault();
    if (!event.repeat) enter();
  } else if (shortcutsOn() && KEYS[event.key.toLowerCase()]) {
    if (task().predicted === null && "yn0".includes(event.key.toLowerCase())) return;
    event.preventDefault();
    error.textContent = "";
    KEYS[event.key.toLowerCase()]();
  }
});
desk.addEventListener("submit", (event) => { event.preventDefault(); enter(); });
desk.addEventListener("change", (event) => { if (event.target.name === "relevance") setRelevance(event.target.value); else step(); });
$("back").addEventListener("click", back);
$("empty-back").addEventListener("click", back);
$("again").addEventListener("click", () => next());
$("shortcuts").addEventListener("change", () => keep("shortcuts", $("shortcuts").checked ? "on" : "off"));

function start() {
  $("who").hidden = true;
  $("me").hidden = false;
  $("me-name").textContent = annotator;
  if (task()) show(); else next();
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  annotator = $("annotator").value.trim();
  if (!annotator) { $("annotator").value = ""; $("annotator").focus(); return; }
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
