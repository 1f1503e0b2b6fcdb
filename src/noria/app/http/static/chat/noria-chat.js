// <noria-chat endpoint account token|token-url heading greeting>: the chat of Noria, for any page. No other file, no
// outside request; what comes from users or articles only ever gets into the page as text.
const SHEET = `
:host { --ink: #1b1f24; --paper: #fff; --line: #6b7280; --main: #1f4e8c; --soft: #eef2f7; --bad: #a3142b;
  position: fixed; right: 1rem; bottom: 1rem; z-index: 1000; font: 16px/1.45 system-ui, sans-serif; color: var(--ink); }
@media (prefers-color-scheme: dark) { :host { --ink: #e8eaed; --paper: #1d2126; --line: #9aa3ad; --main: #9ec5ff;
  --soft: #2a3038; --bad: #ff9aa8; } }
* { box-sizing: border-box; font: inherit; } [hidden] { display: none !important; }
button { color: var(--main); background: var(--paper); border: 1px solid var(--main); border-radius: .5rem; padding: .4rem .7rem;
  cursor: pointer; }
button[aria-pressed=true], .go { color: var(--paper); background: var(--main); }
button:disabled { opacity: .6; cursor: default; } :focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
#open { border-radius: 2rem; padding: .7rem 1.2rem; box-shadow: 0 2px 8px #0005; color: var(--paper); background: var(--main); }
section { display: flex; flex-direction: column; width: min(24rem, calc(100vw - 2rem)); height: min(36rem, calc(100vh - 2rem));
  color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: .8rem; box-shadow: 0 4px 20px #0006; }
header { display: flex; justify-content: space-between; align-items: center; padding: .6rem .8rem; border-bottom: 1px solid var(--line); }
h2 { margin: 0; font-weight: 600; } #log { flex: 1; overflow-y: auto; padding: .8rem; } p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.turn { margin: 0 0 .8rem; padding: .5rem .7rem; border-radius: .6rem; background: var(--soft); } .mine { margin-left: 2rem; border: 1px solid var(--main); }
details { margin: 0 0 .4rem; white-space: pre-line; } summary { cursor: pointer; font-weight: 600; } .row { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; }
form { display: flex; gap: .5rem; padding: .6rem .8rem; border-top: 1px solid var(--line); } textarea { flex: 1; min-width: 0; resize: none; color: inherit;
  background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; padding: .4rem; } .bad { color: var(--bad); } ::placeholder { color: var(--line); opacity: 1; }
footer { padding: 0 .8rem .6rem; } @media (prefers-reduced-motion: no-preference) { section { animation: in .15s; } @keyframes in { from { opacity: 0; } } }
`;
const id = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
const el = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) name.includes("-") || name === "role" ? made.setAttribute(name, value) : (made[name] = value);
  made.append(...children.filter((child) => child != null));
  return made;
};

