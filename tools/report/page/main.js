// Puts the page together.

/** Tabs: one panel at a time, arrows go from one to the next. @param {(panel: string) => void} onShow */
function makeTabs(onShow) {
  const tabs = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[role=tab]")]);
  /** @param {HTMLElement} tab */
  const show = (tab) => {
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
      byId(one.getAttribute("aria-controls") ?? "").hidden = one !== tab;
    }
    onShow(tab.getAttribute("aria-controls") ?? "");
  };
  tabs.forEach((tab, number) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: number + 1, ArrowLeft: number - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      show(next);
    });
  });
  return (/** @type {string} */ panel) => show(/** @type {HTMLElement} */ (tabs.find((tab) => tab.getAttribute("aria-controls") === panel)));
}

// Light or dark: the system's choice until another is made; remembered where a page from a file may remember.
function makeThemeSwitch() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const changed = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
    window.dispatchEvent(new Event("themechange"));
  };
  try {
    const kept = localStorage.getItem("kubesentry-report-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* not allowed here */ }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("kubesentry-report-theme", root.dataset.theme);
    } catch { /* not allowed here */ }
    changed();
  });
  system.addEventListener("change", changed);
  changed();
}

/** What is not whole, said before anything else. @param {Recording} report */
function showNotices(report) {
  const { header } = report;
  const notices = byId("notices");
  const say = (/** @type {string} */ text) => notices.append(make("p", {}, text));
  if (report.rows < header.total) {
    say(`This page holds ${count(report.rows)} of ${counted(header.total, "event")}: those of alerts and some around them, and of the others one in ${count(header.stride)}. Bars are estimates; counts of kinds, rules and traces are exact. --report-events sets how many it holds.`);
  }
  if (header.alerts_total > header.alerts.length) say(`The first ${count(header.alerts.length)} of ${counted(header.alerts_total, "alert")} are listed; the counts of rules hold all.`);
  const lost = header.traces.reduce((sum, trace) => sum + trace.lost, 0);
  if (lost) say(`${counted(lost, "record")} were lost when this was recorded: rules may have missed what was in them.`);
  const damaged = header.traces.filter((trace) => trace.damage || trace.cut).length;
  if (damaged) say(`${counted(damaged, "trace")} could not be read to the end.`);
  if (header.texts_left_out) say(`${counted(header.texts_left_out, "text")} were left out: there were too many different ones.`);
  notices.hidden = !notices.hasChildNodes();
}

/** @param {Recording} report @param {Filter} filter @param {Detail} detail */
function showFilters(report, filter, detail) {
  const search = /** @type {HTMLInputElement} */ (byId("search"));
  const rule = /** @type {HTMLSelectElement} */ (byId("rule"));
  const onlyAlerts = /** @type {HTMLInputElement} */ (byId("only-alerts"));
  report.header.rules.map((of, number) => ({ of, number })).filter(({ of }) => of.alerts > 0).sort((a, b) => b.of.alerts - a.of.alerts)
    .forEach(({ of, number }) => rule.append(make("option", { value: number }, `${of.id} (${count(of.alerts)})`)));
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => filter.set({ words: search.value.trim() }), 120);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  rule.addEventListener("change", () => filter.set({ rule: Number(rule.value) }));
  onlyAlerts.addEventListener("change", () => filter.set({ onlyAlerts: onlyAlerts.checked }));
  byId("clear").addEventListener("click", () => filter.clear());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
      event.preventDefault();
      search.focus();
    }
  });
  const update = () => {
    if (search.value.trim() !== filter.words) search.value = filter.words;
    rule.value = String(filter.rule);
    onlyAlerts.checked = filter.onlyAlerts;
    const chips = byId("chips");
    chips.replaceChildren();
    const chip = (/** @type {string} */ text, /** @type {() => void} */ away) =>
      chips.append(makeButton(text, () => { away(); search.focus(); }, { class: "chip", "aria-label": `Remove the filter: ${text}` }));
    if (filter.process >= 0) chip(`${report.nameOf(filter.process)} ${report.processPid[filter.process]} and below`, () => { filter.set({ process: -1 }); detail.showNothing(); });
    if (filter.span) chip(`${report.shortClock(report.fromAxis(filter.span[0]))} – ${report.shortClock(report.fromAxis(filter.span[1]))} (${duration(filter.span[1] - filter.span[0])})`, () => filter.set({ span: null }));
    const hidden = filter.hidden.reduce((sum, one) => sum + one, 0);
    if (hidden) chip(`${counted(hidden, "kind")} hidden`, () => { filter.hidden.fill(0); filter.change(); });
    byId("clear").hidden = !filter.isActive;
    const whole = !filter.isActive;
    byId("counts").textContent = `${count(filter.alerts.length)}${whole ? "" : ` of ${count(report.header.alerts.length)}`} alerts, ${count(filter.rows.length)}${whole ? "" : ` of ${count(report.rows)}`} events`;
    byId("alerts-count").textContent = count(filter.alerts.length);
    byId("events-count").textContent = count(filter.rows.length);
    byId("alerts-none").hidden = filter.alerts.length > 0;
    byId("events-none").hidden = filter.rows.length > 0;
    byId("alerts-none").textContent = report.header.alerts.length ? "No alert passes the filter." : "No rule fired. The tab “Rules” says what each looked at.";
  };
  filter.listeners.push(update);
  update();
}

