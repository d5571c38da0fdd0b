// The one door to the editor's API: what the rest of the extension needs of it, in the extension's own words.
// (The language client has its own door; `server.ts` alone uses it.)

import * as vscode from "vscode";
import type { Pressed } from "./approvals";

export type Disposable = vscode.Disposable;
export type Output = vscode.LogOutputChannel;
export type Folder = vscode.WorkspaceFolder;

export function createOutput(): Output {
  return vscode.window.createOutputChannel("Locum", { log: true });
}

/** A channel that keeps nothing and never asks for a trace: a protocol trace holds the text of documents. */
export function createNoTrace(): Output {
  const nothing = (): void => undefined;
  const never = (): Disposable => ({ dispose: nothing });
  return {
    name: "Locum", logLevel: vscode.LogLevel.Off, onDidChangeLogLevel: never, trace: nothing, debug: nothing,
    info: nothing, warn: nothing, error: nothing, append: nothing, appendLine: nothing, replace: nothing,
    clear: nothing, show: nothing, hide: nothing, dispose: nothing,
  };
}

/** The `locum.path` setting of the machine or the user; what a workspace says about it does not count. */
export function configuredPath(): string {
  const setting = vscode.workspace.getConfiguration("locum").inspect<string>("path");
  return setting?.globalValue ?? "";
}

export function onPathChange(then: () => void): Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("locum.path")) {
      then();
    }
  });
}

export function onCommand(name: string, run: () => unknown): Disposable {
  return vscode.commands.registerCommand(name, run);
}

/** Ask about a lease in a dialog that has the whole window. "Deny" is first: it has the focus and takes a stray Enter. */
export async function askInDialog(title: string, detail: string, hours: number): Promise<Pressed> {
  const allow: vscode.MessageItem = { title: "Allow once" };
  const always: vscode.MessageItem = { title: `Allow exactly this for ${hours} h` };
  const deny: vscode.MessageItem = { title: "Deny" };
  const buttons = hours > 0 ? [deny, allow, always] : [deny, allow];
  const pressed = await vscode.window.showWarningMessage(title, { modal: true, detail }, ...buttons);
  return pressed === allow ? "allow" : pressed === always ? "allow-content" : pressed === deny ? "deny" : "closed";
}

/** Let the person type a value that is not shown; "" when none was typed. */
export async function typeSecret(title: string, prompt: string): Promise<string> {
  const typed = await vscode.window.showInputBox({ title, prompt, password: true, ignoreFocusOut: true });
  return typed ?? "";
}

/** How a server of tools for AI agents is started. */
export interface McpServer {
  readonly command: string;
  readonly args: string[];
  readonly cwd: string;
}

/** What editors have from 1.101 on, and the types of 1.100, with which ours still runs, do not know. */
interface Newer {
  readonly lm?: {
    registerMcpServerDefinitionProvider?(
      id: string,
      provider: { onDidChangeMcpServerDefinitions: vscode.Event<void>; provideMcpServerDefinitions(): object[] },
    ): Disposable;
  };
  readonly McpStdioServerDefinition?: new (label: string, command: string, args: string[]) => { cwd?: vscode.Uri };
}

/** Offer one MCP server to the editor's agents; `find` says how it is started now, undefined for not at all. */
export function provideMcpServer(
  id: string,
  label: string,
  find: () => McpServer | undefined,
): Disposable & { changed(): void } {
  const emitter = new vscode.EventEmitter<void>();
  const changed = (): void => emitter.fire();
  const parts: Disposable[] = [
    emitter,
    vscode.workspace.onDidChangeWorkspaceFolders(changed),
    vscode.workspace.onDidGrantWorkspaceTrust(changed),
  ];
  const { lm, McpStdioServerDefinition } = vscode as unknown as Newer;
  if (lm?.registerMcpServerDefinitionProvider !== undefined && McpStdioServerDefinition !== undefined) {
    parts.push(
      lm.registerMcpServerDefinitionProvider(id, {
        onDidChangeMcpServerDefinitions: emitter.event,
        provideMcpServerDefinitions: () => {
          const found = find();
          if (found === undefined) {
            return [];
          }
          const server = new McpStdioServerDefinition(label, found.command, found.args);
          server.cwd = vscode.Uri.file(found.cwd);
          return [server];
        },
      }),
    );
  }
  return { changed, dispose: () => parts.forEach((part) => part.dispose()) };
}

