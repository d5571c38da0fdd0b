// Puts the parts together. Detection, rewriting, vaults and approvals' rules live in the `locum` program; this
// extension starts it, shows what it asks, and runs its tasks.

import { Approvals, readQuestion } from "./approvals";
import { registerCommands } from "./commands";
import { ControlChannel } from "./control";
import { Leases } from "./leases";
import { Server } from "./server";
import { findProgram } from "./settings";
import { offerTools } from "./mcp";
import { storeSecret } from "./secrets";
import { askLevel } from "./status";
import { Tasks } from "./tasks";
import { askInDialog, configuredPath, createOutput, type Disposable, onPathChange, openPathSetting, showError, showNote, typeSecret } from "./vscodeapi";

let stop: (() => Promise<void>) | undefined;

export function activate(context: { subscriptions: Disposable[] }): void {
  const output = createOutput();
  const leases = new Leases("locum.endLease");
  let program: string | undefined;

  const approvals = new Approvals({
    ask: askInDialog,
    store: async (name, title, detail) => {
      const value = await typeSecret(title, detail);
      return value !== "" && program !== undefined && (await storeSecret(program, name, value));
    },
    answer: (id, decision, standsFor) =>
      control.send({ method: "approve.answer", params: { id, decision, stands_for: standsFor } }),
    tooLate: () => showNote("That request was over already; nothing was lent."),
    now: () => performance.now(),
  });
  const control = new ControlChannel({
    onMessage: (message) => {
      const question = readQuestion(message["question"]);
      if (message["event"] === "hello") {
        control.send({ method: "control.takes_values", params: {} });
      }
      if ((message["event"] === "approve" || message["event"] === "value") && question !== undefined) {
        approvals.add(question);
      } else if (message["event"] === "approve.cancel") {
        approvals.cancel(String(message["id"]));
      } else if (message["event"] === "leases" || message["event"] === "hello") {
        leases.update(message);
      }
    },
    onState: (state) => {
      if (state !== "here") {
        approvals.cancelAll();
      }
      leases.updateApprovals(state);
      if (program !== undefined && state !== "failed") {
        void askLevel(program).then((level) => leases.update({ level }));
      }
    },
    log: (line) => output.info(line),
  });
  const server = new Server(output, {
    onLeases: (params) => leases.update(params),
    onRunning: () => output.info("the server runs"),
    onGivenUp: () => complain("Locum: the server ends again and again."),
  });
  const tasks = new Tasks({ command: (name) => server.command(name), program: () => program });

  const tools = offerTools(() => program);

  const complain = (what: string): void => {
    void showError(what, { "Show Output": () => output.show(), "Try Again": () => void restart() });
  };
  const restart = async (): Promise<void> => {
    const found = findProgram(configuredPath());
    program = "path" in found ? found.path : undefined;
    tools.changed();
    if (program === undefined) {
      control.close();
    } else {
      control.open(program);
    }
    const started = server.restart(program);
    if ("problem" in found) {
      void showError(`Locum: ${found.problem}`, { "Set Path": openPathSetting, "Try Again": () => void restart() });
    }
    leases.updateProgram(program === undefined ? "off" : "on");
    try {
      await started;
    } catch (error) {
      output.error(String(error));
      complain("Locum: the server did not start.");
    }
  };

  stop = async () => {
    control.close();
    await server.restart(undefined);
  };
  context.subscriptions.push(
    output,
    leases,
    tasks.register(),
    tools,
    onPathChange(() => void restart()),
    ...registerCommands({ restart, output, leases, server, tasks }),
  );
  void restart();
}

export function deactivate(): Promise<void> | undefined {
  return stop?.();
}
