// The stage: Chromium, which trusts one bank's own authority and no exception to it, and visitors with a window each.
//
// Promises: whatever a visitor's pages log, refuse or fail to load is reported; `inspect` looks at a page as a careful
// reviewer would. Knows nothing of what people do in the bank.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { leftovers } from "./words.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** Heaviest page, in bytes. */
const HEAVIEST = 100_000;
/** Longest wait for anything, in milliseconds: a debug build on a busy machine. */
const PATIENCE = 30_000;
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
const NARROWEST = { width: 320, height: 640 };

/** Throws unless it holds. */
export function check(holds, words) {
  if (!holds) throw new Error(words);
}

/** Looks again until it is so, with no pause but the page's own loading. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) if (await look()) return;
  throw new Error(`not in time: ${what}`);
}

/** Starts Chromium in a home of its own, where the bank's authority is the only one added. */
export async function start(line) {
  const home = mkdtempSync(join(tmpdir(), "guichet-browser-"));
  // Where Chromium looks for a user's own authorities; newer ones prefer the second place.
  for (const place of [".pki/nssdb", ".local/share/pki/nssdb"]) {
    const nss = join(home, place);
    mkdirSync(nss, { recursive: true, mode: 0o700 });
    const certutil = (...args) => execFileSync("certutil", ["-d", `sql:${nss}`, ...args], { stdio: "pipe" });
    certutil("-N", "--empty-password");
    certutil("-A", "-n", "bank", "-t", "C,,", "-i", line.ca);
  }
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, ".config"), XDG_CACHE_HOME: join(home, ".cache") };
  delete env.XDG_DATA_HOME;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? BROWSERS.find(existsSync),
    args: [
      "--no-sandbox", // root has no other way, and the pages are our own
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
    env,
  });
  const end = async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true });
  };
  return { browser, end };
}

/** Somebody with a browser window. */
export class Visitor {
  #browser;
  #problems = [];
  #weights = [];

  constructor(browser, line, language) {
    this.#browser = browser;
    this.line = line;
    this.language = language;
  }

  /** A window of their own, with the page's language chosen by the page's own switch. */
  static async arrive(browser, line, language, settings = {}) {
    const visitor = new Visitor(browser, line, language);
    await visitor.#open(settings);
    return visitor;
  }