export function folderPaths(): string[] {
  return (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
}

/** Show an error once, with buttons that do something. */
export async function showError(message: string, buttons: Record<string, () => unknown>): Promise<void> {
  const pressed = await vscode.window.showErrorMessage(message, ...Object.keys(buttons));
  if (pressed !== undefined) {
    buttons[pressed]?.();
  }
}

/** What the server asks a person, in the protocol's words. */
export interface Question {
  readonly message: string;
  readonly actions?: readonly { readonly title: string }[];
}

/**
 * Ask what a person may need a while to answer. Shown as an error, though it is none: every other notification hides
 * itself after some seconds, and the question with it, say while the preview of an edit is read.
 */
export async function askAndWait({ message, actions = [] }: Question): Promise<{ title: string } | null> {
  return (await vscode.window.showErrorMessage(message, ...actions)) ?? null;
}

/** Open a file in a tab that stays. One that is only looked at must not take the place, and close, what is worked on. */
export async function showFile(uri: string, takeFocus: boolean): Promise<boolean> {
  try {
    await vscode.window.showTextDocument(vscode.Uri.parse(uri), { preview: false, preserveFocus: !takeFocus });
    return true;
  } catch {
    return false;
  }
}

export function showNote(message: string): void {
  void vscode.window.showInformationMessage(message);
}

export function openPathSetting(): void {
  void vscode.commands.executeCommand("workbench.action.openSettings", "locum.path");
}

export interface Choice<T> {
  readonly label: string;
  readonly description: string;
  readonly value: T;
}

/** Let the person pick one; undefined when nothing was picked. */
export async function pick<T>(title: string, choices: readonly Choice<T>[]): Promise<T | undefined> {
  return (await vscode.window.showQuickPick(choices, { title }))?.value;
}

export interface StatusItem extends Disposable {
  show(text: string, tooltip: string): void;
}

export function createStatus(command: string): StatusItem {
  const item = vscode.window.createStatusBarItem("locum.leases", vscode.StatusBarAlignment.Right, 100);
  item.name = "Locum leases";
  item.command = command;
  return {
    show: (text, tooltip) => {
      item.text = text;
      item.tooltip = tooltip;
      item.show();
    },
    dispose: () => item.dispose(),
  };
}

export function isTrusted(): boolean {
  return vscode.workspace.isTrusted;
}

export function findFolder(uri: string): Folder | undefined {
  return vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(uri));
}

/** Make the editor's task that runs `program` with `args` in `folder`, in a terminal of its own. */
export function makeTask(folder: Folder, type: string, name: string, program: string, args: string[]): vscode.Task {
  const process = new vscode.ProcessExecution(program, args, { cwd: folder.uri.fsPath });
  const task = new vscode.Task({ type, task: name }, folder, name, type, process, []);
  task.presentationOptions = { focus: true, panel: vscode.TaskPanelKind.Dedicated, showReuseMessage: false, clear: true };
  return task;
}

export function provideTasks(
  type: string,
  list: () => Promise<vscode.Task[]>,
  make: (folder: Folder, name: string) => vscode.Task | undefined,
): Disposable {
  return vscode.tasks.registerTaskProvider(type, {
    provideTasks: list,
    resolveTask: (task) => {
      const name: unknown = task.definition["task"];
      const folder = typeof task.scope === "object" ? task.scope : vscode.workspace.workspaceFolders?.[0];
      if (typeof name !== "string" || folder === undefined) {
        return undefined;
      }
      const made = make(folder, name);
      if (made === undefined) {
        return undefined;
      }
      // The editor knows the resolved task by the very definition that it handed in.
      const resolved = new vscode.Task(task.definition, folder, task.name, type, made.execution, []);
      resolved.presentationOptions = made.presentationOptions;
      return resolved;
    },
  });
}

export function runTask(task: vscode.Task): void {
  void vscode.tasks.executeTask(task);
}

export type Task = vscode.Task;
