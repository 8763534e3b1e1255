// One thing in full: an alert, an event, a process or a rule.

/** What a process's page says of it. */
const lastSeen = ["process.exe", "process.args", "process.cwd", "process.uid", "process.euid", "process.tty", "container.id", "container.name", "pod.name", "pod.namespace"];

class Detail {
  /** @param {Recording} report @param {Filter} filter @param {{reveal: (process: number) => void}} links */
  constructor(report, filter, links) {
    this.report = report;
    this.filter = filter;
    this.links = links;
    this.box = byId("detail");
  }

  /** @param {...Node} content */
  fill(...content) {
    this.box.replaceChildren(...content);
    this.box.scrollTop = 0;
  }

  /** @param {[string, (Node | string | null)][]} facts */
  facts(facts) {
    const list = make("dl", {});
    for (const [name, value] of facts) {
      if (value !== null && value !== "") list.append(make("dt", {}, name), make("dd", {}, value));
    }
    return list;
  }

  /** The process and its ancestors, each a way to it. @param {number} process */
  ancestry(process) {
    const { report } = this;
    const list = make("ol", { class: "ancestry" });
    const chain = [];
    for (let one = process; one >= 0 && chain.length < 64; one = report.processParent[one]) chain.unshift(one);
    for (const one of chain) {
      const pid = report.processPid[one];
      list.append(make("li", {}, makeButton(`${report.nameOf(one)}${pid >= 0 ? ` ${pid}` : ""}`, () => this.showProcess(one, true), one === process ? { class: "link", "aria-current": "true" } : { class: "link" })));
    }
    return list;
  }

  /** @param {number} row */
  place(row) {
    const { report } = this;
    const { path } = report.header.traces[report.trace[row]];
    return report.number[row] ? `${path}#${report.number[row]}` : path;
  }

  /** @param {number} row @param {string} [before] */
  eventLink(row, before = "") {
    const { report } = this;
    const label = `${before}${report.header.kinds[report.kind[row]][0]} ${report.summary(row)}`;
    return makeButton(label.length > 160 ? `${label.slice(0, 160)}…` : label, () => this.showEvent(row), { class: "link event" });
  }

  /** Each part of a condition, and what it saw. @param {[number, number, number][]} parts */
  condition(parts) {
    const { report } = this;
    const words = ["true", "false", "unknown", "not evaluated"];
    const marks = ["✓", "✕", "?", "–"];
    const list = make("ul", { class: "condition" });
    for (const [is, part, values] of parts) {
      list.append(make("li", { class: words[is].replace(" ", "-") },
        make("span", { class: "mark", "aria-hidden": "true" }, marks[is]),
        make("span", { class: "unseen" }, `${words[is]}: `),
        make("code", {}, report.text(part)),
        make("code", { class: "values" }, report.text(values))));
    }
    return list;
  }

  /** @param {number} number */
  showAlert(number) {
    const { report, filter } = this;
    const alert = report.header.alerts[number];
    const rule = report.header.rules[alert.rule];
    const why = make("section", {}, make("h3", {}, "Why it fired"));
    alert.why.forEach(([name, parts], step) => {
      const row = alert.steps[step]?.[1] ?? alert.row;
      const events = alert.steps[step]?.[2] ?? 1;
      const named = report.text(name);
      why.append(make("div", { class: "step" },
        named ? make("span", { class: "step-name" }, named) : "",
        make("span", { class: "time" }, report.shortClock(report.time[row])),
        this.eventLink(row),
        events > 1 ? make("span", { class: "calm" }, `the last of ${counted(events, "event")}`) : ""));
      why.append(this.condition(parts));
    });
    const process = report.process[alert.row];
    this.fill(
      make("p", { class: "over" }, severityMark(rule.severity), " alert"),
      make("h2", {}, report.text(alert.message)),
      make("p", { class: "calm" }, `${report.clock(alert.time)} UTC`),
      make("div", { class: "acts" },
        makeButton("Only this rule", () => filter.set({ rule: alert.rule })),
        makeButton("Only this process", () => filter.set({ process })),
        makeButton("Around this time", () => this.around(report.axis[alert.row]))),
      why,
      make("section", {}, make("h3", {}, "Process"), this.ancestry(process)),
      make("section", {}, make("h3", {}, "Rule"), this.facts([
        ["Rule", makeButton(rule.id, () => this.showRule(alert.rule), { class: "link" })], ["Title", rule.title], ["Source", rule.source], ["ATT&CK", rule.attack.join(", ")],
        ["Matched", alert.matched.map((text) => report.text(text)).join(", ")],
        ["Not certain", alert.uncertain.map((field) => report.header.fields[field][0]).join(", ")],
        ["Key", report.text(alert.key)], ["Counted", alert.measure === null ? null : count(alert.measure)],
        ["Held back", alert.suppressed ? `${counted(alert.suppressed, "alert")} of this key before, by its limit` : null],
        ["Ask further", make("code", {}, `ksc why ${rule.id} ${this.place(alert.row)} RULES`)],
      ])),
      make("section", {}, make("h3", {}, "What the process did around it"), this.neighbours(alert.row)));
  }

