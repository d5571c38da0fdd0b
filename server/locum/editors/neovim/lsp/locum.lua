-- Locum for Neovim 0.11 or newer. Turn it on with: vim.lsp.enable("locum")
--
-- No `filetypes`: secrets are found in every kind of file. No root is needed either; where there is one, the nearest
-- locum.toml names the project.
---@type vim.lsp.Config
return {
  cmd = { "locum", "lsp" },
  root_markers = { "locum.toml", ".git" },
  -- The server starts the broker, holds the channel on which it asks, and asks here.
  init_options = { approvals = "server" },
}
