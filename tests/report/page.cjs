// The report in a browser: made by ksc of a made-up trace with hostile names, opened from a file, used by mouse and keyboard.
//   page.cjs KSC [--figures [--trace FILE.kst]]      --figures: of 100,000 made-up events or of a trace, and how long things take
// Exit status 77 if Chromium or the packages of tools/report are not there: tools/install gets them.
"use strict";
const { execFileSync, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const here = __dirname;
const packages = path.join(here, "..", "..", "tools", "report", "node_modules");
const [ksc, ...options] = process.argv.slice(2);
const figures = options.includes("--figures");
const givenTrace = options.includes("--trace") ? path.resolve(options[options.indexOf("--trace") + 1]) : undefined;

function skip(why) {
  console.log(`report: skipped: ${why}`);
  process.exit(77);
}
const browserPath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((one) => fs.existsSync(one));
if (!fs.existsSync(path.join(packages, "playwright-core"))) skip("tools/report/node_modules is missing; `npm ci` there makes it");
if (!browserPath) skip("chromium is not installed");
const { chromium } = require(path.join(packages, "playwright-core"));
const axe = fs.readFileSync(path.join(packages, "axe-core", "axe.min.js"), "utf8");

let passed = 0, failed = 0;
function check(what, is, said = "") {
  is ? ++passed : ++failed;
  if (!is) console.log(`FAILED: ${what} ${said}`);
}

function makeReport(folder, events, more = []) {
  const trace = givenTrace ?? path.join(folder, `t${events}.kst`), out = path.join(folder, `report${events}${more.length}.html`);
  if (!fs.existsSync(trace)) execFileSync("python3", [path.join(here, "trace.py"), String(events), trace]);
  const run = spawnSync(ksc, ["replay", path.join(here, "policy.ksp"), trace, "--strict", "--format", "json", "--report", out, ...more], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(run.stderr);
  return { out, alerts: run.stdout.trim().split("\n").map((line) => JSON.parse(line)), said: run.stderr };
}

async function open(browser, file, how = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...how });
  page.problems = [];
  page.on("console", (message) => page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("dialog", (dialog) => { page.problems.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (request.url() !== `file://${file}`) page.problems.push(`request ${request.url()}`); });
  await page.goto(`file://${file}`);
  await page.waitForSelector("body[data-state=ready]", { timeout: 60000 });
  return page;
}
const number = async (page, id) => Number((await page.textContent(id)).replaceAll(",", ""));
const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

async function use(browser, folder) {
  const { out, alerts } = makeReport(folder, 6000);
  check("only its owner reads it", (fs.statSync(out).mode & 0o777) === 0o600);
  const html = fs.readFileSync(out, "utf8");
  check("no hostile name is in the file as it is", !html.includes("onerror") && !html.includes("203.0.113"));
  check("it asks for nothing from elsewhere", !/(src|href)="?(https?:)?\/\//.test(html));
  const page = await open(browser, out);

  check("as many alerts as the replay raised", (await number(page, "#alerts-count")) === alerts.length, await page.textContent("#alerts-count"));
  const events = await number(page, "#events-count");
  check("every event but the losses", events >= 5990 && events < 6000, events);
  check("the loss is said", /lost/.test(await page.textContent("#notices")));
  check("no markup of a name became an element", (await page.evaluate(() => document.querySelectorAll("img, main b[onmouseover], main script").length)) === 0);

  // An alert: why it fired, and of which events.
  const sequence = alerts.findIndex((one) => one.rule === "read_and_sent");
  check("the sequence alerts", sequence >= 0);
  await page.selectOption("#rule", { label: (await page.locator("#rule option").allTextContents()).find((one) => one.includes("read_and_sent")) });
  check("only alerts of the rule", (await number(page, "#alerts-count")) === alerts.filter((one) => one.rule === "read_and_sent").length);
  await page.click("#alerts-0");
  const why = await page.textContent("#detail");
  check("why: both steps, conditions and values", /read.*file\.path in .*file\.path = "\/etc\/shadow".*sent.*dst\.port == 4444.*dst\.port = 4444/s.test(why), why.slice(0, 400));
  await page.click("#detail .step .link.event >> nth=0");
  check("an event in full", /match-only.*"\/etc\/shadow"/s.test(await page.textContent("#detail")));
  await page.click("#clear");
  check("clear takes all filters away", (await number(page, "#alerts-count")) === alerts.length);

  // Search, in all views; a field alone; hostile text is found and shown as text.
  await page.fill("#search", "onerror");
  await page.waitForFunction((all) => Number(document.querySelector("#events-count").textContent.replaceAll(",", "")) < all, events);
  const found = await number(page, "#events-count");
  check("hostile names are found", found > 0);
  await page.click("#tab-events");
  check("and shown as text", (await page.textContent("#events")).includes("onerror=alert(1)>"));
  check("the tree shows only those processes", (await page.textContent("#tree")).includes("onerror"));
  await page.fill("#search", "file.path=/etc/shadow");
  await page.waitForFunction((before) => Number(document.querySelector("#events-count").textContent.replaceAll(",", "")) !== before, found);
  check("field=value", (await number(page, "#events-count")) > 0 && (await number(page, "#events-count")) < 30, await number(page, "#events-count"));
  await page.click("#clear");

  // A first click far down: the list stays where it is.
  await page.evaluate(() => { document.activeElement?.blur(); document.querySelector("#events").scrollTop = 52_000; });
  await settled(page);
  await page.click("#events-2003");
  check("a line far down is chosen by a click", (await page.getAttribute("#events [aria-selected=true]", "id")) === "events-2003" && (await page.evaluate(() => document.querySelector("#events").scrollTop)) === 52_000);

  // Kinds, the time brush, zoom.
  await page.click("#legend .kind >> nth=0");
  check("a kind is hidden", (await number(page, "#events-count")) < events / 2);
  await page.click("#legend .kind >> nth=0");
  const box = await page.locator("#timeline").boundingBox();
  await page.mouse.move(box.x + 300, box.y + 80);
  await page.mouse.down();
  await page.mouse.move(box.x + 600, box.y + 80, { steps: 4 });
  await page.mouse.up();
  const brushed = await number(page, "#events-count");
  check("a brushed time filters", brushed > 0 && brushed < events * 0.6, brushed);
  check("and stands as a chip", (await page.locator("#chips .chip").count()) === 1);
  const before = await page.screenshot({ clip: box });
  await page.click("#zoom-selection");
  await settled(page);
  check("zoom changes the chart", !before.equals(await page.screenshot({ clip: box })));
  await page.mouse.wheel(0, -400);
  await page.click("#zoom-all");
  await page.click("#chips .chip");
  check("the chip takes the time away", (await number(page, "#events-count")) === events);

  // The tree by keyboard; a process and what it started is a filter.
  await page.focus("#tree");
  for (const key of ["Home", "ArrowLeft", "ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
  check("a process in full", /^process/.test(await page.textContent("#detail")));
  check("tree items have levels", (await page.getAttribute("#tree [aria-selected=true]", "aria-level")) === "2");
  await page.click("#detail .acts button");
  check("a process is a filter", (await number(page, "#events-count")) < events);
  await page.click("#clear");

  // Tabs and lists by keyboard alone.
  await page.focus("#tab-events");
  await page.keyboard.press("ArrowRight");
  check("arrows go from tab to tab", (await page.getAttribute("#tab-rules", "aria-selected")) === "true");
  await page.click("#rules-which >> text=Never fired");
  check("rules that never fired", (await page.textContent("#rules")).includes("Nothing does this") && !(await page.textContent("#rules")).includes("odd_port"));
  await page.click("#rules-which >> text=Unknown fields");
  check("rules with unknown fields", (await page.locator("#rules .line").count()) > 0);
  await page.focus("#tab-rules");
  await page.keyboard.press("Home");
  await page.focus("#alerts");
  await page.keyboard.press("End");
  check("End goes to the last", (await page.getAttribute("#alerts", "aria-activedescendant")) === `alerts-${alerts.length - 1}`);
  const order = [];
  await page.focus("#search");
  for (let i = 0; i < 60 && order.at(-1) !== "detail"; ++i) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement?.id ?? ""));
  }
  check("Tab reaches everything, in order", order.filter((id) => ["rule", "timeline", "tree", "tab-alerts", "alerts", "detail"].includes(id)).join() === "rule,timeline,tree,tab-alerts,alerts,detail", order.join());
  await page.focus("#timeline");
  for (const key of ["ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"]) await page.keyboard.press(key);
  check("a time is selected by keyboard, and said", /^Selected/.test(await page.textContent("#timeline-said")));
  await page.keyboard.press("Escape");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  check("paper has the alerts as a table", (await page.locator("#print tbody tr").count()) >= alerts.length);
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));

  // What is said must hold: axe's rules, in both colour schemes and in all tabs. The page's policy allows no foreign script: axe
  // comes in by the debugger.
  check("no problem and no request", page.problems.length === 0, page.problems.join("; "));
  await page.close();
  for (const colorScheme of ["light", "dark"]) {
    const themed = await open(browser, out, { colorScheme, reducedMotion: "reduce" });
    await themed.evaluate(axe);
    for (const tab of colorScheme === "light" ? ["alerts", "events", "rules", "traces"] : ["alerts"]) {
      await themed.click(`#tab-${tab}`);
      const { violations } = await themed.evaluate(() => globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }));
      check(`axe, ${colorScheme}, ${tab}`, violations.length === 0, violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.html.slice(0, 120)} (${node.failureSummary})`).slice(0, 3).join(" | ")}`).join("\n"));
    }
    await themed.click("#tab-alerts");
    const ground = () => themed.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const first = await ground();
    await themed.click("#theme");
    check("the switch changes the colours", first !== (await ground()));
    await themed.close();
  }

  // Beyond its bound: said, in the page and on stderr; alerts and their events are there.
  const few = makeReport(folder, 6000, ["--report-events", "500"]);
  check("the bound is said on stderr", /report: holds \d+ of \d+ events/.test(few.said), few.said);
  const small = await open(browser, few.out);
  check("and in the page", /This page holds/.test(await small.textContent("#notices")));
  check("no alert is lost by it", (await number(small, "#alerts-count")) === alerts.length);
  await small.click("#alerts-0");
  check("nor why it fired", (await small.locator("#detail .condition li").count()) > 0);
  await small.close();

  // A report that was damaged says so, and does not stay empty.
  const broken = path.join(folder, "broken.html");
  fs.writeFileSync(broken, html.replace(/(id="data">.{2000}).{8}/, "$1AAAAAAAA"));
  const page2 = await browser.newPage();
  await page2.goto(`file://${broken}`);
  await page2.waitForSelector("body[data-state=failed]");
  check("a damaged report says so", /cannot be shown/.test(await page2.textContent("#notices")));
  await page2.close();
}

