// Walks through a running bank. Reads on stdin the line that `guichet up --demo --json` printed; fails with words.
import { readFileSync } from "node:fs";

import { gallery } from "./gallery.mjs";
import { journey } from "./journey.mjs";
import { start } from "./stage.mjs";

const line = JSON.parse(readFileSync(0, "utf8"));
const { browser, end } = await start(line);
try {
  if (process.env.GUICHET_WALK !== "gallery") {
    await Promise.all(["fr", "en"].map((language) => journey(browser, line, language)));
  }
  if (process.env.GUICHET_SCREENSHOTS) await gallery(browser, line, process.env.GUICHET_SCREENSHOTS);
} finally {
  await end();
}
