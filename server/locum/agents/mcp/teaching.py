"""What the server says to an agent beside its tools: how secrets are used here, and the prompt that sets a project up."""

from __future__ import annotations

INSTRUCTIONS = """\
Locum keeps secrets out of files, prompts and transcripts. You work with names and references (locum://NAME); values stay in \
the person's vault and reach only programs that the person allowed.
- Need to know what there is: list_secrets. Do not open .env files, key files or shell history, and do not print variables.
- Need a program to use a secret: run_task, or run_command. A person is asked in their editor; when nobody can be asked, the \
result says what they must do. Tell them that, and do not try another way.
- Need a value that only a person has: request_secret. Need a random one: generate_secret. Never ask for a value in the chat; \
when somebody pastes one, tell them to store it with `locum secret set NAME` and to rotate it.
- Writing code: read the environment variable; in configuration write the reference.
- Found a value in plain text: scan, then replace_plaintext, or import_env for a .env file. Never copy it.
- In outputs a value stands as its reference. That is how it should be, not an error."""

SETUP = "set_up_secrets"
SETUP_TITLE = "Set up this project's secrets"
SETUP_DESCRIPTION = (
    "Find out what the project needs, move what stands in plain text, ask for what is missing, make tasks."
)
SETUP_TEXT = """\
Set up this project's secrets with Locum. Work with names only; at no point read, print or ask for a value.

1. list_secrets and list_tasks: see what is declared and stored.
2. scan. For each .env file with findings: import_env. For findings in other files: replace_plaintext with their \
fingerprints. Report what was left and why.
3. Look at the code and at .env.example for variables that the programs read. Add the secrets among them that are missing to \
locum.toml as [secrets.NAME] with a description and docs, the page where one is made.
4. For each missing one: generate_secret when any random value will do (session keys, local databases), else request_secret.
5. Add [tasks.NAME] to locum.toml for what is run often (start, test, migrate), each with command and the secrets that it \
needs, no more.
6. Run the tests with run_task. If a person has to allow it, say so and wait.
7. Sum up: names stored, files changed, tasks made, and which values must be rotated because they stood in plain text."""
