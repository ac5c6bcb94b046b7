// Pictures of every main page, for people to look at: both languages, both themes, desktop and phone width.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { DESKTOP, PHONE, Visitor } from "./stage.mjs";

const SIZES = { desktop: DESKTOP, phone: PHONE };

/** Fills the folder. */
export async function gallery(browser, line, folder) {
  const somebody = (role) => line.people.find((person) => person.role === role);
  const only = process.env.GUICHET_SCREENSHOTS_ONLY;
  mkdirSync(folder, { recursive: true });
  for (const language of ["fr", "en"]) {
    for (const [person, pages] of [[null, guest], [somebody("member"), member], [somebody("agent"), agent], [somebody("superuser"), superuser]]) {
      const visitor = await Visitor.arrive(browser, line, language);
      if (person) await visitor.signIn(person);
      await pages(visitor, async (name) => {
        if (only && !name.match(only)) return;
        for (const [width, size] of Object.entries(SIZES)) {
          await visitor.page.setViewportSize(size);
          for (const colorScheme of ["light", "dark"]) {
            await visitor.page.emulateMedia({ colorScheme });
            await visitor.page.screenshot({ path: join(folder, `${name}-${language}-${width}-${colorScheme}.png`), fullPage: true });
          }
        }
        await visitor.page.setViewportSize(DESKTOP);
        await visitor.page.emulateMedia({ colorScheme: "light" });
      });
      await visitor.leave();
    }
  }
}

async function each(visitor, picture, paths) {
  for (const [name, path] of Object.entries(paths)) {
    await visitor.go(path);
    await picture(name);
  }
}

async function guest(visitor, picture) {
  await each(visitor, picture, { "sign-in": "/sign-in", register: "/register", welcome: "/welcome", forgot: "/sign-in/forgot", "new-password": "/sign-in/new-password", "new-address": "/sign-in/new-address#code=abc", nowhere: "/nowhere" });
  await visitor.go("/register");
  await visitor.submit();
  await visitor.page.locator("#errors").waitFor();
  await picture("register-faults");
}

async function member(visitor, picture) {
  await each(visitor, picture, { accounts: "/accounts" });
  const account = await visitor.page.locator(".tiles h3 a").first().getAttribute("href");
  await each(visitor, picture, {
    account,
    rib: `${account}/rib`,
    "account-new": "/accounts/new",
    rename: `${account}/rename`,
    renew: `${account}/renew`,
    deposit: "/deposit",
    requests: "/requests",
    notifications: "/notifications",
    profile: "/profile",
    password: "/profile/password",
    security: "/profile/security",
    tokens: "/profile/tokens",
    prove: "/prove?next=/profile/security",
    transfer: "/transfer",
  });
  await visitor.fill({ to_iban: "FR76 1234", amount: "1,234" });
  await visitor.submit();
  await visitor.page.locator("#errors").waitFor();
  await picture("transfer-faults");
  await visitor.go("/requests");
  await visitor.go(await visitor.page.locator("td a[href^='/requests/']").first().getAttribute("href"));
  await picture("request");
  await visitor.go(`/deposit?account=${account.split("/").pop()}`);
  await visitor.fill({ amount: "1250", reference: "Prime" });
  await visitor.submit();
  await visitor.page.locator("button[value=send]").waitFor();
  await picture("check");
}

async function agent(visitor, picture) {
  await each(visitor, picture, { inbox: "/inbox" });
  const request = await visitor.page.locator("tr:has(button.primary) td a[href^='/requests/']").first().getAttribute("href");
  await each(visitor, picture, { decide: request, users: "/users", "users-pending": "/users?state=pending", resets: "/resets", clients: "/clients", logs: "/logs", dashboard: "/dashboard", "dashboard-year": "/dashboard?period=year", status: "/status", "own-accounts": "/accounts" });
  await visitor.go("/users?state=pending");
  const pending = visitor.page.locator("td a[href^='/users/']").first();
  if (await pending.count()) {
    await visitor.go(await pending.getAttribute("href"));
    await picture("user-pending");
  }
  await visitor.go("/clients");
  const client = visitor.page.locator("td a[href^='/accounts/']").first();
  await visitor.go(await client.getAttribute("href"));
  await picture("client-account");
}

async function superuser(visitor, picture) {
  await each(visitor, picture, { people: "/users", "user-new": "/users/new", "status-admin": "/status", check: "/status/checks/service.bank", checks: "/monitor", "check-new": "/monitor/checks/new", incidents: "/monitor/incidents", maintenances: "/monitor/maintenances" });
  await visitor.go("/monitor/checks/new");
  await visitor.submit();
  await visitor.page.locator("#errors").waitFor();
  await picture("check-faults");
}
