// What the rules said, and what they could not: per rule, per kind, per trace.

class RuleList {
  /** @param {Recording} report @param {(rule: number) => void} choose */
  constructor(report, choose) {
    this.report = report;
    this.which = "all";
    /** @type {number[]} */
    this.order = [];
    this.most = Math.max(1, ...report.header.rules.map((rule) => rule.alerts));
    this.list = new VirtualList(byId("rules"), {
      height: 40,
      size: () => this.order.length,
      render: (index) => this.render(this.order[index]),
      choose: (index) => choose(this.order[index]),
    });
    const silent = report.header.rules.filter((rule) => rule.alerts === 0).length;
    const doubtful = report.header.rules.filter((rule) => this.doubts(rule) > 0).length;
    const choices = byId("rules-which");
    for (const [which, label] of /** @type {[string, string][]} */ ([
      ["all", `All ${count(report.header.rules.length)}`], ["fired", `Fired ${count(report.header.rules.length - silent)}`],
      ["silent", `Never fired ${count(silent)}`], ["doubtful", `Unknown fields ${count(doubtful)}`],
    ])) {
      const button = makeButton(label, () => this.show(which), { "aria-pressed": "false", class: "choice" });
      button.dataset.which = which;
      choices.append(button);
    }
    this.show("all");
  }

  /** Fields that events did not say. @param {Rule} rule */
  doubts(rule) {
    return rule.fields.filter(([, , unknown, cut]) => unknown + cut > 0).length;
  }

  /** @param {string} which */
  show(which) {
    this.which = which;
    const { rules } = this.report.header;
    this.order = rules.map((_, number) => number).filter((number) => {
      const rule = rules[number];
      return which === "all" || (which === "fired" ? rule.alerts > 0 : which === "silent" ? rule.alerts === 0 : this.doubts(rule) > 0);
    });
    this.order.sort((a, b) => rules[b].alerts - rules[a].alerts || rules[b].events - rules[a].events || (rules[a].id < rules[b].id ? -1 : 1));
    for (const button of byId("rules-which").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.which === which));
    byId("rules-said").textContent = `${counted(this.order.length, "rule")} listed`;
    this.list.refresh();
  }

  /** @param {number} number */
  render(number) {
    const rule = this.report.header.rules[number];
    const doubts = this.doubts(rule);
    const fill = make("span", { class: "fill" });
    fill.style.width = `${(rule.alerts / this.most) * 100}%`;
    return make("div", { class: `line rule${rule.alerts ? "" : " silent"}`, role: "option" },
      severityMark(rule.severity),
      make("span", { class: "main" }, make("span", { class: "message" }, rule.title || rule.id),
        make("span", { class: "sub" }, rule.id, rule.events === 0 ? " · no event of its kinds" : ` · looked at ${counted(rule.events, "event")}`,
          doubts ? ` · ${counted(doubts, "field")} not always known` : "")),
      make("span", { class: "bar", "aria-hidden": "true" }, fill),
      make("span", { class: "number" }, count(rule.alerts), make("span", { class: "unseen" }, rule.alerts === 1 ? " alert" : " alerts")));
  }
}

/** A table with a caption; columns of numbers are set to the right. @param {string} caption @param {string[]} heads @param {(string | Node | number)[][]} lines */
function makeTable(caption, heads, lines) {
  const isNumber = heads.map((_, column) => lines.length > 0 && lines.every((line) => typeof line[column] === "number"));
  /** @param {string | Node | number} cell */
  const shown = (cell) => {
    if (typeof cell === "number") return make("td", { class: "number" }, count(cell));
    return make("td", typeof cell === "string" && cell.length < 24 ? { class: "whole" } : {}, cell);
  };
  return make("table", {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads.map((head, column) => make("th", { scope: "col", class: isNumber[column] ? "number" : null }, head)))),
    make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map(shown)))));
}

/** Traces, kinds and losses: short tables. @param {Recording} report @param {Filter} filter */
function showTraces(report, filter) {
  const { traces, kinds, losses, losses_total } = report.header;
  const box = byId("traces");
  const listed = traces.slice(0, 500);
  box.append(makeTable(listed.length < traces.length ? `Traces: the first ${count(listed.length)} of ${count(traces.length)}` : "Traces",
    ["Trace", "Events", "Alerts", "Lost", "Length", "From (UTC)", "Node"],
    listed.map((trace) => [
      trace.events ? makeButton(baseName(trace.path), () => filter.set({ span: [report.toAxis(trace.first), report.toAxis(trace.last) + 1] }),
        { class: "link", title: `Select the time of ${trace.path}` }) : baseName(trace.path),
      trace.events, trace.alerts, trace.lost,
      trace.events ? duration(trace.last - trace.first) : "", trace.events ? report.clock(trace.first).slice(0, 19) : "", trace.node,
    ])));
  const wrong = [];
  for (const trace of traces) {
    if (trace.damage) wrong.push([baseName(trace.path), trace.damage]);
    if (trace.unmapped.length) {
      const all = trace.unmapped.reduce((sum, [, number]) => sum + number, 0);
      const most = [...trace.unmapped].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([name, number]) => `${name} ${count(number)}`);
      wrong.push([baseName(trace.path), `${counted(all, "event")} of the recording have no counterpart here: ${most.join(", ")}${trace.unmapped.length > 6 ? ", …" : ""}`]);
    }
    if (trace.cut) wrong.push([baseName(trace.path), "The trace was cut: what follows its last whole block is gone."]);
    /** @type {Map<string, string[]>} */
    const missing = new Map();
    for (const [rule, field] of trace.missing) missing.set(field, [...(missing.get(field) ?? []), rule]);
    for (const [field, rules] of missing) wrong.push([baseName(trace.path), `Holds no ${field}, which is unknown to ${rules.slice(0, 5).join(", ")}${rules.length > 5 ? ` and ${rules.length - 5} more` : ""}.`]);
  }
  if (wrong.length) box.append(makeTable(wrong.length > 200 ? `What traces lack: the first 200 of ${count(wrong.length)}` : "What traces lack", ["Trace", "What"], wrong.slice(0, 200)));
  if (losses.length) {
    box.append(makeTable(`Losses: ${counted(losses_total, "gap")}${losses_total > 200 ? ", the first 200" : ""}`, ["When (UTC)", "Trace", "CPU", "Records", "Of kinds"],
      losses.slice(0, 200).map(([trace, time, records, cpu, of]) => [report.clock(time).slice(0, 23), baseName(traces[trace].path), cpu, records, of.join(", ") || "not known"])));
  } else box.append(make("p", { class: "calm" }, "No record was lost when these traces were recorded."));
  box.append(makeTable("Events by kind", ["Kind", "Events"], kinds.filter(([, number]) => number > 0).sort((a, b) => b[1] - a[1])));
}
