import assert from "node:assert/strict";
import { test } from "node:test";
import { Approvals, type Decision, type Pressed, type Question, readQuestion, TOO_SOON } from "../src/approvals";

/** A person, a dialog and a clock that the test moves. */
class Desk {
  readonly answers: [string, Decision][] = [];
  readonly standing: number[] = [];
  readonly shown: string[] = [];
  tooLate = 0;
  time = 0;
  #press: ((pressed: Pressed) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  readonly approvals = new Approvals({
    ask: (title, detail) => {
      this.shown.push(`${title}\n${detail}`);
      return new Promise((resolve, reject) => {
        this.#press = resolve;
        this.#fail = reject;
      });
    },
    store: (_name, title, detail) => {
      this.shown.push(`${title}\n${detail}`);
      return new Promise((resolve, reject) => {
        this.#press = (pressed) => resolve(pressed === "allow");
        this.#fail = reject;
      });
    },
    answer: (id, decision, standsFor) => {
      this.answers.push([id, decision]);
      this.standing.push(standsFor);
    },
    tooLate: () => this.tooLate++,
    now: () => this.time,
  });

  async press(pressed: Pressed, after = TOO_SOON): Promise<void> {
    this.time += after;
    this.#press?.(pressed);
    await settle();
  }

  async fail(): Promise<void> {
    this.#fail?.(new Error("the window is gone"));
    await settle();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const question = (id: string, lines: string[] = ["in /p"]): Question => ({ id, title: `Let ${id} use 1 secret?`, lines, mayStandFor: 0, valueFor: "" });

test("a yes that stands says for how long, and never longer than it may", async () => {
  for (const [may, stands] of [[3600, 3600], [30 * 24 * 3600, 12 * 3600]] as const) {
    const desk = new Desk();
    desk.approvals.add({ ...question("a"), mayStandFor: may });
    await desk.press("allow-content");
    assert.deepEqual(desk.answers, [["a", "allow-content"]]);
    assert.deepEqual(desk.standing, [stands]);
  }
});

test("a value that was stored is a yes; none, a failure and a question that is over are none", async () => {
  for (const [pressed, decision] of [["allow", "allow"], ["closed", "deny"]] as const) {
    const desk = new Desk();
    desk.approvals.add({ ...question("a"), valueFor: "API_KEY" });
    await desk.press(pressed);
    assert.deepEqual(desk.answers, [["a", decision]]);
  }
  const failing = new Desk();
  failing.approvals.add({ ...question("a"), valueFor: "API_KEY" });
  await failing.fail();
  assert.deepEqual(failing.answers, [["a", "deny"]]);
  const late = new Desk();
  late.approvals.add({ ...question("a"), valueFor: "API_KEY" });
  late.approvals.cancel("a");
  await late.press("closed");
  assert.deepEqual(late.answers, []);
});

test("only a press on allow allows", async () => {
  for (const [pressed, decision] of [["allow", "allow"], ["deny", "deny"], ["closed", "deny"]] as const) {
    const desk = new Desk();
    desk.approvals.add(question("a"));
    await desk.press(pressed);
    assert.deepEqual(desk.answers, [["a", decision]]);
  }
});

test("a dialog that fails denies", async () => {
  const desk = new Desk();
  desk.approvals.add(question("a"));
  await desk.fail();
  assert.deepEqual(desk.answers, [["a", "deny"]]);
});

test("a button pressed at once is not counted, and the question stands", async () => {
  for (const pressed of ["allow", "deny"] as const) {
    const desk = new Desk();
    desk.approvals.add(question("a"));
    await desk.press(pressed, TOO_SOON - 1);
    assert.deepEqual(desk.answers, []);
    assert.equal(desk.shown.length, 2);
    await desk.press("allow");
    assert.deepEqual(desk.answers, [["a", "allow"]]);
  }
});

test("closing the dialog denies at once", async () => {
  const desk = new Desk();
  desk.approvals.add(question("a"));
  await desk.press("closed", 1);
  assert.deepEqual(desk.answers, [["a", "deny"]]);
});

test("one question at a time, in order", async () => {
  const desk = new Desk();
  desk.approvals.add(question("a"));
  desk.approvals.add(question("b"));
  assert.equal(desk.shown.length, 1);
  await desk.press("deny");
  assert.equal(desk.shown.length, 2);
  await desk.press("allow");
  assert.deepEqual(desk.answers, [["a", "deny"], ["b", "allow"]]);
});

test("a cancelled question is not shown, and an open one counts for nothing", async () => {
  const desk = new Desk();
  desk.approvals.add(question("a"));
  desk.approvals.add(question("b"));
  desk.approvals.cancel("b");
  desk.approvals.cancel("a");
  await desk.press("allow");
  assert.deepEqual(desk.answers, []);
  assert.equal(desk.tooLate, 1);
  assert.equal(desk.shown.length, 1);
  desk.approvals.add(question("c"));
  await desk.press("allow");
  assert.deepEqual(desk.answers, [["c", "allow"]]);
});

test("when the channel is gone nothing is answered", async () => {
  const desk = new Desk();
  desk.approvals.add(question("a"));
  desk.approvals.add(question("b"));
  desk.approvals.cancelAll();
  await desk.press("allow");
  assert.deepEqual(desk.answers, []);
});

test("columns become labels", () => {
  const desk = new Desk();
  desk.approvals.add(question("a", ["command   python3  x.py", "asked by  sh", "in        /a  b"]));
  assert.equal(desk.shown[0]?.split("\n").slice(1).join("\n"), "command: python3  x.py\nasked by: sh\nin: /a  b");
});

test("hostile text is shown, not obeyed", () => {
  const desk = new Desk();
  desk.approvals.add(question("a", ["command rm\nlevel L2", "\u202ecod.exe"]));
  const [text] = desk.shown;
  assert.equal(text?.split("\n").length, 3);
  assert.ok(!text?.includes("\u202e"));
});

test("more than a person can read is denied unseen, and so is a flood", async () => {
  const desk = new Desk();
  desk.approvals.add(question("long", Array<string>(100).fill("x")));
  await settle();
  assert.deepEqual(desk.answers, [["long", "deny"]]);
  assert.equal(desk.shown.length, 0);
  for (let number = 0; number < 50; number++) {
    desk.approvals.add(question(`q${number}`));
  }
  assert.ok(desk.answers.length > 20 && desk.answers.every(([, decision]) => decision === "deny"));
});

test("a message that is no question is none", () => {
  for (const raw of [undefined, null, 1, {}, { id: "a", title: "t" }, { id: "a", title: "t", lines: [1] }, { id: 1, title: "t", lines: [] }]) {
    assert.equal(readQuestion(raw), undefined);
  }
  assert.deepEqual(readQuestion({ id: "a", title: "t", lines: ["l"], more: 1 }), { id: "a", title: "t", lines: ["l"], mayStandFor: 0, valueFor: "" });
  const standing = { id: "a", title: "t", lines: [], may_stand_for: 60 };
  assert.equal(readQuestion(standing)?.mayStandFor, 60);
  for (const may of [-1, 1.5, "60", Number.NaN, null]) {
    assert.equal(readQuestion({ ...standing, may_stand_for: may })?.mayStandFor, 0);
  }
});
