// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import S3ProxyConfiguration
import ServerProcess

let words = Array(CommandLine.arguments.dropFirst())

func say(_ text: String, to file: FileHandle) { file.write(Data(text.utf8)) }

if words.contains("--help") || words.contains("-h") {
    let isOther = words.first == "rewrap" || words.first == "inspect"
    say(isOther ? Subcommand.help : S3ProxyHelp.text, to: .standardOutput)
    exit(0)
}
if words == ["--version"] {
    say("cloudtaser-s3-proxy \(S3ProxyProgram.version)\n", to: .standardOutput)
    exit(0)
}

func subcommand() -> (command: Subcommand, rest: [String])? {
    do throws(UsageFailure) { return try Subcommand.parse(words) } catch {
        say("cloudtaser-s3-proxy: \(error.text)\n\n\(Subcommand.help)", to: .standardError)
        exit(64)
    }
}

func settings(_ words: [String]) -> S3ProxySettings {
    do throws(S3ProxySettingsFailure) { return try SettingsSource.read(words) } catch {
        say(
            "cloudtaser-s3-proxy: \(error.text)\nRun `cloudtaser-s3-proxy --help`.\n",
            to: .standardError)
        exit(64)
    }
}

do throws(StartFailure) {
    if let (command, rest) = subcommand() { exit(try await command.run(settings(rest))) }
    try await S3ProxyProgram(settings(words)).run()
} catch {
    say("cloudtaser-s3-proxy: \(error.text)\n", to: .standardError)
    exit(1)
}
