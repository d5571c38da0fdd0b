// A browser that a test drives from Python: one JSON line in, one JSON line out.
//
//     node browser.mjs FOLDER_OF_PLAYWRIGHT CHROMIUM
//     {"call": "keyboard.press", "args": ["Enter"]}   →   {"result": null}   or   {"error": "…"}
//
// A call goes to a method of playwright's `page`, or of what hangs on it.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]; // a page of a vendor is never fetched
const browser = await chromium.launch({ executablePath, args });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
const page = await context.newPage();
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ result: "ready" });

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args: given } = JSON.parse(line);
  const names = call.split(".");
  const method = names.pop();
  const target = names.reduce((object, name) => object[name], page);
  try {
    const result = await target[method](...given);
    say({ result: ["string", "number", "boolean"].includes(typeof result) || Array.isArray(result) ? result : null });
  } catch (error) {
    say({ error: String(error.message ?? error).slice(0, 2000) });
  }
}
await browser.close();
