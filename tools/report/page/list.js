// A list of any length: only what is in sight is in the page. Arrows, Page Up and Down, Home and End move within it.

// Browsers bound how tall an element may be; beyond this a list scrolls by parts of it.
const tallest = 8_000_000;

class VirtualList {
  /**
   * @param {HTMLElement} box the scrolling element: role listbox or tree
   * @param {{height: number, size: () => number, render: (index: number) => HTMLElement, choose: (index: number) => void,
   *   key?: (event: KeyboardEvent, index: number) => boolean, roll?: string}} of
   */
  constructor(box, of) {
    this.box = box;
    this.of = of;
    this.current = -1;
    /** @type {Map<number, HTMLElement>} */
    this.shown = new Map();
    this.room = make("div", { class: "room", role: "presentation" });
    box.append(this.room);
    const draw = oncePerFrame(() => this.draw());
    box.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(box);
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("focus", () => {
      // By keyboard: a click chooses for itself, and the list must not move under it.
      if (this.current < 0 && this.of.size() > 0 && box.matches(":focus-visible")) this.moveTo(Math.ceil(this.offset / this.of.height), false);
    });
    box.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest("[data-index]") : null;
      if (item) this.moveTo(Number(item.getAttribute("data-index")), true);
    });
  }

  get whole() {
    return this.of.size() * this.of.height;
  }
  // How far the list is scrolled, in pixels of the whole list.
  get offset() {
    const room = Math.min(this.whole, tallest);
    if (room === this.whole) return this.box.scrollTop;
    return (this.box.scrollTop / Math.max(room - this.box.clientHeight, 1)) * (this.whole - this.box.clientHeight);
  }
  set offset(to) {
    const room = Math.min(this.whole, tallest);
    this.box.scrollTop = room === this.whole ? to : (to / (this.whole - this.box.clientHeight)) * (room - this.box.clientHeight);
  }

  // The content has changed: everything in sight is made anew.
  refresh(keepPlace = false) {
    for (const item of this.shown.values()) item.remove();
    this.shown.clear();
    if (this.current >= this.of.size()) this.current = -1;
    this.room.style.height = `${Math.min(this.whole, tallest)}px`;
    if (!keepPlace) this.box.scrollTop = 0;
    this.draw();
  }

  draw() {
    const { height } = this.of;
    const size = this.of.size();
    // All that is measured, before anything changes: else the browser lays the page out for each line.
    const offset = this.offset, scrolled = this.box.scrollTop, seen = this.box.clientHeight;
    const first = Math.max(Math.floor(offset / height) - 4, 0);
    const last = Math.min(Math.ceil((offset + seen) / height) + 4, size);
    const made = document.createDocumentFragment();
    for (const [index, item] of this.shown) {
      if (index >= first && index < last) continue;
      item.remove();
      this.shown.delete(index);
    }
    for (let index = first; index < last; ++index) {
      let item = this.shown.get(index);
      if (!item) {
        item = this.of.render(index);
        item.dataset.index = String(index);
        item.id = `${this.box.id}-${index}`;
        item.setAttribute("aria-setsize", String(size));
        item.setAttribute("aria-posinset", String(index + 1));
        this.shown.set(index, item);
        made.append(item);
      }
      item.style.transform = `translateY(${index * height - offset + scrolled}px)`;
      item.setAttribute("aria-selected", String(index === this.current));
    }
    this.room.append(made);
    if (this.shown.has(this.current)) this.box.setAttribute("aria-activedescendant", `${this.box.id}-${this.current}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index @param {boolean} choose */
  moveTo(index, choose) {
    const size = this.of.size();
    if (size === 0) return;
    this.current = Math.min(Math.max(index, 0), size - 1);
    const top = this.current * this.of.height;
    if (top < this.offset) this.offset = top;
    else if (top + this.of.height > this.offset + this.box.clientHeight) this.offset = top + this.of.height - this.box.clientHeight;
    this.draw();
    if (choose) this.of.choose(this.current);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(Math.floor(this.box.clientHeight / this.of.height) - 1, 1);
    /** @type {Record<string, number>} */
    const steps = {
      ArrowDown: this.current + 1, ArrowUp: this.current - 1, PageDown: this.current + page, PageUp: this.current - page,
      Home: 0, End: this.of.size() - 1,
    };
    if (this.of.key?.(event, this.current)) event.preventDefault();
    else if (event.key in steps) {
      event.preventDefault();
      this.moveTo(steps[event.key], true);
    } else if ((event.key === "Enter" || event.key === " ") && this.current >= 0) {
      event.preventDefault();
      this.of.choose(this.current);
    }
  }
}
