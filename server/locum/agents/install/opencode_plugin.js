// Written by `locum agent install opencode`, which renews it. It asks Locum before and after each tool, and holds no logic of its own.
import { spawn } from "node:child_process"

const LOCUM = "@LOCUM@"
const PATIENCE = 15000
// A person may be asked whether to keep a value that they pasted.
const PATIENCE_OF_PROMPTS = 60000
// What changes files or runs commands is not let through unchecked when Locum cannot answer.
const GUARDED = new Set(["bash", "shell", "pty", "write", "edit", "multiedit", "patch", "apply_patch"])

function ask(event) {
  return new Promise((resolve, reject) => {
    const child = spawn(LOCUM, ["hook", "opencode"], { stdio: ["pipe", "pipe", "ignore"], windowsHide: true })
    const parts = []
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      reject(new Error("it took too long"))
    }, event.hook_event_name === "chat.message" ? PATIENCE_OF_PROMPTS : PATIENCE)
    child.on("error", (error) => {
      clearTimeout(timer)
      reject(new Error(error.code || "it cannot be started"))
    })
    child.stdin.on("error", () => {})
    child.stdout.on("data", (part) => parts.push(part))
    child.on("close", (code) => {
      clearTimeout(timer)
      if (code !== 0) return reject(new Error(`it ended with ${code}`))
      try {
        const verdict = JSON.parse(Buffer.concat(parts).toString("utf8"))
        if (verdict.decision !== "allow" && verdict.decision !== "deny") throw new Error()
        resolve(verdict)
      } catch {
        reject(new Error("its answer is no verdict"))
      }
    })
    child.stdin.end(JSON.stringify(event))
  })
}

async function judged(event, guarded) {
  try {
    return await ask(event)
  } catch (problem) {
    const reason = `Locum could not check this: ${problem.message}. See: locum agent doctor opencode`
    if (guarded) return { decision: "deny", reason }
    console.error(`locum: ${reason}`)
    return { decision: "allow" }
  }
}

function become(target, source) {
  for (const key of Object.keys(target)) if (!(key in source)) delete target[key]
  Object.assign(target, source)
}

export const Locum = async ({ directory }) => {
  const sessions = new Set()
  const about = (name, session, more) => ({ hook_event_name: name, session_id: session ?? "", cwd: directory, ...more })
  const end = async (session) => {
    if (sessions.delete(session)) await judged(about("session.end", session), false)
  }
  return {
    event: async ({ event }) => {
      const session = event.properties?.info?.id
      if (event.type === "session.created" && session) {
        sessions.add(session)
        await judged(about("session.start", session), false)
      }
      if (event.type === "session.deleted" && session) await end(session)
    },
    dispose: async () => {
      for (const session of [...sessions]) await end(session)
    },
    "chat.message": async (input, output) => {
      const texts = output.parts.filter((part) => part.type === "text")
      const prompt = texts.map((part) => part.text).join("\n")
      const verdict = await judged(about("chat.message", input.sessionID, { prompt }), false)
      if (verdict.decision === "deny") throw new Error(verdict.reason)
      if (typeof verdict.updatedInput?.prompt === "string" && texts.length)
        texts.forEach((part, index) => (part.text = index ? "" : verdict.updatedInput.prompt))
    },
    "tool.execute.before": async (input, output) => {
      const event = about("tool.execute.before", input.sessionID, { tool_name: input.tool, tool_input: output.args })
      const verdict = await judged(event, GUARDED.has(input.tool))
      if (verdict.decision === "deny") throw new Error(verdict.reason)
      if (verdict.updatedInput) become(output.args, verdict.updatedInput)
    },
    "tool.execute.after": async (input, output) => {
      // The output of a tool of an MCP server comes in parts.
      const parts = Array.isArray(output.content) ? output.content.filter((part) => part.type === "text") : [output]
      for (const part of parts) {
        const key = part === output ? "output" : "text"
        const event = about("tool.execute.after", input.sessionID, {
          tool_name: input.tool,
          tool_input: input.args,
          tool_response: part[key],
        })
        const verdict = await judged(event, false)
        const changed = verdict.decision === "deny" ? verdict.reason : verdict.updatedOutput
        if (typeof changed !== "string") continue
        part[key] = changed
        if (typeof output.metadata?.output === "string") output.metadata.output = changed
        if (typeof output.metadata?.preview === "string") output.metadata.preview = changed
      }
    },
  }
}
