// Events over time: bars by kind, alerts above, losses below. Drag selects a time, the wheel zooms, Shift and drag moves.

class Timeline {
  static margin = { left: 44, right: 10, top: 22, bottom: 20 };
  /** Kinds with a colour of their own; the rest share one. */
  static colours = 7;

  /** @param {Recording} report @param {Filter} filter */
  constructor(report, filter) {
    this.report = report;
    this.filter = filter;
    this.box = byId("timeline");
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("chart"));
    this.said = byId("timeline-said");
    this.tip = byId("tip");
    /** what is in sight @type {[number, number]} */
    this.view = [0, report.length];
    this.cursor = 0;
    this.mark = -1;  // where the pointer is, in the axis; -1: nowhere
    const order = report.header.kinds.map((_, kind) => kind).sort((a, b) => report.header.kinds[b][1] - report.header.kinds[a][1]);
    /** by kind: which colour @type {number[]} */
    this.groupOf = [];
    order.forEach((kind, place) => { this.groupOf[kind] = Math.min(place, Timeline.colours); });
    this.makeLegend(order.filter((kind) => report.header.kinds[kind][1] > 0));
    this.isRoot = false;
    const root = byId("root");
    root.addEventListener("click", () => {
      this.isRoot = !this.isRoot;
      root.setAttribute("aria-pressed", String(this.isRoot));
      this.redraw();
    });
    root.setAttribute("aria-label", "Heights by square root");
    this.redraw = oncePerFrame(() => this.draw());
    filter.listeners.push(() => this.redraw());
    new ResizeObserver(this.redraw).observe(this.box);
    this.listen();
    byId("zoom-in").addEventListener("click", () => this.zoom(0.5, (this.view[0] + this.view[1]) / 2));
    byId("zoom-out").addEventListener("click", () => this.zoom(2, (this.view[0] + this.view[1]) / 2));
    byId("zoom-selection").addEventListener("click", () => this.show(...(filter.span ?? this.view)));
    byId("zoom-all").addEventListener("click", () => this.show(0, report.length));
    this.redraw();
  }

  /** @param {number[]} kinds */
  makeLegend(kinds) {
    const legend = byId("legend");
    const first = kinds.length > 12 ? 10 : kinds.length;
    /** @type {HTMLElement[]} */
    const rest = [];
    kinds.forEach((kind, place) => {
      const [name, number] = this.report.header.kinds[kind];
      const button = makeButton("", () => {
        this.filter.hidden[kind] ^= 1;
        this.filter.change();
      }, { class: "kind" });
      button.append(make("span", { class: `swatch k${this.groupOf[kind]}` }), name, make("span", { class: "number" }, count(number)));
      const update = () => button.setAttribute("aria-pressed", String(!this.filter.hidden[kind]));
      update();
      this.filter.listeners.push(update);
      legend.append(button);
      if (place >= first) rest.push(button);
    });
    if (rest.length === 0) return;
    const more = makeButton("", () => fold(!rest[0].hidden), { class: "more" });
    const fold = (/** @type {boolean} */ hide) => {
      for (const button of rest) button.hidden = hide;
      more.textContent = hide ? `${rest.length} more kinds` : "fewer kinds";
      more.setAttribute("aria-expanded", String(!hide));
    };
    legend.append(more);
    fold(true);
  }

  get inner() {
    const { left, right } = Timeline.margin;
    return Math.max(this.box.clientWidth - left - right, 10);
  }
  /** @param {number} at */
  toX(at) {
    return Timeline.margin.left + ((at - this.view[0]) / (this.view[1] - this.view[0])) * this.inner;
  }
  /** @param {number} x */
  toAxis(x) {
    const part = Math.min(Math.max((x - Timeline.margin.left) / this.inner, 0), 1);
    return this.view[0] + part * (this.view[1] - this.view[0]);
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    const least = Math.min(1000, this.report.length);  // a microsecond
    const length = Math.min(Math.max(to - from, least), this.report.length);
    const first = Math.min(Math.max(from, 0), this.report.length - length);
    this.view = [first, first + length];
    this.redraw();
  }
  /** @param {number} factor @param {number} around */
  zoom(factor, around) {
    const [from, to] = this.view;
    this.show(around - (around - from) * factor, around + (to - around) * factor);
  }
  /** @param {[number, number] | null} span */
  select(span) {
    this.filter.set({ span });
    this.said.textContent = span ? `Selected ${duration(span[1] - span[0])} from ${this.report.clock(this.report.fromAxis(span[0]))}` : "No time is selected";
  }

  listen() {
    const { box } = this;
    /** @type {{x: number, view: [number, number] | null} | null} */
    let drag = null;
    box.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      drag = { x: event.offsetX, view: event.shiftKey || event.button === 1 ? [...this.view] : null };
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      const x = event.clientX - box.getBoundingClientRect().left;
      this.mark = this.toAxis(x);
      if (drag?.view) {
        const shift = ((drag.x - x) / this.inner) * (drag.view[1] - drag.view[0]);
        this.show(drag.view[0] + shift, drag.view[1] + shift);
      } else if (drag && Math.abs(x - drag.x) > 3) {
        this.pending = /** @type {[number, number]} */ ([this.toAxis(Math.min(x, drag.x)), this.toAxis(Math.max(x, drag.x))]);
      }
      this.redraw();
    });
    box.addEventListener("pointerup", () => {
      if (drag && !drag.view) this.select(this.pending ?? null);
      drag = null;
      this.pending = undefined;
    });
    box.addEventListener("pointerleave", () => {
      this.mark = -1;
      this.redraw();
    });
    box.addEventListener("dblclick", () => this.show(...(this.filter.span ?? /** @type {[number, number]} */ ([0, this.report.length]))));
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [from, to] = this.view;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = (event.deltaX / this.inner) * (to - from);
        this.show(from + shift, to + shift);
      } else {
        this.zoom(Math.exp(event.deltaY * 0.002), this.toAxis(event.clientX - box.getBoundingClientRect().left));
      }
    }, { passive: false });
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("focus", this.redraw);
    box.addEventListener("blur", this.redraw);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const [from, to] = this.view;
    const step = (to - from) / 50;
    this.cursor = Math.min(Math.max(this.cursor, from), to);
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const before = this.cursor;
      this.cursor = Math.min(Math.max(before + (event.key === "ArrowLeft" ? -step : step), 0), this.report.length);
      if (this.cursor < from || this.cursor > to) this.show(from + this.cursor - before, to + this.cursor - before);
      if (event.shiftKey) {
        const other = this.filter.span ? (this.filter.span[0] === before ? this.filter.span[1] : this.filter.span[0]) : before;
        this.select([Math.min(other, this.cursor), Math.max(other, this.cursor)]);
      } else {
        this.said.textContent = `${this.report.clock(this.report.fromAxis(this.cursor))}: ${this.describe(this.cursor)}`;
      }
    } else if (event.key === "+" || event.key === "=") this.zoom(0.5, this.cursor);
    else if (event.key === "-") this.zoom(2, this.cursor);
    else if (event.key === "0") this.show(0, this.report.length);
    else if (event.key === "Enter") this.select([...this.view]);
    else if (event.key === "Escape") this.select(null);
    else return;
    event.preventDefault();
    this.redraw();
  }

  // Bars are three pixels wide.
  get bins() {
    return Math.max(Math.floor(this.inner / 3), 1);
  }
  /** What is around a place. @param {number} at */
  describe(at) {
    const width = (this.view[1] - this.view[0]) / this.bins;
    const begin = this.view[0] + Math.floor((at - this.view[0]) / width) * width;
    const { report, filter } = this;
    /** @type {Map<number, number>} */
    const kinds = new Map();
    let alerts = 0;
    for (let row = report.rowAt(begin); row < report.rows && report.axis[row] < begin + width; ++row) {
      if (!filter.anyTime[row]) continue;
      kinds.set(report.kind[row], (kinds.get(report.kind[row]) ?? 0) + 1);
      alerts += report.alertsOfRow.get(row)?.length ?? 0;
    }
    const parts = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([kind, number]) => `${report.header.kinds[kind][0]} ${number}`);
    return [alerts ? counted(alerts, "alert") : "", parts.join(", ") || "no events"].filter(Boolean).join(" · ");
  }

  draw() {
    const { report, filter, canvas, box } = this;
    const width = box.clientWidth, height = box.clientHeight;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const { left, top, bottom } = Timeline.margin;
    const floor = height - bottom, tall = floor - top;
    const [from, to] = this.view;

    // Count: a bin's colours after one another.
    const bins = this.bins, groups = Timeline.colours + 1;
    const counts = new Float64Array(bins * groups);
    const perBin = bins / (to - from);
    const last = report.rowAt(to);
    for (let row = report.rowAt(from); row < last || (row < report.rows && report.axis[row] === to); ++row) {
      if (!filter.anyTime[row]) continue;
      const bin = Math.min(Math.floor((report.axis[row] - from) * perBin), bins - 1);
      counts[bin * groups + this.groupOf[report.kind[row]]] += report.pinned[row] ? 1 : report.header.stride;
    }
    let most = 1;
    for (let bin = 0; bin < bins; ++bin) {
      let sum = 0;
      for (let group = 0; group < groups; ++group) sum += counts[bin * groups + group];
      most = Math.max(most, sum);
    }

    // Lines of the scale.
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const toHeight = (/** @type {number} */ value) => (this.isRoot ? Math.sqrt(value / most) : value / most) * tall;
    const step = niceStep(most / 3, 1);
    for (let value = 0; value <= most; value = this.isRoot && value > 0 && value < step ? value * 10 : value + step) {
      const y = Math.round(floor - toHeight(value)) + 0.5;
      context.strokeStyle = colour("--line");
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(left + this.inner, y);
      context.stroke();
      context.fillStyle = colour("--soft");
      context.fillText(value >= 1000 ? `${+(value / 1000).toFixed(1)}k` : String(value), left - 6, y);
    }

    const fills = Array.from({ length: groups }, (_, group) => colour(`--k${group}`));
    const wide = this.inner / bins;
    for (let bin = 0; bin < bins; ++bin) {
      let y = floor, sum = 0;
      for (let group = 0; group < groups; ++group) sum += counts[bin * groups + group];
      const full = toHeight(sum);
      for (let group = 0; group < groups; ++group) {
        const value = counts[bin * groups + group];
        if (!value) continue;
        const part = Math.max((value / sum) * full, 1);
        context.fillStyle = fills[group];
        context.fillRect(left + bin * wide, y - part, Math.max(wide - 0.75, 1), part);
        y -= part;
      }
    }
    this.drawBreaks(context, colour, floor);
    this.drawTimes(context, colour, floor);
    this.drawLosses(context, colour, floor);
    this.drawAlerts(context, colour, floor);
    this.drawSelection(context, colour, floor);
  }

  /** @param {CanvasRenderingContext2D} context @param {(name: string) => string} colour @param {number} floor */
  drawBreaks(context, colour, floor) {
    context.strokeStyle = colour("--soft");
    context.setLineDash([2, 3]);
    for (const span of this.report.spans.slice(1)) {
      const x = Math.round(this.toX(span.at)) - 0.5;
      if (x < Timeline.margin.left || x > Timeline.margin.left + this.inner) continue;
      context.beginPath();
      context.moveTo(x, 4);
      context.lineTo(x, floor + 4);
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** @param {CanvasRenderingContext2D} context @param {(name: string) => string} colour @param {number} floor */
  drawTimes(context, colour, floor) {
    context.fillStyle = colour("--soft");
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    const [from, to] = this.view;
    const ns = niceTime(((to - from) / this.inner) * 110);
    let free = -Infinity;
    this.report.spans.forEach((span, number) => {
      const start = Math.max(span.at, from), end = Math.min(span.at + span.last - span.first, to);
      if (start > end) return;
      const label = (/** @type {number} */ at, /** @type {string} */ text) => {
        const x = this.toX(at), wide = context.measureText(text).width;
        if (x < free || x + wide > Timeline.margin.left + this.inner + 8) return;
        context.fillText(text, x, floor + 15);
        free = x + wide + 12;
      };
      // The day where a span begins, then times.
      const day = this.report.clock(span.first).slice(0, 10);
      label(start, this.report.spans.length > 1 ? (number === 0 || to - from < span.last - span.first ? `${day} ${this.report.shortClock(this.report.fromAxis(start)).slice(0, 8)}` : day) : `${day} ${this.report.shortClock(this.report.fromAxis(start)).slice(0, 8)}`);
      const base = (this.report.firstMs % 86400000) * 1e6;
      const begin = span.first + (start - span.at);
      for (let time = Math.ceil((base + begin) / ns) * ns - base; time <= span.first + (end - span.at); time += ns) {
        const at = span.at + time - span.first;
        const x = Math.round(this.toX(at)) + 0.5;
        context.fillRect(x, floor, 1, 4);
        label(at, this.report.shortClock(time).slice(0, ns < 1e9 ? 12 : 8));
      }
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {(name: string) => string} colour @param {number} floor */
  drawLosses(context, colour, floor) {
    context.fillStyle = colour("--high");
    for (const [, time] of this.report.header.losses) {
      const x = this.toX(this.report.toAxis(time));
      if (x >= Timeline.margin.left && x <= Timeline.margin.left + this.inner) context.fillRect(x - 1, floor - 3, 3, 3);
    }
  }

  /** A mark for each alert; the most severe of a pixel is on top. @param {CanvasRenderingContext2D} context @param {(name: string) => string} colour @param {number} floor */
  drawAlerts(context, colour, floor) {
    const { report, filter } = this;
    /** @type {Map<number, number>} */
    const marks = new Map();
    for (const alert of report.header.alerts) {
      if (!filter.anyTime[alert.row] || (filter.rule >= 0 && alert.rule !== filter.rule)) continue;
      const x = Math.round(this.toX(report.axis[alert.row]));
      if (x < Timeline.margin.left || x > Timeline.margin.left + this.inner) continue;
      const rank = severities.indexOf(report.header.rules[alert.rule].severity);
      marks.set(x, Math.min(marks.get(x) ?? 9, rank));
    }
    for (const [x, rank] of [...marks].sort((a, b) => b[1] - a[1])) {
      context.fillStyle = colour(`--${severities[rank] ?? "info"}`);
      context.globalAlpha = 0.28;
      context.fillRect(x - 0.5, 16, 1, floor - 16);
      context.globalAlpha = 1;
      context.beginPath();
      context.moveTo(x - 4, 6);
      context.lineTo(x + 4, 6);
      context.lineTo(x, 14);
      context.fill();
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {(name: string) => string} colour @param {number} floor */
  drawSelection(context, colour, floor) {
    const span = this.pending ?? this.filter.span;
    const { left } = Timeline.margin;
    if (span) {
      const a = Math.max(this.toX(span[0]), left), b = Math.min(this.toX(span[1]), left + this.inner);
      if (b > a) {
        context.fillStyle = colour("--accent");
        context.globalAlpha = 0.13;
        context.fillRect(a, 2, b - a, floor - 2);
        context.globalAlpha = 1;
        context.fillRect(a - 1, 2, 2, floor - 2);
        context.fillRect(b - 1, 2, 2, floor - 2);
      }
    }
    const focused = document.activeElement === this.box;
    const at = this.mark >= 0 ? this.mark : focused ? this.cursor : -1;
    this.tip.hidden = at < 0;
    if (at < 0) return;
    const x = this.toX(at);
    context.fillStyle = colour("--ink");
    context.globalAlpha = 0.5;
    context.fillRect(x, 2, 1, floor - 2);
    context.globalAlpha = 1;
    const words = span && this.pending ? duration(span[1] - span[0]) : this.describe(at);
    this.tip.textContent = `${this.report.clock(this.report.fromAxis(at)).slice(0, 23)}  ${words}`;
    this.tip.style.left = `${Math.min(Math.max(x - 20, left), Math.max(left + this.inner - this.tip.offsetWidth, 0))}px`;
  }
}

/** 1, 2 or 5 times a power of ten, at least `least`. @param {number} about @param {number} least */
function niceStep(about, least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(about, least)));
  return Math.max(least, [1, 2, 5, 10].map((times) => times * power).find((step) => step >= about) ?? power);
}
/** A round length of time, in ns. @param {number} about */
function niceTime(about) {
  const round = [1e9, 2e9, 5e9, 1e10, 15e9, 3e10, 6e10, 12e10, 3e11, 6e11, 9e11, 18e11, 36e11, 72e11, 216e11, 432e11, 864e11];
  return about <= 1e9 ? niceStep(about, 1000) : round.find((ns) => ns >= about) ?? Math.ceil(about / 864e11) * 864e11;
}
