// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

struct CompletionCommand: ParsableCommand {
    enum Shell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a script by which a shell completes commands and flags.",
        discussion: """
            Examples:
              cloudtaser completion bash > /etc/bash_completion.d/cloudtaser
              cloudtaser completion zsh > "${fpath[1]}/_cloudtaser"
              cloudtaser completion fish > ~/.config/fish/completions/cloudtaser.fish

            \(Exit.help)
            """)

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        guard let known = CompletionShell(rawValue: shell.rawValue) else {
            throw OperationalError(description: "\(shell.rawValue): not known to this build")
        }
        try Terminal.print(CloudTaser.completionScript(for: known))
    }
}
