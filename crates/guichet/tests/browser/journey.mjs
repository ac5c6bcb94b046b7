// The walk: from a registration to a transfer that is booked, logged and read, by everyone it takes.
//
// Every promise here is one that somebody at a counter relies on. Pages are inspected the first time they are met.

import { security, securityOf } from "./factors.mjs";
import { check, plain, until, Visitor } from "./stage.mjs";
import { euros, WORDS } from "./words.mjs";

const PASSWORD = "velvet anchor tumbles south";
const NEXT_PASSWORD = "copper lantern under snowfall";
const REASON = "Pièce 42";

/** One walk in one language. */
export async function journey(browser, line, language) {
  const arrive = (settings) => Visitor.arrive(browser, line, language, settings);
  const person = (login) => line.people.find((it) => it.login === login);
  const agents = line.people.filter((it) => it.role === "agent");
  const cast = { words: WORDS[language], login: `zoe-${language}`, euros: (amount) => euros(language, amount), name: `Zoé Zephyr-${language}`, reference: (what) => `Zeta ${what} ${language}` };
  cast.member = await arrive();
  cast.agent = await arrive();
  await register(cast);
  await cast.agent.signIn(agents[0]);
  await activate(cast);
  await openAccount(cast);
  await deposit(cast);
  const alice = await arrive({ permissions: ["clipboard-read", "clipboard-write"] });
  await alice.signIn(person("alice"));
  const iban = await copyIban(alice, cast.words);
  await transfer(cast, iban);
  await received(alice, cast);
  await alice.leave();
  await faults(cast, iban);
  await turnedDown(cast);
  const other = await arrive();
  await other.signIn(agents[1]);
  await fourEyes(cast, other);
  await other.leave();
  await journal(cast);
  await otherPages(cast);
  await closedDoors(cast);
  await newPassword(cast);
  await linksOfMails(await arrive(), cast.words, true);
  await linksOfMails(await arrive({ javaScriptEnabled: false }), cast.words, false);
  await cast.member.leave();
  await cast.agent.leave();
  const superuser = await arrive();
  await superuser.signIn(line.people.find((it) => it.role === "superuser"));
  await hire(superuser, language);
  await superuser.leave();
  const bare = { javaScriptEnabled: false };
  await withoutScripts({ ...cast, member: await arrive(bare), agent: await arrive(bare) }, agents[0], iban);
  const guards = { ...cast, member: await arrive(), bare: await arrive(bare), agent: await arrive(), other: await arrive() };
  await guards.agent.signIn(agents[0]);
  await guards.other.signIn(agents[1]);
  await security(guards, { login: cast.login, password: NEXT_PASSWORD });
  await securityOf(guards.agent, ["/profile/security", "/resets"]);
  for (const visitor of [guards.member, guards.bare, guards.agent, guards.other]) await visitor.leave();
}

async function register({ member, words, login }) {
  await member.inspect("sign in");
  await member.page.locator("main a[href='/register']").click();
  await member.page.locator("main form[action='/register']").waitFor();
  await member.inspect("register");
  await member.submit();
  for (const field of ["first_name", "last_name", "email", "login", "password"]) await member.see(words.missing, `#${field}-error`);
  await member.inspect("register, with faults");
  await member.fill({
    first_name: "Zoé",
    last_name: `Zephyr-${login.slice(-2)}`,
    email: `${login}@example.org`,
    login,
    password: PASSWORD,
    again: PASSWORD,
  });
  await member.submit();
  await member.see(words.welcome, "h1");
  await member.inspect("welcome");
  await member.page.locator("main a.primary").click();
  await member.fill({ login, password: PASSWORD });
  await member.submit();
  await member.see(words.refused, "#errors");
  await member.inspect("sign in, refused");
}

async function activate({ agent, member, words, login }) {
  await agent.inspect("inbox");
  await agent.page.locator("nav a[href='/users']").click();
  await agent.page.locator("main form[role=search]").waitFor();
  await agent.inspect("members");
  await agent.page.locator("[name=state]").selectOption("pending");
  await agent.page.locator("main form[role=search] button").click();
  await agent.page.locator("tr").filter({ hasText: login }).locator("a").first().click();
  await agent.page.locator("form[action$='/activate']").waitFor();
  await agent.inspect("a member to activate");
  await agent.submit("form[action$='/activate']");
  await agent.see(words.activated, "[role=status]");
  await agent.inspect("a member activated");
  await member.signIn({ login, password: PASSWORD });
  await member.see(words.greeting, "h1");
  await member.inspect("first visit, no account");
}