  /** @param {number} at */
  around(at) {
    const half = Math.min(1e9, this.report.length / 50);
    this.filter.set({ span: [Math.max(at - half, 0), Math.min(at + half, this.report.length)] });
  }

  /** Events of the same process, before and after. @param {number} row */
  neighbours(row) {
    const { report } = this;
    const rows = [row];
    const process = report.process[row];
    for (let one = row - 1, found = 0; one >= 0 && found < 5 && row - one < 5000; --one) {
      if (report.process[one] === process && ++found) rows.unshift(one);
    }
    for (let one = row + 1, found = 0; one < report.rows && found < 5 && one - row < 5000; ++one) {
      if (report.process[one] === process && ++found) rows.push(one);
    }
    const list = make("ol", { class: "neighbours" });
    for (const one of rows) {
      const ms = (report.time[one] - report.time[row]) / 1e6;
      const apart = one === row ? "this" : `${ms < 0 ? "−" : "+"}${duration(Math.abs(ms) * 1e6)}`;
      list.append(make("li", one === row ? { class: "this" } : {}, make("span", { class: "time" }, apart), this.eventLink(one)));
    }
    return list;
  }

  /** @param {number} row */
  showEvent(row) {
    const { report, filter } = this;
    const table = make("table", { class: "fields" }, make("caption", { class: "unseen" }, "Fields"), make("thead", { class: "unseen" }, make("tr", {}, make("th", { scope: "col" }, "Field"), make("th", { scope: "col" }, "Value"))));
    const body = make("tbody", {});
    for (const list of [report.own[row], report.context[row]]) {
      for (let at = report.listBegin[list]; at < report.listBegin[list + 1]; at += 2) {
        const [name, matchOnly] = report.header.fields[report.listItems[at] & 0xffff];
        const status = report.listItems[at] >>> 16;
        const text = report.text(report.listItems[at + 1]);
        const value = status === statusOf.ok || status === statusOf.cut ? make("code", {}, text) : make("span", { class: "calm" }, status === statusOf.absent ? "absent" : "unknown");
        body.append(make("tr", {},
          make("th", { scope: "row", title: matchOnly ? "match-only: alerts name it only if the rule discloses it" : null }, name, matchOnly ? make("span", { class: "match-only" }, " match-only") : ""),
          make("td", {}, value, status === statusOf.cut ? make("span", { class: "calm" }, " (cut)") : "")));
      }
    }
    table.append(body);
    const alerts = report.alertsOfRow.get(row) ?? [];
    const process = report.process[row];
    this.fill(
      make("p", { class: "over" }, "event"),
      make("h2", {}, `${report.header.kinds[report.kind[row]][0]} ${report.summary(row)}`),
      make("p", { class: "calm" }, `${report.clock(report.time[row])} UTC · `, make("code", {}, this.place(row))),
      make("div", { class: "acts" }, makeButton("Only this process", () => filter.set({ process })), makeButton("Around this time", () => this.around(report.axis[row]))),
      alerts.length ? make("section", {}, make("h3", {}, "Alerts"), make("ul", { class: "plain" }, ...alerts.slice(0, 50).map((number) => {
        const alert = report.header.alerts[number];
        return make("li", {}, severityMark(report.header.rules[alert.rule].severity), " ", makeButton(report.text(alert.message), () => this.showAlert(number), { class: "link" }));
      })), alerts.length > 50 ? make("p", { class: "calm" }, `and ${count(alerts.length - 50)} more`) : "") : make("span", {}),
      make("section", {}, make("h3", {}, "Process"), this.ancestry(process)),
      make("section", {}, make("h3", {}, "Fields"), table),
      make("section", {}, make("h3", {}, "What the process did around it"), this.neighbours(row)));
  }

