// What the report holds: columns of numbers, one number for each event, text, list and process; and a JSON object.
// Written by tools/ksc/html_report.cpp.

/**
 * @typedef {{rule: number, trace: number, time: number, row: number, steps: [number, number, number][], message: number,
 *   matched: number[], uncertain: number[], key: number, measure: number | null, suppressed: number,
 *   why: [number, [number, number, number][]][]}} Alert
 * @typedef {{id: string, title: string, severity: string, attack: string[], source: string, alerts: number, events: number,
 *   suppressed: number, evicted: number, missed: boolean, kinds: string[], steps: [string, string][], fields: [number, number, number, number][]}} Rule
 * @typedef {{path: string, node: string, kernel: string, events: number, alerts: number, lost: number, cut: boolean,
 *   damage: string, first: number, last: number, missing: [string, string][], unmapped: [string, number][]}} Trace
 * @typedef {{columns: Record<string, [string, number, number]>, version: string, made: number, first_ns: string, total: number,
 *   stride: number, alerts_total: number, losses_total: number, texts_left_out: number, kinds: [string, number][],
 *   fields: [string, number][], traces: Trace[], rules: Rule[], losses: [number, number, number, number, string[]][],
 *   alerts: Alert[]}} Header
 */

/** Numbers of schema::Status. */
const statusOf = { ok: 1, absent: 2, cut: 3 };

