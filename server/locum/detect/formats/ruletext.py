"""The rules that slots name, in the format of rule files: titles, worth and help. They have no expression of their own."""

RULES = """
[docker-registry-auth] Container registry login
name: DOCKER_AUTH
url: https://docs.docker.com/reference/cli/docker/login/#credential-stores
about: User and password of a container registry, in base64 as docker login leaves them. Log out, use a credential helper, and change the password or revoke the token.

[registry-credential] Package registry credential
name: REGISTRY_TOKEN
url: https://docs.npmjs.com/cli/configuring-npm/npmrc#auth-related-configuration
about: It reads, and often publishes, packages in your name. Revoke it at the registry, and let the package manager read a new one from the environment.

[login-file-password] Password in a login file
name: PASSWORD
url: https://www.postgresql.org/docs/current/libpq-pgpass.html
about: A file from which programs take a password when they log in. It belongs in a home directory, readable by one user, and never in a repository. Change the password at the server.

[password-hash] Password hash of a user
severity: warning
name: PASSWORD_HASH
url: https://httpd.apache.org/docs/current/misc/password_encryptions.html
about: A user's name with the hash of the password: weak passwords are found from it offline, in minutes for the old hashes. Keep such files out of the repository and let the user choose a new password.

[kubernetes-secret] Value of a Kubernetes Secret
name: KUBERNETES_SECRET
url: https://kubernetes.io/docs/concepts/configuration/secret/
about: A Secret's data is encoded, not encrypted: whoever reads the manifest has it. Let an operator or sealed secrets bring it into the cluster, and rotate the value.

[kubeconfig-credential] Credential in a kubeconfig
name: KUBE_TOKEN
url: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
about: It opens a cluster with its user's rights. Revoke the token or the certificate in the cluster, and use an exec plugin that fetches short-lived ones.

[terraform-secret] Secret in Terraform state or variables
name: TERRAFORM_SECRET
url: https://developer.hashicorp.com/terraform/language/state/sensitive-data
about: Terraform keeps what it knows in plain text in its state, secrets too. Keep the state in an encrypted backend, pass secrets by the environment, and rotate this one.

[markup-password] Password in an XML or HTML file
name: PASSWORD
url: https://cwe.mitre.org/data/definitions/260.html
about: An element or attribute that is named for a password holds one. Let the program read it from the environment or a vault, and change it where it is used.

[php-constant-secret] Secret in a PHP constant
name: SECRET
url: https://developer.wordpress.org/advanced-administration/security/
about: A constant with a database password or a key that signs sessions, as in wp-config.php. Read it from the environment, and change the password or make new keys.

[powershell-secure-string] Plain text made a SecureString
name: PASSWORD
url: https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.security/convertto-securestring
about: The string is secure in memory and stands in the script in plain text. Ask for it, or take it from a vault, and change it.

[connection-string-password] Password in a connection string
name: DATABASE_PASSWORD
url: https://cheatsheetseries.owasp.org/cheatsheets/Database_Security_Cheat_Sheet.html
about: A string that says how to reach a database, with the password in it. Change the password at the server, and let the program put the string together from the environment.

[command-line-password] Password on a command line
name: PASSWORD
url: https://cwe.mitre.org/data/definitions/214.html
about: What a command gets as an argument is seen by every process on the machine and kept in the shell's history. Use the program's variable, file or prompt instead, and change the password.

[authorization-header] Credential in a request header
name: AUTHORIZATION
url: https://www.rfc-editor.org/rfc/rfc9110#name-authorization
about: A header that lets its sender in: a password in base64, a token or a key. Revoke it at the service, and read a new one at run time.

[sql-password] Password in an SQL statement
name: DATABASE_PASSWORD
url: https://www.postgresql.org/docs/current/sql-createrole.html
about: A statement that gives a database user a password; statements are logged and kept. Change the password, and pass it as a variable of the client.

[named-value] Secret in a pair of name and value
confidence: medium
name: SECRET
url: https://cwe.mitre.org/data/definitions/798.html
about: An entry whose name speaks of a secret and whose value stands beside it. Use a reference to a secret store in its place, and rotate the value.

[argument-secret] Secret as an argument
confidence: medium
name: SECRET
url: https://cwe.mitre.org/data/definitions/798.html
about: The function takes a password or a key at this place. Read it from the environment or a vault, and rotate it.

[default-secret] Secret as a default value
confidence: medium
name: SECRET
url: https://cwe.mitre.org/data/definitions/1188.html
about: The program uses this value when its variable is not set, so it is used somewhere. Fail instead, and rotate the value wherever it was in use.

[application-key] Key of an application framework
name: APP_KEY
url: https://laravel.com/docs/encryption#configuration
about: The key with which the framework encrypts and signs cookies and data: whoever has it can forge them, and in some versions run code. Make a new one for each installation.

[one-time-password-seed] Seed of one-time passwords
name: OTP_SEED
url: https://www.rfc-editor.org/rfc/rfc6238
about: From the seed everybody can compute the second factor, for ever. Enrol the account again, and keep the new seed in a vault.

[json-web-key] Private JSON Web Key
name: JWK
url: https://www.rfc-editor.org/rfc/rfc7517
about: The private part of a key that signs or decrypts tokens. Take the key out of the published set, make a new one, and keep it in a vault.

[build-argument-secret] Secret in a container image
confidence: medium
name: SECRET
url: https://docs.docker.com/build/building/secrets/
about: ENV and ARG stay in the image and in its history for everybody who can pull it. Mount the secret while building, or set it at run time, and rotate it.
"""  # noqa: E501 - prose