  /** @param {number} process @param {boolean} [reveal] */
  showProcess(process, reveal = false) {
    const { report, filter } = this;
    if (reveal) this.links.reveal(process);
    let first = -1, last = -1, events = 0;
    for (let row = 0; row < report.rows; ++row) {
      if (report.process[row] !== process) continue;
      if (first < 0) first = row;
      last = row;
      ++events;
    }
    const alerts = report.header.alerts.filter((alert) => report.process[alert.row] === process);
    const value = (/** @type {string} */ field) => (last < 0 ? "" : report.value(last, field));
    this.fill(
      make("p", { class: "over" }, "process"),
      make("h2", {}, `${report.nameOf(process)}${report.processPid[process] >= 0 ? ` ${report.processPid[process]}` : ""}`),
      make("p", { class: "calm" }, events ? `${counted(events, "event")}, ${counted(alerts.length, "alert")}, seen for ${duration(report.time[last] - report.time[first])}` : "Known only as an ancestor: it has no event of its own here."),
      make("div", { class: "acts" }, filter.process === process ? makeButton("All processes", () => { filter.set({ process: -1 }); this.showProcess(process); }) : makeButton("Only this and what it started", () => { filter.set({ process }); this.showProcess(process); })),
      make("section", {}, make("h3", {}, "Ancestry"), this.ancestry(process)),
      events ? make("section", {}, make("h3", {}, "As last seen"), this.facts(lastSeen.filter(value).map((field) => [field, make("code", {}, value(field))]))) : make("span", {}),
      events ? make("section", {}, make("h3", {}, "First and last event"), make("ol", { class: "neighbours" }, ...[...new Set([first, last])].map((row) => make("li", {}, make("span", { class: "time" }, report.shortClock(report.time[row])), this.eventLink(row))))) : make("span", {}));
  }

  /** @param {number} number */
  showRule(number) {
    const { report, filter } = this;
    const rule = report.header.rules[number];
    const missing = new Map();
    for (const trace of report.header.traces) {
      for (const [id, field] of trace.missing) if (id === rule.id) missing.set(field, (missing.get(field) ?? 0) + 1);
    }
    this.fill(
      make("p", { class: "over" }, severityMark(rule.severity), " rule"),
      make("h2", {}, rule.title || rule.id),
      make("p", { class: "calm" }, rule.alerts ? counted(rule.alerts, "alert") : "Never fired", ` on ${counted(rule.events, "event")} of its kinds`),
      make("div", { class: "acts" }, rule.alerts ? makeButton("Only this rule", () => filter.set({ rule: number })) : make("span", {})),
      this.facts([["Rule", rule.id], ["Source", rule.source], ["ATT&CK", rule.attack.join(", ")], ["Kinds", rule.kinds.join(", ")],
        ["Held back", rule.suppressed ? `${counted(rule.suppressed, "alert")} by its limit` : null],
        ["Forgotten", rule.evicted ? `${counted(rule.evicted, "key")}, because too many were open` : null],
        ["Losses", rule.missed ? "It may have missed something: records that it asks for were lost, or a trace is damaged." : null]]),
      make("section", {}, make("h3", {}, "Condition"), ...rule.steps.map(([name, when]) => make("div", { class: "when" }, rule.steps.length > 1 ? make("span", { class: "step-name" }, name) : "", make("code", {}, when)))),
      make("section", {}, make("h3", {}, "Its fields"), rule.fields.length ? makeTable("In the events that it looked at", ["Field", "Events", "Unknown", "Cut"], rule.fields.map(([field, events, unknown, cut]) => [make("code", {}, report.header.fields[field][0]), events, unknown, cut])) : make("p", { class: "calm" }, "No event of its kinds was seen.")),
      missing.size ? make("section", {}, make("h3", {}, "Not recorded"), make("ul", {}, ...[...missing].map(([field, traces]) => make("li", {}, make("code", {}, field), ` in ${counted(traces, "trace")}`)))) : make("span", {}));
  }

  showNothing() {
    this.fill(make("p", { class: "over" }, "detail"), make("p", { class: "calm" }, "Choose an alert, an event, a process or a rule to see it in full."));
  }
}
