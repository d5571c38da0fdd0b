-- Locum for Neovim 0.11 or newer. Turn it on with: vim.lsp.enable("locum")
--
-- No `filetypes`: secrets are found in every kind of file. No root is needed either; where there is one, the nearest
-- locum.toml names the project.

-- A person types a value that only they know. It goes to `locum secret set`, never over the language server's connection,
-- whose messages may be logged.
local function ask_value(_, question, context)
  local name = question.value_for
  local prompt = table.concat(question.lines, "\n") .. "\n" .. question.title .. " Value (not shown; empty: no): "
  local typed, value = pcall(vim.fn.inputsecret, prompt)
  if not typed or value == "" then
    return { decision = "deny" }
  end
  local client = vim.lsp.get_client_by_id(context.client_id)
  local command = client and client.config.cmd or { "locum" }
  local done = vim.system({ command[1], "secret", "set", name, "--stdin" }, { stdin = value }):wait()
  return { decision = done.code == 0 and "stored" or "deny" }
end

---@type vim.lsp.Config
return {
  cmd = { "locum", "lsp" },
  root_markers = { "locum.toml", ".git" },
  -- The server starts the broker, holds the channel on which it asks, and asks here.
  init_options = { approvals = "server", askValue = true },
  handlers = { ["locum/askValue"] = ask_value },
}