/** The pages that mails lead to. This bank sends none, and says so where somebody wants one. */
async function linksOfMails(visitor, words, scripts) {
  const inspect = async (name) => scripts && (await visitor.inspect(name));
  await visitor.page.locator("main a[href='/sign-in/forgot']").click();
  await visitor.see(words.noMails);
  await inspect("a forgotten password");
  for (const path of ["/sign-in/new-password", "/sign-in/new-address"]) {
    await visitor.go(`${path}#code=not-a-code`);
    const field = visitor.page.locator("#token");
    if (scripts) {
      await until("the code is in the form", async () => (await field.inputValue()) === "not-a-code");
      check(!visitor.page.url().includes("not-a-code"), "the code stays in the address");
    } else await field.fill("not-a-code");
    check((await field.isVisible()) !== scripts, "the code is asked for where no script brings it");
    if (path.endsWith("password")) await visitor.fill({ new_password: NEXT_PASSWORD, again: NEXT_PASSWORD });
    await inspect(`behind a link, ${path}`);
    await visitor.submit();
    await visitor.see(words.linkEnded, "#errors");
    await inspect(`behind a link that ended, ${path}`);
  }
  await visitor.leave();
}

/** The agent approves the request that the member looks at, from the list. */
async function approveFromInbox({ agent, words }, id) {
  await agent.go("/inbox");
  const form = agent.page.locator(`form[action='/requests/${id}/approve']`);
  await until(`request ${id} in the inbox`, async () => {
    await agent.page.locator("main h1").waitFor();
    if (await form.count()) return true;
    const next = agent.page.locator("nav.pages a[rel=next]");
    await agent.go((await next.count()) ? await next.getAttribute("href") : "/inbox");
    return false;
  });
  await form.locator("button").click();
  await agent.see(words.done, "[role=status]");
}

/** The id of the request whose receipt the member sees. */
async function receipt({ member, words }) {
  await member.see(words.sent, "[role=status]");
  await member.see(words.pending, ".badge");
  return new URL(member.page.url()).pathname.split("/").pop();
}

/** What the member's account page shows: available, booked, held. */
async function figures(cast, expected) {
  await cast.member.go(cast.account);
  const shown = (await cast.member.page.locator(".figures dd").allInnerTexts()).map(plain);
  const wanted = expected.map(cast.euros);
  check(shown.join() === wanted.join(), `available, booked and held are ${shown}, not ${wanted}`);
}

async function openAccount(cast) {
  const { member, agent } = cast;
  await member.page.locator("main a[href='/accounts/new']").first().click();
  await member.page.locator("form[action='/accounts/new']").waitFor();
  await member.inspect("open an account");
  await member.fill({ label: "Zephyr", currency: "EUR" });
  await member.submit();
  const id = await receipt(cast);
  await member.inspect("receipt of an opening");
  await member.go("/accounts");
  await member.inspect("accounts, one waiting");
  await approveFromInbox(cast, id);
  await agent.inspect("inbox after a decision");
  await member.go("/accounts");
  await member.page.locator(".tiles h3 a").click();
  await member.page.locator("#history-title").waitFor();
  cast.account = new URL(member.page.url()).pathname;
  await member.inspect("an empty account");
  await member.page.locator(`a[href='${cast.account}/rib']`).click();
  await member.page.locator(".rib-parts").waitFor();
  await member.inspect("RIB");
  const iban = await member.text("#iban-value");
  check(/^FR\d\d( [0-9A-Z]{4}){5} [0-9A-Z]{3}$/.test(iban), `the IBAN is not in groups of four: ${iban}`);
  const [bank, branch, account, key] = (await member.page.locator(".rib-parts td").allInnerTexts()).map(plain);
  check(bank + branch + account + key === iban.replaceAll(" ", "").slice(4), `RIB and IBAN differ: ${iban}`);
  check(mod97(iban.replaceAll(" ", "")) === 1n, `wrong check digits: ${iban}`);
  check((89n * BigInt(bank) + 15n * BigInt(branch) + 3n * BigInt(account) + BigInt(key)) % 97n === 0n, `wrong RIB key: ${key}`);
}

function mod97(iban) {
  const digits = [...(iban.slice(4) + iban.slice(0, 4))].map((c) => parseInt(c, 36)).join("");
  return BigInt(digits) % 97n;
}

