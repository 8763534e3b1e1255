// The process tree: who started whom, in each trace. Branches are opened when they are asked for.

class ProcessTree {
  /** @param {Recording} report @param {Filter} filter @param {(process: number) => void} choose */
  constructor(report, filter, choose) {
    this.report = report;
    this.filter = filter;
    this.choose = choose;
    /** -1: the traces' own nodes are below zero @type {Map<number, number[]>} */
    this.children = new Map();
    const many = report.header.traces.length > 1;
    for (let process = 0; process < report.processes; ++process) {
      const parent = report.processParent[process];
      const above = parent >= 0 ? parent : many ? -2 - report.processTrace[process] : -1;
      const list = this.children.get(above);
      if (list) list.push(process);
      else this.children.set(above, [process]);
    }
    if (many) this.children.set(-1, report.header.traces.map((_, trace) => -2 - trace));
    /** @type {Set<number>} */
    this.open = new Set();
    /** @type {{node: number, level: number}[]} */
    this.lines = [];
    this.events = new Uint32Array(report.processes);
    this.alerts = new Uint32Array(report.processes);
    this.below = new Uint32Array(report.processes);       // events, with those of what it started
    this.alertsBelow = new Uint32Array(report.processes);
    this.ofTrace = report.header.traces.map(() => ({ below: 0, alerts: 0 }));
    this.list = new VirtualList(byId("tree"), {
      height: 26,
      size: () => this.lines.length,
      render: (index) => this.render(index),
      choose: (index) => this.pick(index),
      key: (event, index) => this.onKey(event, index),
    });
    byId("tree").addEventListener("click", (event) => {
      const twisty = event.target instanceof Element && event.target.closest(".twisty");
      if (twisty) {
        event.stopPropagation();
        this.toggle(Number(twisty.closest("[data-index]")?.getAttribute("data-index")));
      }
    }, { capture: true });
    this.openAlerts();
    filter.listeners.push(() => this.update());
    this.update();
  }

  // What leads to the first alerts is open from the beginning.
  openAlerts() {
    const { report } = this;
    for (const alert of report.header.alerts.slice(0, 200)) {
      for (let process = report.processParent[report.process[alert.row]]; process >= 0; process = report.processParent[process]) this.open.add(process);
      this.open.add(-2 - alert.trace);
    }
    if (report.header.traces.length > 1 && report.header.alerts.length === 0) this.open.add(-2);
  }

  update() {
    const { report, filter } = this;
    for (const counts of [this.events, this.alerts, this.below, this.alertsBelow]) counts.fill(0);
    for (const of of this.ofTrace) of.below = of.alerts = 0;
    // The process filter itself leaves the tree as it is: one can go on from there.
    for (const row of filter.rows) ++this.events[report.process[row]];
    for (const number of filter.alerts) ++this.alerts[report.process[report.header.alerts[number].row]];
    this.below.set(this.events);
    this.alertsBelow.set(this.alerts);
    for (let process = report.processes - 1; process >= 0; --process) {
      const parent = report.processParent[process];
      const above = parent >= 0 ? parent : -1;
      if (above >= 0) {
        this.below[above] += this.below[process];
        this.alertsBelow[above] += this.alertsBelow[process];
      } else {
        const trace = this.ofTrace[report.processTrace[process]];
        trace.below += this.below[process];
        trace.alerts += this.alertsBelow[process];
      }
    }
    this.layOut(true);
  }

  /** @param {number} node */
  isShown(node) {
    if (node < -1) return this.ofTrace[-2 - node].below > 0 || !this.filter.isActive;
    return this.below[node] > 0 || node === this.filter.process || !this.filter.isActive;
  }
  /** @param {number} node */
  childrenOf(node) {
    return (this.children.get(node) ?? []).filter((child) => this.isShown(child));
  }

