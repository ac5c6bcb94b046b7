// The walk of one's security: an authenticator app, a lost one, a passkey, sessions, and proving once more who one is.

import { createHmac } from "node:crypto";

import { check, until } from "./stage.mjs";

/** Letters of base32, RFC 4648. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What an authenticator app shows (RFC 6238), so many steps of 30 s from now. */
export function codeOf(secret, steps = 0, now = Date.now()) {
  const bits = [...secret].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Signs in as far as the page that asks for a code. */
async function halfway(member, person) {
  await member.go("/sign-in");
  await member.fill(person);
  await member.submit();
  await member.page.locator("form[action='/sign-in/code']").waitFor();
}

async function enter(member, otp) {
  await member.fill({ otp });
  await member.submit("form[action='/sign-in/code']");
}

async function leaveBank(member, words) {
  await member.page.locator("header form.leave button").click();
  await member.see(words.signedOut, "[role=status]");
}

/** The recovery codes that the page shows this once. */
async function codesShown(member) {
  const codes = await member.page.locator("#codes code").allInnerTexts();
  check(codes.length === 10 && new Set(codes).size === 10, `recovery codes: ${codes.length}`);
  return codes;
}

/** Everything about one person's security. `bare` is a window without JavaScript. */
export async function security(cast, person) {
  const codes = await setUp(cast, person);
  await signInWithCodes(cast, person, codes);
  await lose(cast, person);
  await passkey(cast, person);
  await token(cast, person);
  await sessions(cast, person);
}

async function setUp({ member, words }, person) {
  await member.signIn(person);
  await member.go("/profile");
  await member.page.locator("main a[href='/profile/security']").click();
  await member.page.locator("form[action='/profile/totp/begin']").waitFor();
  await member.inspect("security, password alone");
  await member.page.locator("form[action='/profile/totp/begin'] button").click();
  await member.page.locator(".qr svg").waitFor();
  await member.inspect("setting up an app");
  const secret = (await member.text(".key")).replaceAll(" ", "");
  await member.fill({ code: "000000" });
  await member.submit();
  await member.see(words.notThatCode, "#code-error");
  await member.inspect("setting up an app, wrong code");
  check((await member.text(".key")).replaceAll(" ", "") === secret, "another key after a wrong code");
  // This step of time or, by the time it arrives, the one before: both are good, and the next one is kept for signing in.
  await member.fill({ code: codeOf(secret) });
  await member.submit();
  await member.page.locator("#codes").waitFor();
  await member.inspect("recovery codes");
  const codes = await codesShown(member);
  await member.page.locator("main a.primary").click();
  await member.see(words.factorOn, "[role=status]");
  await member.inspect("security, with an app");
  await leaveBank(member, words);
  return { secret, codes };
}

async function signInWithCodes({ member, bare, words }, person, { secret, codes }) {
  await halfway(member, person);
  await member.inspect("the code is asked for");
  check(!(await member.page.content()).includes(person.password), "the page holds the password");
  await enter(member, "000000");
  await member.see(words.wrongCode, "#otp-error");
  await member.inspect("a wrong code");
  await enter(member, codeOf(secret, 1));
  await member.page.locator("header form.leave").waitFor();
  await leaveBank(member, words);
  // The same with JavaScript off, and with a recovery code, which works once.
  await halfway(bare, person);
  await enter(bare, codes[0]);
  await bare.page.locator("header form.leave").waitFor();
  await halfway(member, person);
  await enter(member, codes[0]);
  await member.see(words.wrongCode, "#otp-error");
}

async function lose({ member, agent, other, words }, person) {
  await member.page.locator("a[href='/sign-in/lost']").click();
  await member.page.locator("form[action='/sign-in/lost']").waitFor();
  await member.inspect("a lost second factor");
  await member.submit("form[action='/sign-in/lost']");
  await member.see(words.bankKnows, "h1");
  await member.inspect("a lost second factor, told");
  await agent.go("/inbox");
  await agent.page.locator("main a[href='/resets']").click();
  const row = agent.page.locator("tr").filter({ hasText: person.login });
  await row.waitFor();
  await agent.inspect("lost second factors");
  await row.locator("a").click();
  await agent.page.locator("form[action$='/reject']").waitFor();
  await agent.inspect("a lost second factor, to be checked");
  const path = new URL(agent.page.url()).pathname;
  await agent.page.locator("main .facts a[href^='/users/']").click();
  const propose = "form[action$='/factor-reset']";
  await agent.page.locator(`details:has(${propose}) summary`).click();
  await agent.page.locator(`${propose} button`).click();
  await agent.see(words.missing, "#made_sure-error");
  await agent.inspect("a person, with a proposal without its reason");
  await agent.fill({ made_sure: "Carte vue" });
  await agent.page.locator(`${propose} button`).click();
  await agent.see(words.colleague, "[role=status]");
  await agent.inspect("a person, with a proposal");
  await agent.page.locator("form[action$='/unlock'] button").click();
  await agent.see(words.unlocked, "[role=status]");
  await agent.go("/resets");
  await agent.see(words.notYours, `tr:has-text("${person.login}")`);
  await agent.page.locator("tr").filter({ hasText: person.login }).locator("a").click();
  await agent.page.locator("main .note").waitFor();
  check((await agent.page.locator("form[action$='/approve']").count()) === 0, "an agent may approve what she proposed");
  await agent.inspect("a proposal of one's own");
  const own = new URL(agent.page.url()).pathname;
  check(own !== "/resets" && path.startsWith("/resets/"), `no page of the reset: ${own}`);
  await other.go(own);
  await other.inspect("a proposal to decide");
  await other.submit("form[action$='/approve']");
  await other.see(words.factorGone, "[role=status]");
  await other.inspect("lost second factors, none");
  await member.signIn(person);
  await member.go("/profile/security");
  await member.see(words.enrolAgain, ".note");
  await member.inspect("security, to be set up again");
}

async function passkey({ member, words }, person) {
  const devtools = await member.context.newCDPSession(member.page);
  await devtools.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  await member.page.locator("form[action='/profile/passkeys/new'] button").click();
  const form = "form[action='/profile/passkeys']";
  await member.page.locator(form).waitFor();
  await member.inspect("a new passkey");
  await member.submit(form);
  await member.see(words.missing, "#name-error");
  await member.inspect("a new passkey without a name");
  await member.fill({ name: "Zebra" });
  await member.submit(form);
  await member.page.locator("#codes").waitFor();
  await codesShown(member);
  await member.page.locator("main a.primary").click();
  await member.see("Zebra", ".feed");
  await member.inspect("security, with a passkey");
  await leaveBank(member, words);
  await member.page.locator("form[action='/sign-in/passkey'] button").click();
  await member.page.locator("header form.leave").waitFor();
  await leaveBank(member, words);
  await halfway(member, person);
  await member.page.locator("form[action='/sign-in/passkey'] button").click();
  await member.page.locator("header form.leave").waitFor();
  await member.go("/prove?next=/profile/security");
  await member.inspect("who is it");
  await member.fill({ password: "not this one at all" });
  await member.submit("form[action='/prove']");
  await member.page.locator("#errors").waitFor();
  await member.page.locator("form[action='/prove/passkey'] button").click();
  await member.see(words.proven, "[role=status]");
  await member.page.locator(".feed a").filter({ hasText: "Zebra" }).click();
  await member.page.locator("form[action$='/remove']").waitFor({ state: "attached" });
  await member.inspect("a passkey");
  await member.fill({ name: "Zebu" });
  await member.submit();
  await member.see("Zebu", ".feed");
  await member.page.locator(".feed a").filter({ hasText: "Zebu" }).click();
  await member.page.locator("details summary").click();
  await member.page.locator("form[action$='/remove'] button").click();
  await member.see(words.passkeyGone, "[role=status]");
}

/** A token signs a program's call, as far as it was made for, until it is revoked. */
async function token({ member, words }, { login }) {
  await member.go("/profile/security");
  await member.page.locator("main a[href='/profile/tokens']").click();
  await member.page.locator("form[action='/profile/tokens']").waitFor();
  await member.inspect("tokens, none");
  await member.submit("form[action='/profile/tokens']");
  await member.see(words.missing, "#name-error");
  await member.page.locator("#read-error").waitFor();
  await member.inspect("tokens, with faults");
  await member.fill({ name: "Zither" });
  await member.page.locator("#read").check();
  await member.submit("form[action='/profile/tokens']");
  const made = await member.text("#token");
  await member.inspect("a new token");
  const asks = (path) => member.page.evaluate(async ([path, token]) => {
    const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` }, credentials: "omit" });
    return [answer.status, await answer.text()];
  }, [path, made]);
  const [status, body] = await asks("/api/auth/whoami");
  check(status === 200 && JSON.parse(body).login === login, `the token answers ${status}: ${body}`);
  check((await asks("/api/auth/sessions"))[0] === 403, "the token does more than it was made for");
  await member.page.locator("main a.primary").click();
  await member.see("Zither", ".feed");
  await member.inspect("tokens, one");
  check(!(await member.page.content()).includes(made), "the token is shown again");
  await member.page.locator("form[action$='/revoke'] button").click();
  await member.see(words.tokenGone, "[role=status]");
  await until("the revoked token is refused", async () => (await asks("/api/auth/whoami"))[0] === 401);
}

async function sessions({ member, bare, words }, person) {
  await bare.signIn(person);
  await member.go("/profile/security");
  await until("the other session is listed", async () => {
    await member.go("/profile/security");
    return member.page.locator("form[action='/profile/sessions/end-others']").count();
  });
  await member.inspect("security, with two sessions");
  await member.page.locator("form[action='/profile/sessions/end-others'] button").click();
  await member.see(words.othersEnded, "[role=status]");
  await bare.go("/accounts");
  await bare.page.locator("form[action='/sign-in']").waitFor();
}

/** The pages of security as everyone who works here sees them. */
export async function securityOf(visitor, pages) {
  for (const page of pages) {
    await visitor.go(page);
    await visitor.inspect(page);
  }
}
