-- Neovim starts language servers when a buffer gets a file type. A file of a type that it does not know may hold
-- secrets too, so Locum is started for those here, once vim.lsp.enable("locum") has turned it on.
if vim.g.loaded_locum or vim.fn.has("nvim-0.11") == 0 then
  return
end
vim.g.loaded_locum = true

vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile" }, {
  group = vim.api.nvim_create_augroup("locum", {}),
  desc = "Start Locum in a buffer without a file type",
  callback = function(event)
    -- Later: whoever detects file types has then had his turn.
    vim.schedule(function()
      local buffer = event.buf
      if not vim.api.nvim_buf_is_valid(buffer) or not vim.lsp.is_enabled("locum") then
        return
      end
      if vim.bo[buffer].filetype == "" and vim.bo[buffer].buftype == "" then
        local config = vim.deepcopy(vim.lsp.config.locum)
        config.root_dir = vim.fs.root(buffer, config.root_markers or {})
        vim.lsp.start(config, { bufnr = buffer, reuse_client = config.reuse_client })
      end
    end)
  end,
})
