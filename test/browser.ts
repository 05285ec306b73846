/** Debian's Chromium (or $CHROMIUM), driven by playwright-core. Nothing is downloaded: where there is no browser, `withoutBrowser` says so. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const CANDIDATES = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** Why a test that needs a browser can't run here, or false. */
export const withoutBrowser: string | false =
  executablePath === undefined ? "no browser: apt-get install chromium, or set CHROMIUM" : false;

export function launchBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(String(withoutBrowser));
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