async function deposit(cast) {
  const { member, agent, words, euros, reference } = cast;
  await member.go("/deposit");
  await member.inspect("deposit");
  await member.fill({ amount: "100", reference: reference("100") });
  await member.submit();
  await member.see(euros("100.00"), ".big-amount");
  await member.inspect("deposit, check");
  await member.submit();
  const id = await receipt(cast);
  await figures(cast, ["0.00", "0.00", "0.00"]);
  await member.inspect("an account with a request");
  await agent.go(`/requests/${id}`);
  await agent.inspect("a request to decide");
  await agent.submit("form[action$='/approve']");
  await agent.see(words.approved, ".badge");
  await agent.inspect("a request decided");
  await figures(cast, ["100.00", "100.00", "0.00"]);
}

async function copyIban(alice, words) {
  await alice.go("/accounts");
  await alice.page.locator(".tiles h3 a").filter({ hasText: "Compte courant" }).click();
  await alice.page.locator("a[href$='/rib']").click();
  await alice.page.locator("[data-copy]").click();
  await alice.see(words.copied, "[data-copy]");
  return alice.page.evaluate(() => navigator.clipboard.readText());
}

async function transfer(cast, iban) {
  const { member, words, euros, reference } = cast;
  await member.page.locator("a[href^='/transfer?account=']").click();
  await member.page.locator("form[action='/transfer']").waitFor();
  await member.inspect("transfer");
  await member.fill({ to_iban: iban });
  await member.see(words.ibanGood, "#to_iban-live");
  await member.fill({ amount: "30,00", reference: reference("30") });
  await member.submit();
  await member.see(euros("30.00"), ".big-amount");
  await member.see(iban, ".facts");
  await member.inspect("transfer, check");
  await member.submit();
  const id = await receipt(cast);
  await member.inspect("receipt of a transfer");
  await figures(cast, ["70.00", "100.00", "30.00"]);
  await approveFromInbox(cast, id);
  await figures(cast, ["70.00", "70.00", "0.00"]);
  const row = plain(await member.page.locator("tr").filter({ hasText: reference("30") }).innerText());
  for (const part of [words.transferTo, euros("-30.00"), euros("70.00")]) check(row.includes(part), `the history says “${row}”, without “${part}”`);
  await member.inspect("an account with a history");
  await member.go(`/requests/${id}`);
  await member.see(words.approved, ".badge");
  await member.inspect("a request approved");
}

async function received(alice, { words, euros, name, reference }) {
  await alice.go("/accounts");
  await alice.see(reference("30"), "tr");
  const row = plain(await alice.page.locator("tr").filter({ hasText: reference("30") }).first().innerText());
  check(row.includes(`+${euros("30.00")}`) && row.includes(name), `alice reads “${row}”`);
  await until("alice is told of her transfer", async () => {
    await alice.go("/notifications");
    return alice.page.locator(".feed li").filter({ hasText: words.transferReceived }).filter({ hasText: reference("30") }).count();
  });
}

async function faults({ member, words, euros }, iban) {
  await member.go("/withdraw");
  await member.inspect("withdrawal");
  await member.fill({ amount: "500" });
  await member.submit();
  await member.see(words.beyond, "#amount-error");
  await member.inspect("withdrawal, beyond the means");
  const kept = await member.page.locator("[name=amount]:visible").inputValue();
  check(kept.startsWith("500"), `what was typed is lost: “${kept}”`);
  await member.go("/transfer");
  await member.fill({ to_iban: iban.replace(/\d$/, (d) => (Number(d) + 1) % 10), amount: "1,234" });
  await member.submit();
  await member.see(words.wrongIban, "#to_iban-error");
  await member.see(words.ambiguous, "#amount-error");
  await member.inspect("transfer, with faults");
  await member.go("/accounts");
  await member.see(euros("70.00"), ".figures");
}

async function turnedDown(cast) {
  const { member, agent, words, reference } = cast;
  await member.go("/withdraw");
  await member.fill({ amount: "10,50", reference: reference("10") });
  await member.submit();
  await member.page.locator("button[value=send]").waitFor();
  await member.submit();
  const id = await receipt(cast);
  await figures(cast, ["59.50", "70.00", "10.50"]);
  await agent.go(`/requests/${id}`);
  await agent.page.locator("form[action$='/reject'] button").click();
  await agent.page.locator("#reason-error").waitFor();
  await agent.inspect("a rejection without a reason");
  await agent.fill({ reason: REASON });
  await agent.page.locator("form[action$='/reject'] button").click();
  await agent.see(words.turnedDown, "[role=status]");
  await figures(cast, ["70.00", "70.00", "0.00"]);
  await member.go(`/requests/${id}`);
  await member.see(words.rejected, ".badge");
  await member.see(REASON, ".timeline");
  await member.inspect("a request rejected");
  await until("the member is told", async () => {
    await member.go("/accounts");
    return member.page.locator("nav a[href='/notifications'] .count").count();
  });
  await member.go("/notifications");
  await until("the reason is among the notifications", async () => {
    await member.go("/notifications");
    return member.page.locator(".feed li").filter({ hasText: REASON }).count();
  });
  await member.inspect("notifications");
  await member.page.locator("form[action='/notifications'] button").click();
  await until("everything is read", async () => !(await member.page.locator("nav a[href='/notifications'] .count, .feed .badge").count()));
}

