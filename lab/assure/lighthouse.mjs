// Lets Lighthouse look at pages, each in both themes, in one browser: node lighthouse.mjs FOLDER_OF_THE_PACKAGE WORK.json,
// which says {browser, seconds, pages: [{name, url, cookie, themes}]}. A line of JSON comes out for each look, as it ends.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, work] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const puppeteer = require("puppeteer-core");
const { default: lighthouse, desktopConfig } = await import(pathToFileURL(join(folder, "core", "index.js")).href);

const { browser: executablePath, seconds, pages } = JSON.parse(readFileSync(work, "utf8"));
const until = Date.now() + seconds * 1000;
const browser = await puppeteer.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});

async function look({ name, url, cookie }, theme) {
  const page = await browser.newPage();
  try {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    const flags = {
      logLevel: "silent", onlyCategories: ["performance", "accessibility", "best-practices"],
      extraHeaders: cookie ? { Cookie: cookie } : undefined,
    };
    const { lhr } = await lighthouse(url, flags, desktopConfig, page);
    const shown = await page.evaluate(() => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
    const at = new URL(lhr.finalDisplayedUrl ?? url);
    const wrong = lhr.runtimeError ? lhr.runtimeError.code : at.pathname !== new URL(url).pathname ? "led elsewhere"
      : shown !== theme ? `it was ${shown}` : "";
    const scores = Object.fromEntries(Object.entries(lhr.categories).map(([kind, { score }]) => [kind, score ?? 0]));
    const low = Object.values(lhr.audits).filter(({ score, scoreDisplayMode }) => score === 0 && scoreDisplayMode === "binary");
    return { name, theme, scores, wrong, low: low.map(({ id }) => id) };
  } finally {
    await page.close();
  }
}

for (const page of pages)
  for (const theme of page.themes) {
    if (Date.now() > until) break;
    console.log(JSON.stringify(await look(page, theme)));
  }
await browser.close();
