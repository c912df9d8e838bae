// SPDX-License-Identifier: Apache-2.0
import Agent
import Glibc
import LibbpfKernel

func refuse(_ reason: String) -> Never {
    AgentProgram.error("cloudtaser-agent: \(reason)\nRun `cloudtaser-agent --help`.\n")
    exit(64)
}

switch AgentInvocation(Array(CommandLine.arguments.dropFirst())) {
case .run(_, let words):
    let source = OptionSource(words: words)
    do throws(ArgumentFailure) {
        exit(AgentProgram.run(try source.options(), source))
    } catch { refuse(error.text) }
case .selfTest(let json, let tier): exit(AgentProgram.selfTest(json: json, tier))
case .uninstall(let path): exit(AgentProgram.uninstall(PinFolder(fileSystem: path)))
case .help: AgentProgram.out(AgentHelp.text)
case .version: AgentProgram.out("cloudtaser-agent \(AgentHelp.version)\n")
case .refused(let reason): refuse(reason)
}