// Frames while something goes on: how long they took, and what the page's thread did for one (CPU time, which others' work does
// not change).
async function frames(page, act) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => (await session.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value * 1000;
  await page.evaluate(() => {
    globalThis.frameTimes = [];
    let last = performance.now();
    const tick = (now) => { globalThis.frameTimes.push(now - last); last = now; globalThis.framesOn = requestAnimationFrame(tick); };
    globalThis.framesOn = requestAnimationFrame(tick);
  });
  const before = await busy();
  await act();
  const spent = (await busy()) - before;
  const times = await page.evaluate(() => { cancelAnimationFrame(globalThis.framesOn); return globalThis.frameTimes.slice(1); });
  await session.detach();
  const number = times.length;
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.min(Math.floor(number * part), number - 1)].toFixed(1);
  return `${number} frames, median ${at(0.5)} ms, 95 % ${at(0.95)} ms, worst ${at(1)} ms; CPU time of the page's thread ${(spent / number).toFixed(1)} ms a frame`;
}

async function measure(browser, folder) {
  const { out, alerts } = makeReport(folder, 100_000);
  console.log(`${alerts.length} alerts: ${(fs.statSync(out).size / 1e6).toFixed(2)} MB`);
  for (let run = 0; run < 3; ++run) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(`file://${out}`);
    await page.waitForSelector("body[data-state=ready]");
    const [paint, ready] = await page.evaluate(async () => {
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return [performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1, performance.now()];
    });
    console.log(`first contentful paint ${paint.toFixed(0)} ms, all views drawn by ${ready.toFixed(0)} ms`);
    if (run === 2) {
      await page.click("#tab-events");
      await page.hover("#events");
      console.log(`scroll:  ${await frames(page, async () => { for (let i = 0; i < 60; ++i) await page.mouse.wheel(0, 3000); })}`);
      await page.hover("#timeline");
      console.log(`zoom:    ${await frames(page, async () => { for (let i = 0; i < 60; ++i) await page.mouse.wheel(0, i < 30 ? -60 : 60); })}`);
      const search = await page.evaluate(async () => {
        const begin = performance.now();
        const input = document.querySelector("#search");
        input.value = "onerror";
        input.dispatchEvent(new Event("input"));
        await new Promise((done) => { const wait = () => (document.querySelector("#clear").hidden ? setTimeout(wait, 1) : done()); wait(); });
        return performance.now() - begin - 120;
      });
      console.log(`search:  ${search.toFixed(0)} ms behind the pause in typing`);
    }
    await page.close();
  }
}

(async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ksc-report-"));
  const browser = await chromium.launch({ executablePath: browserPath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
  try {
    if (figures) await measure(browser, folder);
    else await use(browser, folder);
  } finally {
    await browser.close();
    fs.rmSync(folder, { recursive: true });
  }
  if (!figures) console.log(`report: ${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
})().catch((error) => {
  console.log(`report: ${error.stack}`);
  process.exit(1);
});