  layOut(keepPlace = true) {
    const chosen = this.lines[this.list.current]?.node;
    this.lines = [];
    const waiting = this.childrenOf(-1).reverse().map((node) => ({ node, level: 1 }));
    for (let line = waiting.pop(); line; line = waiting.pop()) {
      this.lines.push(line);
      if (!this.open.has(line.node)) continue;
      for (const child of this.childrenOf(line.node).reverse()) waiting.push({ node: child, level: line.level + 1 });
    }
    byId("processes-count").textContent = counted(this.events.reduce((sum, one) => sum + (one > 0 ? 1 : 0), 0), "process").replace("processs", "processes");
    this.list.current = chosen === undefined ? -1 : this.lines.findIndex((line) => line.node === chosen);
    this.list.refresh(keepPlace);
  }

  /** @param {number} index */
  render(index) {
    const { report } = this;
    const { node, level } = this.lines[index];
    const isTrace = node < -1;
    const hasChildren = this.childrenOf(node).length > 0;
    const isOpen = this.open.has(node);
    const alerts = isTrace ? this.ofTrace[-2 - node].alerts : this.alertsBelow[node];
    const own = isTrace ? 0 : this.alerts[node];
    const number = isTrace ? this.ofTrace[-2 - node].below : this.below[node];
    const name = isTrace ? baseName(report.header.traces[-2 - node].path) : report.nameOf(node);
    const item = make("div", {
      class: `line${isTrace ? " trace" : ""}${node === this.filter.process ? " filtered" : ""}`, role: "treeitem", "aria-level": level,
      "aria-expanded": hasChildren ? String(isOpen) : null,
    });
    const indent = make("span", { class: "indent", "aria-hidden": "true" });
    indent.style.width = `${Math.min(level - 1, 24) * 14}px`;
    item.append(
      indent,
      make("span", { class: `twisty${hasChildren ? (isOpen ? " open" : "") : " leaf"}`, "aria-hidden": "true" }),
      make("span", { class: "name", title: name }, name),
      isTrace || report.processPid[node] < 0 ? "" : make("span", { class: "pid" }, String(report.processPid[node])),
      alerts ? make("span", { class: own ? "alerts own" : "alerts" }, make("span", { class: "unseen" }, own ? "" : "below: "), count(alerts), make("span", { class: "unseen" }, alerts === 1 ? " alert, " : " alerts, ")) : "",
      make("span", { class: "number" }, count(number), make("span", { class: "unseen" }, number === 1 ? " event" : " events")),
    );
    return item;
  }

  /** @param {number} index */
  toggle(index) {
    const node = this.lines[index]?.node;
    if (node === undefined) return;
    if (!this.open.delete(node)) this.open.add(node);
    this.layOut();
  }
  /** @param {number} index */
  pick(index) {
    const node = this.lines[index].node;
    if (node >= 0) this.choose(node);
    else this.toggle(index);
  }
  /** Right opens or goes in, left closes or goes out. @param {KeyboardEvent} event @param {number} index */
  onKey(event, index) {
    const line = this.lines[index];
    if (!line) return false;
    const hasChildren = this.childrenOf(line.node).length > 0;
    const isOpen = this.open.has(line.node);
    if (event.key === "ArrowRight" && hasChildren) {
      if (!isOpen) this.toggle(index);
      else this.list.moveTo(index + 1, false);
    } else if (event.key === "ArrowLeft" && hasChildren && isOpen) this.toggle(index);
    else if (event.key === "ArrowLeft") {
      let above = index - 1;
      while (above >= 0 && this.lines[above].level >= line.level) --above;
      if (above >= 0) this.list.moveTo(above, false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.list.moveTo(index + (event.key === "ArrowDown" ? 1 : -1), false);
    else return event.key === "ArrowRight";
    return true;
  }
  /** Opens what leads to a process, and goes there. @param {number} process */
  reveal(process) {
    const { report } = this;
    for (let above = report.processParent[process]; above >= 0; above = report.processParent[above]) this.open.add(above);
    this.open.add(-2 - report.processTrace[process]);
    this.layOut();
    const index = this.lines.findIndex((line) => line.node === process);
    if (index >= 0) this.list.moveTo(index, false);
  }
}

/** @param {string} path */
function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}
