// The ask page: a question, the agent's decision, and whether it helped.
import { articleList, call, el, Failure, icon, keep, kept } from "./wire.js";

const form = document.getElementById("ask");
const account = document.getElementById("account");
const other = document.getElementById("other-account");
const text = document.getElementById("text");
const error = document.getElementById("error");
const status = document.getElementById("status");
const turns = document.getElementById("turns");
const button = form.querySelector("button");
const session = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
const DECISIONS = { answer: "Answer", clarify: "Asks back", handoff: "Hands over" };

const accountName = () => (account?.value || other.value).trim();

function showOther() {
  other.hidden = Boolean(account?.value);
}

async function ask(question) {
  const name = accountName();
  error.textContent = "";
  if (!name || !question) {
    error.textContent = name ? "Type a question first." : "Name an account first.";
    (name ? text : other).focus();
    return;
  }
  form.setAttribute("aria-busy", "true");
  button.disabled = true;
  button.textContent = "Asking …";
  try {
    const reply = await call("POST", "/v1/ask", { account: name, text: question, session, channel: "page" });
    document.getElementById("nothing")?.remove();
    turns.prepend(turn(name, question, reply));
    status.textContent = `${DECISIONS[reply.decision]}: ${reply.message} ${reply.articles.length} articles.`;
    keep("account", name);
    text.value = "";
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    error.textContent = failure.message;
  } finally {
    form.removeAttribute("aria-busy");
    button.disabled = false;
    button.textContent = "Ask";
    text.focus();
  }
}

function turn(name, question, reply) {
  const share = Math.round(100 * reply.intent_confidence);
  const send = feedbackOf(reply.prediction_id);
  const shown = el("article", { className: "panel turn", "data-prediction": reply.prediction_id, "aria-label": `Answer to: ${question}` },
    el("p", { className: "who" }, `${name} asked`),
    el("p", { className: "question" }, question),
    el("p", {}, el("span", { className: `decision ${reply.decision}` }, DECISIONS[reply.decision]), reply.message),
    reply.articles.length ? articleList(reply.articles, 1, (article) => send("article_opened", article.article_id).catch(() => {})) : null,
    reply.choices.length ? choices(reply.choices) : null,
    reply.intent ? el("p", { className: "sure" },
      el("span", {}, "Confidence"),
      el("meter", { min: 0, max: 1, value: reply.intent_confidence, "aria-label": `Confidence ${share} per cent` }),
      el("span", {}, `${share} % for “${reply.intent_title}”`)) : null,
    thumbs(send),
    el("p", { className: "aside" }, `Release ${reply.release} · prediction `, el("code", {}, reply.prediction_id)));
  return shown;
}

function choices(offered) {
  return el("div", { className: "choices", role: "group", "aria-label": "Did you mean" }, ...offered.map((choice) => {
    const made = el("button", { type: "button" }, choice.title);
    made.addEventListener("click", () => ask(choice.title));
    return made;
  }));
}

// An event that is sent again after a failure keeps its id, so that it counts once; a change of mind is a new event.
function feedbackOf(predictionId) {
  let number = 1;
  return async (kind, value = "") => {
    const eventId = [predictionId, number, kind, value].filter(Boolean).join(":");
    await call("POST", "/v1/feedback", { event_id: eventId, prediction_id: predictionId, kind, value });
    number += 1;
  };
}

function thumbs(send) {
  const thanks = el("p", { className: "thanks", role: "status" });
  const yes = el("button", { type: "button", "aria-pressed": "false" }, icon("up"), "Yes");
  const no = el("button", { type: "button", "aria-pressed": "false" }, icon("down"), "No");
  async function say(kind, pressed, released) {
    if (pressed.getAttribute("aria-pressed") === "true") return;
    yes.disabled = no.disabled = true;
    try {
      await send(kind);
      pressed.setAttribute("aria-pressed", "true");
      released.setAttribute("aria-pressed", "false");
      thanks.className = "thanks";
      thanks.textContent = kind === "helpful" ? "Thank you. Good to know that it helped." : "Thank you. Noted: this did not help.";
    } catch (failure) {
      thanks.className = "error";
      thanks.textContent = `Not noted. ${failure.message}`;
    } finally {
      yes.disabled = no.disabled = false;
      pressed.focus();
    }
  }
  yes.addEventListener("click", () => say("helpful", yes, no));
  no.addEventListener("click", () => say("not_helpful", no, yes));
  return el("div", { className: "helped", role: "group", "aria-label": "Did this help?" }, el("span", { className: "label" }, "Did this help?"), yes, no, thanks);
}

const before = kept("account", "");
if (account && before && [...account.options].some((option) => option.value === before)) account.value = before;
account?.addEventListener("change", () => { showOther(); if (!account.value) other.focus(); });
form.addEventListener("submit", (event) => { event.preventDefault(); if (!button.disabled) ask(text.value.trim()); });
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
});
showOther();
text.focus();
