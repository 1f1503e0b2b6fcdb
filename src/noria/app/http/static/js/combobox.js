// A text box that searches a list: type, move with the arrows, take with Enter.
import { el } from "./wire.js";

const SHOWN = 60;

/** Every word of the search begins a word of the title, or is part of the name. */
function matches(entry, words) {
  const text = ` ${entry.title} ${entry.name} `.toLowerCase().replaceAll("_", " ");
  return words.every((word) => text.includes(word));
}

export class Combobox {
  /** `taken` is called with a name that was taken, `changed` whenever what Enter would do may have changed. */
  constructor(input, list, taken, changed) {
    Object.assign(this, { input, list, taken, changed, entries: [], free: false, at: -1, value: null });
    input.addEventListener("input", () => { this.value = null; this.show(); });
    input.addEventListener("focus", () => { input.select(); this.show(); });
    input.addEventListener("blur", () => this.leave());
    input.addEventListener("keydown", (event) => this.key(event));
    list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const place = [...list.children].indexOf(event.target.closest("li"));
      if (place >= 0) this.take(place);
    });
  }

  /** What there is to choose from: [{name, title}]; `free`: whether a new name may be typed. */
  offer(entries, free) {
    this.entries = entries;
    this.free = free;
    this.hide();
  }

  set(name) {
    this.value = name;
    this.input.value = name === null ? "" : this.entries.find((e) => e.name === name)?.title ?? name;
  }

  show() {
    const typed = this.value === null ? this.input.value.trim() : "";
    const words = typed.toLowerCase().split(/[\s_]+/).filter(Boolean);
    this.found = this.entries.filter((entry) => matches(entry, words)).slice(0, SHOWN);
    const known = this.found.some((e) => e.title.toLowerCase() === typed.toLowerCase() || e.name === typed);
    if (this.free && typed && !known) this.found.push({ name: typed, title: `new: ${typed}`, fresh: true });
    this.list.replaceChildren(...this.found.map((entry, place) => el("li", {
      id: `${this.list.id}-${place}`, role: "option", className: entry.fresh ? "new" : "", "aria-selected": "false",
    }, entry.title)));
    this.list.hidden = !this.found.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.mark(typed && this.found.length ? 0 : -1);
  }

  hide() {
    this.list.hidden = true;
    this.mark(-1);
    this.input.setAttribute("aria-expanded", "false");
  }

  mark(place) {
    this.at = place;
    [...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === place)));
    if (place < 0) this.input.removeAttribute("aria-activedescendant");
    else {
      this.input.setAttribute("aria-activedescendant", `${this.list.id}-${place}`);
      this.list.children[place].scrollIntoView({ block: "nearest" });
    }
    this.changed();
  }

  take(place) {
    this.set(this.found[place].name);
    this.hide();
    this.taken(this.value);
  }

  /** What is typed and is a name counts when the box is left; anything else stays visible and counts as nothing. */
  leave() {
    const typed = this.input.value.trim();
    if (this.value === null && typed) {
      const exact = this.entries.find((e) => e.name === typed || e.title.toLowerCase() === typed.toLowerCase());
      if (exact || this.free) this.set(exact?.name ?? typed);
    }
    this.hide();
    if (this.value !== null) this.taken(this.value);
  }

  key(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return this.show();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const size = this.found.length;
      this.mark(this.at < 0 && step < 0 ? size - 1 : (this.at + step + size) % size);
    } else if (event.key === "Enter" && open && this.at >= 0) {
      event.preventDefault();
      event.stopPropagation();
      this.take(this.at);
      this.input.blur();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.hide();
      this.input.blur();
    }
    return undefined;
  }
}
