// What is looked for: one filter, and all views show what it leaves.

class Filter {
  /** @param {Recording} report */
  constructor(report) {
    this.report = report;
    this.words = "";
    this.rule = -1;
    this.process = -1;  // and what it started
    this.onlyAlerts = false;
    /** by kind @type {Uint8Array} */
    this.hidden = new Uint8Array(report.header.kinds.length);
    /** places of the axis, or null @type {[number, number] | null} */
    this.span = null;
    /** @type {((whatChanged: string) => void)[]} */
    this.listeners = [];
    /** all texts in small letters, once they are searched @type {string[] | null} */
    this.lower = null;
    /** rows that pass all but the time @type {Uint8Array} */
    this.anyTime = new Uint8Array(report.rows);
    /** @type {Uint32Array} */
    this.rows = new Uint32Array(0);
    /** @type {number[]} */
    this.alerts = [];
    this.apply();
  }

  get isActive() {
    return Boolean(this.words || this.rule >= 0 || this.process >= 0 || this.onlyAlerts || this.span || this.hidden.includes(1));
  }

  /** @param {Partial<Pick<Filter, "words" | "rule" | "process" | "onlyAlerts" | "span">>} to */
  set(to) {
    Object.assign(this, to);
    this.change();
  }
  clear() {
    this.hidden.fill(0);
    this.set({ words: "", rule: -1, process: -1, onlyAlerts: false, span: null });
  }
  change() {
    this.apply();
    for (const listener of this.listeners) listener("filter");
  }

  /** Per word: rows that have it in any of their texts, `field=word` in that field. @param {string} word */
  find(word) {
    const { report } = this;
    this.lower ??= Array.from(report.decoded, (_, number) => report.text(number).toLowerCase());
    const equals = word.indexOf("=");
    const field = equals > 0 ? report.fieldNumbers.get(word.slice(0, equals)) : undefined;
    const wanted = field === undefined ? word : word.slice(equals + 1);
    const texts = new Uint8Array(this.lower.length);
    this.lower.forEach((text, number) => { texts[number] = text.includes(wanted) ? 1 : 0; });
    const lists = new Uint8Array(report.listBegin.length - 1);
    for (let list = 0; list < lists.length; ++list) {
      for (let at = report.listBegin[list]; at < report.listBegin[list + 1] && !lists[list]; at += 2) {
        if (field === undefined || (report.listItems[at] & 0xffff) === field) lists[list] = texts[report.listItems[at + 1]];
      }
    }
    const kinds = report.header.kinds.map(([name]) => (field === undefined && name.includes(wanted) ? 1 : 0));
    const rows = new Uint8Array(report.rows);
    for (let row = 0; row < rows.length; ++row) {
      rows[row] = lists[report.own[row]] | lists[report.context[row]] | kinds[report.kind[row]];
    }
    if (field !== undefined) return rows;
    // What an alert says is of its events.
    for (const alert of report.header.alerts) {
      const rule = report.header.rules[alert.rule];
      if (texts[alert.message] || rule.id.toLowerCase().includes(wanted) || rule.title.toLowerCase().includes(wanted)) rows[alert.row] = 1;
    }
    return rows;
  }

  apply() {
    const { report } = this;
    const found = this.words.toLowerCase().split(/\s+/).filter(Boolean).map((word) => this.find(word));
    const inside = new Uint8Array(report.processes);
    if (this.process >= 0) {
      for (let process = this.process; process < inside.length; ++process) {
        const parent = report.processParent[process];
        inside[process] = process === this.process || (parent >= 0 && inside[parent]) ? 1 : 0;
      }
    }
    const ofRule = new Uint8Array(this.rule >= 0 || this.onlyAlerts ? report.rows : 0);
    if (ofRule.length) {
      for (const alert of report.header.alerts) {
        if (this.rule >= 0 && alert.rule !== this.rule) continue;
        for (const row of report.rowsOf(alert)) ofRule[row] = 1;
      }
    }
    const rows = [];
    const [from, to] = this.span ? [report.rowAt(this.span[0]), report.rowAt(this.span[1])] : [0, report.rows];
    for (let row = 0; row < report.rows; ++row) {
      let pass = this.hidden[report.kind[row]] ? 0 : 1;
      if (pass && this.process >= 0) pass = inside[report.process[row]];
      if (pass && ofRule.length) pass = ofRule[row];
      for (const one of found) pass &= one[row];
      this.anyTime[row] = pass;
      if (pass && row >= from && row < to) rows.push(row);
    }
    this.rows = Uint32Array.from(rows);
    this.alerts = [];
    report.header.alerts.forEach((alert, number) => {
      if (this.rule >= 0 && alert.rule !== this.rule) return;
      if (report.rowsOf(alert).some((row) => this.anyTime[row] && row >= from && row < to)) this.alerts.push(number);
    });
  }
}
