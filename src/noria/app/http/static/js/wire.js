// Talks to the API and builds elements. Text only ever gets into a page as text.

/** A failure that the server explained (RFC 9457) or that the network caused; its message is fit to be shown. */
export class Failure extends Error {}

/** Sends JSON (or nothing) and gives back the reply's JSON. */
export async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  // what only a page of this site can know, for whoever is signed in
  const form = document.cookie.match(/(?:^|; )noria_form=([^;]*)/);
  if (form) options.headers["X-Noria-Form"] = form[1];
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Failure("The server cannot be reached. Nothing is lost: try again in a moment.");
  }
  const said = await reply.json().catch(() => null);
  if (!reply.ok) throw new Failure(said?.detail ?? `The server answered ${reply.status}.`);
  return said;
}

/** An element with properties, data-/aria- attributes and children; strings become text nodes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && !name.includes("-")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const ICONS = {
  up: "M7 10v11M7 10l4-8c1.7 0 2.6 1.2 2.4 2.8L13 9h6a2 2 0 0 1 2 2.4l-1.5 8A2 2 0 0 1 17.5 21H7M7 10H3v11h4",
  down: "M17 14V3M17 14l-4 8c-1.7 0-2.6-1.2-2.4-2.8L11 15H5a2 2 0 0 1-2-2.4l1.5-8A2 2 0 0 1 6.5 3H17M17 14h4V3h-4",
};

/** A line icon; it says nothing to a screen reader, the button's text does. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Articles as unfolding entries. `open`: how many are open at first. `opened`: called with an article that is unfolded. */
export function articleList(articles, open, opened = () => {}) {
  return el("div", { className: "articles" }, ...articles.map((article, place) => {
    const entry = el("details", { open: place < open }, el("summary", {}, article.title), el("p", {}, article.body));
    entry.firstChild.addEventListener("click", () => { if (!entry.open) opened(article); });
    return entry;
  }));
}

/** What was kept in this browser, or a fallback where nothing was or nothing may be. */
export function kept(name, fallback) {
  try { return localStorage.getItem(`noria.${name}`) ?? fallback; } catch { return fallback; }
}

export function keep(name, value) {
  try { localStorage.setItem(`noria.${name}`, value); } catch { /* private windows may refuse: then it lasts as long as the page */ }
}