class NoriaChat extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const sheet = new CSSStyleSheet();  // a policy against inline style lets this through
    sheet.replaceSync(SHEET);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const heading = this.getAttribute("heading") || "Help";
    this.launcher = el("button", { id: "open", type: "button", "aria-expanded": "false", onclick: () => this.show(true) }, heading);
    this.log = el("div", { id: "log", role: "log", "aria-live": "polite", "aria-label": "Conversation", tabIndex: 0 });
    this.text = el("textarea", { rows: 2, maxLength: 2000, "aria-label": "Your question", placeholder: "What do you need help with?" });
    this.button = el("button", { type: "submit", className: "go" }, "Send");
    const form = el("form", { onsubmit: (event) => { event.preventDefault(); this.ask(this.text.value.trim()); } }, this.text, this.button);
    this.text.onkeydown = (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); } };
    const close = el("button", { type: "button", onclick: () => this.show(false) }, "Close");
    const person = el("button", { type: "button", onclick: () => this.handOver(person) }, "Talk to a person");
    this.panel = el("section", { hidden: true, "aria-label": heading }, el("header", {}, el("h2", {}, heading), close), this.log, form, el("footer", {}, person));
    this.panel.onkeydown = (event) => { if (event.key === "Escape") this.show(false); };
    root.append(this.launcher, this.panel);
    this.kept = this.read();
    this.say(this.getAttribute("greeting") || "Hello. Tell me what you need help with, in your own words.");
    for (const turn of this.kept.turns) this.draw(turn);
  }

  show(open) {
    this.panel.hidden = !open;
    this.launcher.hidden = open;
    this.launcher.setAttribute("aria-expanded", String(open));
    (open ? this.text : this.launcher).focus();
  }

  read() {
    try { return JSON.parse(sessionStorage.getItem(`noria-chat.${this.getAttribute("account")}`)) || { turns: [] }; } catch { return { turns: [] }; }
  }

  keep() {
    try { sessionStorage.setItem(`noria-chat.${this.getAttribute("account")}`, JSON.stringify(this.kept)); } catch { /* then it lasts as long as the page */ }
  }

  async fetchToken() {
    const from = this.getAttribute("token-url");
    if (!from) return this.getAttribute("token");
    const reply = await fetch(from, { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ account: this.getAttribute("account"), session: this.kept.session || "" }) });
    if (!reply.ok) throw new Error("The chat could not be opened. Load the page again.");
    const said = await reply.json();
    if (said.session !== this.kept.session) this.kept = { session: said.session, turns: this.kept.turns };
    return said.token;
  }

  async call(path, body, again = true) {
    this.token ||= await this.fetchToken();
    const reply = await fetch(`${this.getAttribute("endpoint") || ""}/v1${path}`, { method: "POST", body: JSON.stringify({ account: this.getAttribute("account"), ...body }),
      headers: { "Content-Type": "application/json", ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}) } });
    if (reply.status === 401 && again) { this.token = null; return this.call(path, body, false); }
    if (reply.ok) return reply;
    throw new Error((await reply.json().catch(() => null))?.detail || `The server answered ${reply.status}.`);
  }

  /** The events of a stream, as [name, data]. */
  async *events(reply) {
    let text = "";
    for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const [name, data] = text.slice(0, end).split("\n");
        yield [name.slice(7), JSON.parse(data.slice(6))];
      }
    }
  }

  /** Sends a question; sent again after a failure it keeps its id, so that it counts once. */
  async ask(text, choice = null, queryId = id()) {
    if (!text || this.button.disabled) return;
    this.button.disabled = true;
    this.log.querySelectorAll(".failed").forEach((shown) => shown.remove());
    const mine = el("p", { className: "turn mine" }, text);
    const status = el("p", { className: "turn", role: "status" }, "Sending …");
    this.log.append(mine, status);
    this.log.scrollTop = this.log.scrollHeight;
    try {
      const sent = { text, query_id: queryId, channel: "chat", session: this.kept.session || "", choice };
      for await (const [name, data] of this.events(await this.call("/ask/stream", sent))) {
        if (name === "status") status.textContent = data.stage === "searching" ? "Looking for an answer …" : "Sent.";
        if (name === "problem") throw new Error(data.detail);
        if (name === "answer") {
          this.kept.session = data.session;
          this.kept.turns.push({ text, answer: data });
          mine.remove(); status.remove();
          this.draw(this.kept.turns.at(-1));
          this.keep();
        }
      }
      this.text.value = "";
    } catch (failure) {
      mine.remove(); status.remove();
      const retry = el("button", { type: "button", onclick: () => this.ask(text, choice, queryId) }, "Try again");
      const why = failure instanceof TypeError ? "The server cannot be reached." : failure.message;
      this.log.append(el("div", { className: "turn failed" }, el("p", { className: "bad" }, `Not answered. ${why}`), retry));
    } finally {
      this.button.disabled = false;
      this.log.scrollTop = this.log.scrollHeight;
      this.text.focus();
    }
  }

  say(text) { this.log.append(el("p", { className: "turn" }, text)); this.log.scrollTop = this.log.scrollHeight; }

  draw({ text, answer }) {
    const send = (kind, value = "") => this.call("/feedback", { account: undefined, prediction_id: answer.prediction_id, kind, value,
      event_id: [answer.prediction_id, kind, value].filter(Boolean).join(":").slice(0, 200) });
    const articles = answer.articles.map((article) => {
      const shown = el("details", {}, el("summary", {}, article.title), el("p", {}, article.body));
      shown.addEventListener("toggle", () => { if (shown.open) send("article_opened", article.article_id).catch(() => {}); }, { once: true });
      return shown;
    });
    const choices = answer.choices.map((choice) => el("button", { type: "button",
      onclick: () => this.ask(choice.title, { prediction_id: answer.prediction_id, intent: choice.intent }) }, choice.title));
    this.log.append(el("p", { className: "turn mine" }, text), el("div", { className: "turn", "data-prediction": answer.prediction_id },
      el("p", {}, answer.message), ...articles, choices.length ? el("div", { className: "row", role: "group", "aria-label": "Did you mean" }, ...choices) : null,
      answer.decision === "answer" && articles.length ? this.thumbs(send) : null));
    this.log.scrollTop = this.log.scrollHeight;
  }

  thumbs(send) {
    const thanks = el("span", { role: "status" });
    const said = ([kind, name]) => {
      const made = el("button", { type: "button", "aria-pressed": "false" }, name);
      made.onclick = async () => {
        try {
          await send(kind);
          for (const other of row.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === made));
          thanks.textContent = "Thank you.";
        } catch (failure) { thanks.textContent = `Not noted. ${failure.message}`; }
      };
      return made;
    };
    const row = el("div", { className: "row", role: "group", "aria-label": "Did this help?" }, el("span", {}, "Did this help?"),
      ...[["helpful", "Yes"], ["not_helpful", "No"]].map(said), thanks);
    return row;
  }

  async handOver(button) {
    if (!this.kept.session || !this.kept.turns.length) { this.say("Ask your question first: it goes to the person with what was said here."); return; }
    button.disabled = true;
    this.kept.handOver ||= id();
    try {
      await this.call(`/sessions/${encodeURIComponent(this.kept.session)}/handoff`, { hand_over_id: this.kept.handOver });
      this.say("A person at the service desk takes over. They can read this conversation.");
      delete this.kept.handOver;
    } catch (failure) { this.say(`Not handed over. ${failure.message}`); } finally { button.disabled = false; button.focus(); this.keep(); }
  }
}
customElements.define("noria-chat", NoriaChat);
