// Comfort only: every page does its work without this file.
"use strict";

// Errors first: the summary is read out and the keyboard starts there.
document.querySelector("[data-focus]")?.focus();

// On a narrow screen the menu scrolls: the place one is at is in sight.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A form is sent once. Coming back by the back button makes it usable again.
for (const form of document.querySelectorAll('form[method="post"]')) {
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