async function fourEyes({ agent, words, login }, other) {
  await agent.go("/accounts/new");
  await agent.fill({ label: `Own ${login}`, currency: "EUR" });
  await agent.submit();
  await agent.see(words.own, ".note");
  check((await agent.page.locator("form[action$='/approve']").count()) === 0, "an agent may approve her own request");
  await agent.inspect("an agent's own request");
  const path = new URL(agent.page.url()).pathname;
  await agent.go("/inbox");
  await agent.see(words.notYours, `tr:has(a[href^='${path}'])`);
  await other.go(path);
  await other.submit("form[action$='/approve']");
  await other.see(words.approved, ".badge");
}

async function journal({ agent, words, login, reference }) {
  await agent.go("/logs");
  await agent.inspect("journal");
  await until("the approval is in the journal", async () => {
    await agent.go("/logs");
    await agent.page.locator("[name=action]").selectOption("TRANSFER_APPROVED");
    await agent.page.locator("form[role=search] button").click();
    await agent.page.waitForURL(/action=TRANSFER_APPROVED/);
    return agent.page.locator("tbody tr").filter({ hasText: reference("30") }).count();
  });
  const rows = agent.page.locator("tbody tr");
  check((await rows.count()) === (await rows.filter({ hasText: words.transferApproved }).count()), "the journal shows other actions than those asked for");
  await agent.inspect("journal, one action");
  await agent.page.locator("[name=action]").selectOption("");
  await agent.page.locator("[name=user]").fill(login);
  await agent.page.locator("form[role=search] button").click();
  await agent.page.waitForURL(/user=zoe/);
  await agent.see(login, "tbody tr");
  const others = await agent.page.locator("tbody tr").filter({ hasNotText: login }).count();
  check(others === 0, "the journal shows other people than the one asked for");
  await agent.page.locator("tbody td a[href^='/logs/']").first().click();
  await agent.page.locator("a[href$='/proof.json']").waitFor();
  await agent.inspect("an entry of the journal");
  await agent.page.locator("ul.links a[href*='user=']").first().click();
  await agent.page.locator("ol.story").waitFor();
  await agent.inspect("a person's day");
  for (const period of ["day", "week", "year"]) {
    await agent.go(`/dashboard?period=${period}`);
    await agent.page.locator("#events svg.columns-chart").waitFor();
    await agent.inspect(`dashboard, ${period}`);
  }
  await agent.page.locator("#actions summary").click();
  await agent.page.locator("#actions tbody a").first().click();
  await agent.page.waitForURL(/\/logs\?action=/);
  check((await agent.page.locator("tbody tr").count()) > 0, "a bar of the dashboard leads to no entries");
}

/** Pages that the walk has not met yet. */
async function otherPages({ member, agent, words, account }) {
  for (const [visitor, pages] of [
    [member, ["/requests", "/profile", `${account}/rename`, `${account}/renew`, `${account}/close`, "/accounts", "/status", "/status/checks/service.identity?period=week"]],
    [agent, ["/clients", "/requests", "/accounts", "/notifications", "/users?search=nobody-at-all"]],
  ]) {
    for (const page of pages) {
      await visitor.go(page);
      await visitor.inspect(page);
    }
  }
  await member.go("/status");
  await member.see(words.everythingWorks, "[role=status]");
  await agent.go(account);
  check((await agent.page.locator("a[href^='/transfer']").count()) === 0, "an agent is offered to move a member's money");
  await agent.inspect("a client's account");
}

async function closedDoors({ member, agent, words }) {
  await member.go("/no-such-page");
  await member.see(words.nowhere, "h1");
  await member.inspect("no such page");
  for (const page of ["/inbox", "/users", "/logs", "/dashboard", "/clients"]) {
    await member.go(page);
    await member.see(words.forbidden, "h1");
  }
  await member.inspect("not allowed");
  await agent.go("/accounts");
  const own = await agent.page.locator(".tiles h3 a").first().getAttribute("href");
  await member.go(own);
  await member.see(words.nowhere, "h1");
}