/** Lists of a few hundred lines for paper, in the place of those that scroll. @param {Recording} report @param {Filter} filter */
function preparePrint(report, filter) {
  const most = 500;
  addEventListener("beforeprint", () => {
    const { rules, alerts } = report.header;
    byId("print").replaceChildren(
      makeTable(filter.alerts.length > most ? `Alerts: the first ${most} of ${count(filter.alerts.length)}` : `Alerts: ${count(filter.alerts.length)}`, ["Time (UTC)", "Severity", "Rule", "Process", "Alert"],
        filter.alerts.slice(0, most).map((number) => {
          const alert = alerts[number];
          const process = report.process[alert.row];
          return [report.clock(alert.time).slice(0, 23), rules[alert.rule].severity, rules[alert.rule].id, `${report.nameOf(process)} ${report.processPid[process]}`, report.text(alert.message)];
        })),
      makeTable("Rules", ["Rule", "Severity", "Alerts", "Events it looked at"], rules.slice(0, most).map((rule) => [rule.id, rule.severity, rule.alerts, rule.events])));
  });
  addEventListener("afterprint", () => byId("print").replaceChildren());
}

async function main() {
  makeThemeSwitch();
  const report = await loadReport();
  const { header } = report;
  const filter = new Filter(report);
  const fired = header.rules.filter((rule) => rule.alerts > 0).length;
  byId("facts").replaceChildren(...[
    [count(header.alerts_total), header.alerts_total === 1 ? "alert" : "alerts"], [`${count(fired)}/${count(header.rules.length)}`, "rules fired"],
    [count(header.total), "events"], [count(header.traces.length), header.traces.length === 1 ? "trace" : "traces"],
  ].map(([number, noun]) => make("li", {}, make("b", {}, number), ` ${noun}`)));
  const nodes = [...new Set(header.traces.map((trace) => trace.node).filter(Boolean))];
  const title = header.traces.length === 1 ? baseName(header.traces[0].path) : `${count(header.traces.length)} traces`;
  document.title = `${title}: ${counted(header.alerts_total, "alert")} – Kubesentry report`;
  byId("title").textContent = title;
  byId("made").textContent = `ksc ${header.version} · ${new Date(header.made * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC${nodes.length ? ` · ${nodes.slice(0, 4).join(", ")}${nodes.length > 4 ? "…" : ""}` : ""}`;
  byId("rules-count").textContent = `${count(fired)}/${count(header.rules.length)}`;
  byId("traces-count").textContent = count(header.traces.length);
  showNotices(report);

  const detail = new Detail(report, filter, { reveal: (process) => tree.reveal(process) });
  const timeline = new Timeline(report, filter);
  const tree = new ProcessTree(report, filter, (process) => detail.showProcess(process));
  const alerts = new AlertList(report, filter, (number) => detail.showAlert(number));
  const events = new EventList(report, filter, (row) => detail.showEvent(row));
  const rules = new RuleList(report, (number) => detail.showRule(number));
  showTraces(report, filter);
  showFilters(report, filter, detail);
  preparePrint(report, filter);
  const show = makeTabs((panel) => {
    /** @type {Record<string, VirtualList>} */
    const lists = { "panel-alerts": alerts.list, "panel-events": events.list, "panel-rules": rules.list };
    lists[panel]?.draw();
  });
  show(header.alerts.length ? "panel-alerts" : "panel-events");
  addEventListener("themechange", () => timeline.redraw());
  if (header.alerts.length) detail.showAlert(0);
  else detail.showNothing();
  document.body.dataset.state = "ready";
}

main().catch((error) => {
  const said = byId("notices");
  said.hidden = false;
  said.textContent = `This report cannot be shown: ${error instanceof Error ? error.message : String(error)}. It needs a browser of 2023 or newer.`;
  document.body.dataset.state = "failed";
});
