// The lists of alerts and of events.

class AlertList {
  /** @param {Recording} report @param {Filter} filter @param {(alert: number) => void} choose */
  constructor(report, filter, choose) {
    this.report = report;
    this.filter = filter;
    this.list = new VirtualList(byId("alerts"), {
      height: 48,
      size: () => filter.alerts.length,
      render: (index) => this.render(filter.alerts[index]),
      choose: (index) => choose(filter.alerts[index]),
    });
    filter.listeners.push(() => this.list.refresh());
    this.list.refresh();
  }

  /** @param {number} number */
  render(number) {
    const { report } = this;
    const alert = report.header.alerts[number];
    const rule = report.header.rules[alert.rule];
    const process = report.process[alert.row];
    return make("div", { class: "line alert", role: "option" },
      make("span", { class: "time" }, report.shortClock(alert.time)),
      severityMark(rule.severity),
      make("span", { class: "main" },
        make("span", { class: "message" }, report.text(alert.message)),
        make("span", { class: "sub" },
          make("b", {}, rule.id.slice(rule.id.lastIndexOf(".") + 1)),
          ` ${report.nameOf(process)} ${report.processPid[process] >= 0 ? report.processPid[process] : ""}`,
          alert.steps.length > 1 ? ` · ${alert.steps.length} steps` : "",
          alert.measure === null ? "" : ` · counted ${count(alert.measure)}`,
          alert.uncertain.length ? " · uncertain" : "")));
  }
}

class EventList {
  /** @param {Recording} report @param {Filter} filter @param {(row: number) => void} choose */
  constructor(report, filter, choose) {
    this.report = report;
    this.filter = filter;
    this.list = new VirtualList(byId("events"), {
      height: 26,
      size: () => filter.rows.length,
      render: (index) => this.render(filter.rows[index]),
      choose: (index) => choose(filter.rows[index]),
    });
    filter.listeners.push(() => this.list.refresh());
    this.list.refresh();
  }

  /** @param {number} row */
  render(row) {
    const { report } = this;
    const [kind] = report.header.kinds[report.kind[row]];
    const result = report.value(row, "result");
    const alerts = report.alertsOfRow.get(row);
    const process = report.process[row];
    return make("div", { class: `line event${alerts ? " alerted" : ""}`, role: "option" },
      make("span", { class: "time" }, report.shortClock(report.time[row])),
      make("span", { class: "kind" }, kind),
      make("span", { class: "process" }, report.nameOf(process), make("span", { class: "pid" }, ` ${report.processPid[process] >= 0 ? report.processPid[process] : ""}`)),
      make("span", { class: "what" }, report.summary(row)),
      result && result !== "ok" ? make("span", { class: "failed" }, report.value(row, "errno") || result) : "",
      alerts ? make("span", { class: "alerts own" }, count(alerts.length), make("span", { class: "unseen" }, alerts.length === 1 ? " alert" : " alerts")) : "");
  }
}
