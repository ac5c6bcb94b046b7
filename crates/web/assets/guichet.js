// Comfort only: every page does its work without this file.
"use strict";

// Errors first: the summary is read out and the keyboard starts there.
document.querySelector("[data-focus]")?.focus();

// On a narrow screen the menu scrolls: the place one is at is in sight.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A form is sent once. Coming back by the back button makes it usable again.
for (const form of document.querySelectorAll('form[method="post"]:not([data-passkey])')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    // After the browser has read which button was pressed.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)), 0);
  });
}
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => (button.disabled = false));
  }
});

// A link of a mail brings its code behind the #, which browsers send nowhere; it does not stay in the history either.
for (const input of document.querySelectorAll("[data-link-code]")) {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) continue;
  input.value = code;
  input.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = words), 2000);
  });
}

// Passkeys: only a script can ask the browser for one. What it gives goes the way of every form.
const creates = (form) => form.dataset.passkey === "create";
async function passkey(form) {
  if (creates(form)) {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.passkeyOptions));
    const { response } = (await navigator.credentials.create({ publicKey })).toJSON();
    return { client_data: response.clientDataJSON, attestation: response.attestationObject };
  }
  const answer = await fetch("/sign-in/passkey/options", { method: "POST" });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json());
  const { id, response } = (await navigator.credentials.get({ publicKey })).toJSON();
  return { id, client_data: response.clientDataJSON, authenticator_data: response.authenticatorData, signature: response.signature };
}
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) break;
  form.hidden = false;
  for (const note of document.querySelectorAll("[data-without-passkeys]")) note.hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Without a name the bank says what is missing, before a passkey is made in vain.
    if (creates(form) && form.elements.name.value.trim() === "") return form.submit();
    const button = form.querySelector("button");
    const failed = form.querySelector("[data-passkey-failed]");
    button.disabled = true;
    failed.hidden = true;
    try {
      for (const [name, value] of Object.entries(await passkey(form))) form.elements[name].value = value;
      form.submit();
    } catch {
      failed.hidden = false;
      button.disabled = false;
    }
  });
}

// The journal as it goes on: rows come ready from the server. What came is told now and then, not at each row.
for (const live of document.querySelectorAll("[data-live]")) {
  if (!globalThis.EventSource) break;
  const [button, status] = [live.querySelector("button"), live.querySelector("[role=status]")];
  const rows = live.parentElement.querySelector("tbody");
  const start = button.textContent;
  let source, timer, came = 0;
  const say = (text) => {
    clearTimeout(timer);
    timer = undefined;
    status.textContent = text;
  };
  const pause = () => {
    source.close();
    source = undefined;
    button.textContent = start;
    button.setAttribute("aria-pressed", "false");
  };
  const follow = () => {
    source = new EventSource(live.dataset.live);
    button.textContent = button.dataset.pause;
    button.setAttribute("aria-pressed", "true");
    say(status.dataset.on);
    source.addEventListener("entry", (event) => {
      rows.insertAdjacentHTML("afterbegin", event.data);
      rows.firstElementChild.classList.add("fresh");
      while (rows.childElementCount > 200) rows.lastElementChild.remove();
      came += 1;
      timer ??= setTimeout(() => say(`${status.dataset.new} ${came}`), 2000);
    });
    source.addEventListener("missed", () => say(status.dataset.missed));
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      pause();
      say(status.dataset.lost);
    });
  };
  live.hidden = false;
  button.addEventListener("click", () => {
    if (!source) return follow();
    pause();
    say("");
  });
}

// ISO 7064 mod 97-10 over digits and letters, A = 10.
function ibanHolds(text) {
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text)) return false;
  if (text.startsWith("FR") && text.length !== 27) return false;
  let rest = 0;
  for (const c of text.slice(4) + text.slice(0, 4)) {
    const value = parseInt(c, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

for (const input of document.querySelectorAll("[data-iban]")) {
  const live = document.getElementById(input.id + "-live");
  const look = (finished) => {
    const text = input.value.replace(/[\s\u00a0\u202f]/g, "").toUpperCase();
    const good = ibanHolds(text);
    const say = good || (finished && text !== "");
    live.textContent = say ? (good ? "✓ " + input.dataset.good : input.dataset.bad) : "";
    live.className = "hint live " + (good ? "good" : "bad");
    if (good || finished) input.value = text.replace(/(.{4})(?=.)/g, "$1 ");
  };
  input.addEventListener("input", () => look(false));
  input.addEventListener("change", () => look(true));
}