async function newPassword({ member, words, login }) {
  await member.go("/profile/password");
  await member.inspect("password");
  await member.fill({ old_password: "not this one at all", new_password: NEXT_PASSWORD, again: NEXT_PASSWORD });
  await member.submit();
  await member.page.locator("#old_password-error").waitFor();
  await member.fill({ old_password: PASSWORD, new_password: NEXT_PASSWORD, again: NEXT_PASSWORD });
  await member.submit();
  await member.see(words.passwordChanged, "[role=status]");
  await member.page.locator("header form.leave button").click();
  await member.see(words.signedOut, "[role=status]");
  await member.inspect("signed out");
  await member.go("/accounts");
  await member.page.locator("form[action='/sign-in']").waitFor();
  await member.fill({ login, password: PASSWORD });
  await member.submit();
  await member.see(words.refused, "#errors");
  await member.signIn({ login, password: NEXT_PASSWORD });
}

/** A check is tried, written down, changed, looked at and removed; work is announced and called off. */
async function watch(superuser, language) {
  const words = WORDS[language];
  const name = `nothing-${language}`;
  await superuser.go("/monitor/checks/new");
  await superuser.submit();
  await superuser.page.locator("#target-error").waitFor();
  await superuser.inspect("a check without a target");
  // Nobody listens there, and the page may say so: the address is this very machine's.
  await superuser.fill({ name, kind: "tcp", target: "127.0.0.1:1", every: "1h", timeout: "2s" });
  await superuser.page.locator("#private").check();
  await superuser.page.locator("button[value=try]").click();
  await superuser.see(words.tried, "[role=status]");
  await superuser.inspect("a check that was tried");
  await superuser.submit();
  await superuser.see(words.checkKept, "[role=status]");
  await superuser.see(name, "tbody tr");
  await superuser.go(`/monitor/checks/${name}`);
  await superuser.fill({ every: "2h" });
  await superuser.inspect("a check being changed");
  await superuser.submit();
  await superuser.see(words.checkKept, "[role=status]");
  await superuser.go("/monitor/maintenances");
  await superuser.fill({ title: `Disques ${language}`, from: "2099-01-01T02:00", to: "2099-01-01T04:00", checks: name });
  await superuser.submit();
  await superuser.see(words.announced, "[role=status]");
  await superuser.inspect("announced work");
  const work = superuser.page.locator("li").filter({ hasText: `Disques ${language}` });
  await superuser.page.locator(`button[aria-label$='Disques ${language}']`).first().click();
  await superuser.see(words.workEnded, "[role=status]");
  check((await work.count()) === 0, "work that was called off is still announced");
  await superuser.go(`/monitor/checks/${name}/remove`);
  await superuser.inspect("a check about to be removed");
  await superuser.page.locator("main button.danger").click();
  await superuser.see(words.checkRemoved, "[role=status]");
  check((await superuser.page.locator("tbody tr").filter({ hasText: name }).count()) === 0, "a check that was removed is still listed");
}

async function hire(superuser, language) {
  await superuser.inspect("superuser's first page");
  for (const page of ["/users", "/status", "/status/checks/service.bank", "/monitor", "/monitor/incidents", "/monitor/maintenances", "/logs", "/dashboard", "/resets", "/profile/security"]) {
    await superuser.go(page);
    await superuser.inspect(`superuser's ${page}`);
  }
  await watch(superuser, language);
  await superuser.go("/users/new");
  await superuser.inspect("new agent");
  await superuser.fill({ first_name: "Yann", last_name: "Ypsilon", email: `yann-${language}@example.org`, login: `yann-${language}`, password: PASSWORD });
  await superuser.submit();
  await superuser.see(`yann-${language}`, "main");
  await superuser.go(`/users?search=yann-${language}`);
  await superuser.see("Agent", "tbody tr");
}

/** The same with JavaScript off: a transfer asked for and approved. */
async function withoutScripts(cast, agent, iban) {
  const { member, words, euros, login, reference } = cast;
  await member.signIn({ login, password: NEXT_PASSWORD });
  await cast.agent.signIn(agent);
  await member.go("/transfer");
  await member.fill({ to_iban: iban, amount: "0,70", reference: reference("7") });
  await member.submit();
  await member.see(euros("0.70"), ".big-amount");
  await member.submit();
  const id = await receipt(cast);
  await approveFromInbox(cast, id);
  await figures(cast, ["69.30", "69.30", "0.00"]);
  await member.go(`/requests/${id}`);
  await member.see(words.approved, ".badge");
  await member.leave();
  await cast.agent.leave();
}
