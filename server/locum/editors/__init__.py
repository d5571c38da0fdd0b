"""Files that other programs read: what `locum init EDITOR` installs. Data only, no code of ours runs from here."""
