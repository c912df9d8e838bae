// SPDX-License-Identifier: Apache-2.0
import Delivery
import Glibc
import LinuxSystem
import WrapperConfiguration

/// Standard output and error, unbuffered.
enum Console {
    static func out(_ text: String) { write(text, to: STDOUT_FILENO) }
    static func error(_ text: String) { write(text, to: STDERR_FILENO) }
    /// One line that an operator should see.
    static func note(_ text: String) { error("cloudtaser-wrapper: \(text)\n") }

    /// Puts /dev/null where a standard stream is closed: a message would otherwise go to whatever
    /// was opened there, the connection to the vault or the keeper's pipe. Close-on-exec: the
    /// program finds the stream as closed as it was.
    static func occupyClosedStreams() {
        for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
            // The lowest number that is free is this one.
            _ = open("/dev/null", O_RDWR | O_CLOEXEC)
        }
    }

    static func exit(_ code: Int32) -> Never { Glibc.exit(code) }

    private static func write(_ text: String, to descriptor: Int32) {
        // Where nobody reads, there is nobody to tell either.
        _ = WholeWrite.write(text, to: descriptor)
    }
}

/// What the command line asks for.
enum Invocation: Equatable {
    case run([RawText])
    /// Copy this program into a folder.
    case install(RawText)
    /// Have the running wrapper run a command beside its program.
    case attach([RawText])
    case help
    case version
    case refused(String)

    init(_ arguments: [RawText]) {
        switch arguments.first?.description {
        case nil: self = .refused("no command")
        case "help", "--help", "-h": self = .help
        case "version", "--version": self = .version
        case "run":
            let rest = arguments.dropFirst()
            if rest.first == "--help" || rest.first == "-h" {
                self = .help
            } else if rest.first != "--" {
                self = .refused("'run' needs '--' before the program")
            } else if rest.count < 2 {
                self = .refused("no program after 'run --'")
            } else {
                self = .run(Array(rest.dropFirst()))
            }
        case "install":
            let rest = arguments.dropFirst()
            if rest.first == "--help" || rest.first == "-h" {
                self = .help
            } else if let folder = rest.first, rest.count == 1, folder != "" {
                self = .install(folder)
            } else {
                self = .refused("'install' needs one folder")
            }
        case "attach":
            let rest = arguments.dropFirst()
            let words = rest.first == "--" ? rest.dropFirst() : rest
            if rest.first == "--help" || rest.first == "-h" {
                self = .help
            } else if words.isEmpty {
                self = .refused("no command after 'attach'")
            } else {
                self = .attach(Array(words))
            }
        case .some(let other): self = .refused("unknown command '\(other)'")
        }
    }
}

/// Texts for people.
enum Help {
    static let version = "0.1.0"

    static func message(_ exit: WrapperExit, detail: String) -> String {
        """
        cloudtaser-wrapper: error \(exit.rawValue): \(exit.cause)
          what: \(detail)
          fix:  \(exit.remedy)

        """
    }

    static var text: String {
        let variables = ControlVariable.allCases.map { variable in
            let name = variable.rawValue
            let gap = String(repeating: " ", count: max(1, 28 - name.utf8.count))
            return "  \(name)\(gap)\(variable.summary)"
        }
        return """
            Fetch secrets from a vault and start a program with them in secret memory.

            Usage: cloudtaser-wrapper run -- PROGRAM [ARGUMENT...]
                   cloudtaser-wrapper install FOLDER
                   cloudtaser-wrapper attach [--] COMMAND [ARGUMENT...]
                   cloudtaser-wrapper help | version

            install copies this program into a folder, for an init container. attach is for
            probes and hooks: the wrapper that runs in the container runs the command.

            Example:
              VAULT_ADDR=https://vault.example.eu:8200 VAULT_TOKEN_FILE=/run/token \\
              CLOUDTASER_SECRET_PATHS=secret/app CLOUDTASER_ENV_MAP=password=DB_PASSWORD \\
              cloudtaser-wrapper run -- ./server --port 8080

            Environment (none of it reaches the program):
            \(variables.joined(separator: "\n"))

            The program's exit code is passed through (128 + n for a signal). Codes 80-117 and 64
            are the wrapper's own: no program ran. See docs/reference/exit-codes.md.

            """
    }
}