class Recording {
  /** @param {ArrayBuffer} bytes */
  constructor(bytes) {
    const length = new DataView(bytes).getUint32(0, true);
    /** @type {Header} */
    this.header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    const begin = Math.ceil((4 + length) / 8) * 8;
    /** @param {string} name @returns {any} */
    const column = (name) => {
      const [type, offset, size] = this.header.columns[name];
      const Type = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f64: Float64Array }[type];
      if (!Type) throw new Error(`a column of ${type} is unknown`);
      return new Type(bytes, begin + offset, size);
    };
    /** ns since first_ns @type {Float64Array} */ this.time = column("time");
    /** its place in its trace, from 1; 0: not known @type {Uint32Array} */ this.number = column("number");
    /** @type {Uint16Array} */ this.trace = column("trace");
    /** @type {Uint8Array} */ this.kind = column("kind");
    /** near an alert, and so never sampled away @type {Uint8Array} */ this.pinned = column("pinned");
    /** @type {Uint32Array} */ this.process = column("process");
    /** list of the process's fields @type {Uint32Array} */ this.context = column("context");
    /** list of the event's own fields @type {Uint32Array} */ this.own = column("own");
    /** @type {Uint32Array} */ this.listBegin = column("list_begin");
    /** pairs: field | status << 16, text @type {Uint32Array} */ this.listItems = column("list_items");
    /** @type {Uint32Array} */ this.processTrace = column("process_trace");
    /** @type {Uint32Array} */ this.processName = column("process_name");
    /** @type {Int32Array} */ this.processPid = column("process_pid");
    /** always smaller than its child; -1: none @type {Int32Array} */ this.processParent = column("process_parent");
    /** @type {Uint8Array} */ this.textBytes = column("text_bytes");
    /** @type {Uint32Array} */ this.textBegin = column("text_begin");
    this.rows = this.time.length;
    this.processes = this.processPid.length;
    /** @type {(string | undefined)[]} */
    this.decoded = new Array(this.textBegin.length - 1);
    this.decoder = new TextDecoder();
    this.firstMs = Number(BigInt(this.header.first_ns) / 1000000n);
    this.firstNs = BigInt(this.header.first_ns);
    /** @type {Map<string, number>} */
    this.fieldNumbers = new Map(this.header.fields.map(([name], number) => [name, number]));
    /** rows → numbers of alerts @type {Map<number, number[]>} */
    this.alertsOfRow = new Map();
    this.header.alerts.forEach((alert, number) => {
      for (const row of this.rowsOf(alert)) {
        const of = this.alertsOfRow.get(row);
        if (of) of.push(number);
        else this.alertsOfRow.set(row, [number]);
      }
    });
    /** parts of time without pauses, and where each begins on the axis @type {{first: number, last: number, at: number}[]} */
    this.spans = [];
    /** of the axis */
    this.length = this.layOut();
    /** of each event */
    this.axis = this.time.map((time) => this.toAxis(time));
  }

  /** @param {Alert} alert */
  rowsOf(alert) {
    return [...new Set([alert.row, ...alert.steps.map((step) => step[1])])];
  }

  /** @param {number} number */
  text(number) {
    return (this.decoded[number] ??= this.decoder.decode(this.textBytes.subarray(this.textBegin[number], this.textBegin[number + 1])));
  }

  /** The value of a field of an event, or "". @param {number} row @param {string} field */
  value(row, field) {
    const wanted = this.fieldNumbers.get(field);
    for (const list of [this.own[row], this.context[row]]) {
      for (let at = this.listBegin[list]; at < this.listBegin[list + 1]; at += 2) {
        if ((this.listItems[at] & 0xffff) === wanted) return this.text(this.listItems[at + 1]);
      }
    }
    return "";
  }

  /** What an event is about, in a few words. @param {number} row */
  summary(row) {
    const kind = this.header.kinds[this.kind[row]][0];
    if (kind === "exec") return this.value(row, "process.args") || this.value(row, "process.exe") || this.value(row, "file.canonical");
    let of = "";
    for (const field of ["file.old_path", "file.path", "file.canonical", "dst", "src", "child.pid", "target.pid", "target.uid", "exit_code"]) {
      const value = this.value(row, field);
      if (!value || of.endsWith(value)) continue;
      const name = field.includes("path") || field === "file.canonical" ? "" : `${field} `;
      of += of ? ` → ${name}${value}` : `${name}${value}`;
      // The own side of a connection says little.
      if (field === "file.path" || (field === "dst" && kind !== "accept")) break;
    }
    return of || this.value(row, "syscall");
  }

  /** @param {number} process */
  nameOf(process) {
    return this.text(this.processName[process]) || "(name not known)";
  }

  /** "2026-11-23 17:12:03.000000001", UTC. @param {number} time */
  clock(time) {
    const ns = this.firstNs + BigInt(Math.round(time));
    const whole = new Date(Number(ns / 1000000n)).toISOString();
    return `${whole.slice(0, 10)} ${whole.slice(11, 19)}.${String(ns % 1000000000n).padStart(9, "0")}`;
  }
  /** "17:12:03.000". @param {number} time */
  shortClock(time) {
    return new Date(this.firstMs + time / 1e6).toISOString().slice(11, 23);
  }

  /** The timeline's axis, in ns: real time without the long pauses between traces. Gives its length. */
  layOut() {
    const spans = this.header.traces.filter((trace) => trace.events > 0).map((trace) => ({ first: trace.first, last: trace.last }));
    spans.sort((a, b) => a.first - b.first);
    for (const span of spans) {
      const before = this.spans.at(-1);
      if (before && span.first <= before.last) before.last = Math.max(before.last, span.last);
      else this.spans.push({ ...span, at: 0 });
    }
    const lengths = this.spans.reduce((sum, span) => sum + span.last - span.first, 0) || 1e6;
    const shortest = lengths / 100;
    let at = 0;
    this.spans.forEach((span, number) => {
      if (number > 0) at += Math.min(span.first - this.spans[number - 1].last, shortest);
      span.at = at;
      at += span.last - span.first;
    });
    return Math.max(at, 1);
  }
  /** @param {number} time */
  toAxis(time) {
    let low = 0, high = this.spans.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.spans[middle].first <= time) low = middle;
      else high = middle - 1;
    }
    const span = this.spans[low];
    return span ? span.at + Math.min(Math.max(time - span.first, 0), span.last - span.first) : 0;
  }
  /** @param {number} at */
  fromAxis(at) {
    let span = this.spans[0];
    for (const one of this.spans) {
      if (one.at <= at) span = one;
    }
    return span ? span.first + Math.min(at - span.at, span.last - span.first) : 0;
  }
  /** The first row at or behind a place of the axis. @param {number} at */
  rowAt(at) {
    let low = 0, high = this.rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.axis[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Reads what stands in the page. */
async function loadReport() {
  const base64 = byId("data").textContent ?? "";
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  byId("data").remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Recording(await new Response(stream).arrayBuffer());
}