  async #open(settings) {
    this.context = await this.#browser.newContext({ viewport: DESKTOP, colorScheme: "light", reducedMotion: "reduce", ...settings });
    this.context.setDefaultTimeout(PATIENCE);
    this.page = await this.context.newPage();
    this.page.on("console", (message) => this.#console(message));
    this.page.on("pageerror", (error) => this.#problems.push(`script error: ${error.message}`));
    this.page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      if (!why.includes("ERR_ABORTED")) this.#problems.push(`${request.url()} failed: ${why}`);
    });
    this.page.on("response", (response) => {
      if (response.request().resourceType() === "document" && (response.status() < 300 || response.status() >= 400)) this.#weigh(response);
    });
    await this.go("/sign-in");
    await this.speak(this.language);
  }

  #console(message) {
    if (message.type() !== "error" && message.type() !== "warning") return;
    // A page that answers 401, 404 or 422 is logged as an error of its own address; what it says is checked elsewhere.
    const ofPage = message.text().startsWith("Failed to load resource") && !message.location().url.includes("/assets/");
    if (!ofPage) this.#problems.push(`console: ${message.text()}`);
  }

  #weigh(response) {
    if (response.status() >= 500) this.#problems.push(`${response.url()} answered ${response.status()}`);
    // A page left at once has no body to weigh any more.
    const weight = response.body().then((body) => body.length, () => 0);
    this.#weights.push(weight.then((bytes) => {
      if (bytes > HEAVIEST) this.#problems.push(`${response.url()} weighs ${bytes} bytes`);
    }));
  }

  async go(path) {
    await this.page.goto(new URL(path, this.line.url).href);
  }

  /** Chooses a language by the page's own switch. */
  async speak(language) {
    this.language = language;
    await this.page.locator(`header button[name=language][value=${language}]`).click();
    await this.page.locator(`html[lang=${language}]`).waitFor();
  }

  async fill(fields) {
    for (const [name, value] of Object.entries(fields)) {
      const field = this.page.locator(`main form[method=post] [name=${name}]:visible`);
      if ((await field.evaluate((e) => e.tagName)) === "SELECT") await field.selectOption(value);
      else await field.fill(value);
    }
  }

  /** Presses the page's main button. */
  async submit(scope = "main form[method=post]") {
    await this.page.locator(`${scope} button.primary:visible`).first().click();
  }

  async signIn(person) {
    await this.go("/sign-in");
    await this.fill({ login: person.login, password: person.password });
    await this.submit();
    await this.page.locator("header form.leave").waitFor();
    if ((await this.page.locator("html").getAttribute("lang")) !== this.language) await this.speak(this.language);
  }

  /** Waits for words on the page. */
  async see(words, where = "main") {
    await this.page.locator(where).filter({ hasText: words }).first().waitFor();
  }

  /** The text of something, with plain spaces. */
  async text(selector) {
    return plain(await this.page.locator(selector).first().innerText());
  }

  /** Fails on whatever this visitor's pages did wrong so far. */
  async settle() {
    await Promise.all(this.#weights);
    check(this.#problems.length === 0, `at ${this.page.url()}:\n  ${this.#problems.join("\n  ")}`);
  }

  /** Looks at the page: language, leftovers of the other one, sideways scroll, accessibility in both themes. */
  async inspect(name) {
    await this.page.locator("main h1").first().waitFor();
    const at = `${name} (${this.language}, ${this.page.url()})`;
    const lang = await this.page.locator("html").getAttribute("lang");
    check(lang === this.language, `${at}: html lang is ${lang}`);
    const left = leftovers(this.language, await this.page.evaluate(chrome));
    check(left.length === 0, `${at}: untranslated: ${left.join(" | ")}`);
    for (const size of [NARROWEST, PHONE, DESKTOP]) {
      await this.page.setViewportSize(size);
      const wide = await this.page.evaluate(overflow);
      check(wide === null, `${at}: scrolls sideways at ${size.width} px: ${wide}`);
    }
    const faults = await this.#axe({ resultTypes: ["violations"] });
    await this.page.emulateMedia({ colorScheme: "dark" });
    faults.push(...(await this.#axe({ runOnly: ["color-contrast"] })));
    await this.page.emulateMedia({ colorScheme: "light" });
    check(faults.length === 0, `${at}: accessibility:\n  ${faults.join("\n  ")}`);
    await this.settle();
  }

  async #axe(options) {
    if (!(await this.page.evaluate(() => "axe" in globalThis))) await this.page.evaluate(AXE);
    return this.page.evaluate(async (options) => {
      const { violations } = await globalThis.axe.run(document, options);
      return violations
        .filter((v) => v.impact === "serious" || v.impact === "critical")
        .map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(" ")} (${n.any.map((a) => a.message).join("; ")})`).join(", ")}`);
    }, options);
  }

  async leave() {
    await this.settle();
    await this.context.close();
  }
}

/** Every space a plain one, the true minus a hyphen. */
export function plain(text) {
  return text.replace(/[\s\u00a0\u202f]+/g, " ").replace(/\u2212/g, "-").trim();
}

/** In the page: the texts that are the bank's own words, not what people wrote. */
function chrome() {
  const own = "title, h1, h2, th, dt, label, legend, button, a.button, caption, summary, nav a, .hint, .fault, .lead, .note, .badge, .timeline strong, td[data-label], option";
  const foreign = (e) => e.closest("[lang]") !== document.documentElement || e.closest("select[name=account], select[name=to_account]");
  const written = (e) => e.matches("td") || (e.matches("h1, title") && /\/accounts\/[0-9a-f-]{36}$/.test(location.pathname));
  return [...document.querySelectorAll(own)].filter((e) => !foreign(e)).map((e) => (written(e) ? (e.dataset.label ?? "") : e.textContent.trim()));
}

/** In the page: what sticks out on the right, or null. */
function overflow() {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return null;
  const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1);
  return `${root.scrollWidth} px: ${out.slice(-3).map((e) => `${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 40)}"`).join(", ")}`;
}
