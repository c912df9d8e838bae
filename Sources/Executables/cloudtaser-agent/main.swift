// SPDX-License-Identifier: Apache-2.0
import Glibc
import LibbpfKernel

switch AgentInvocation(Array(CommandLine.arguments.dropFirst())) {
case .run(let options): exit(AgentProgram.run(options))
case .selfTest(let json): exit(AgentProgram.selfTest(json: json))
case .uninstall(let path): exit(AgentProgram.uninstall(PinFolder(fileSystem: path)))
case .help: AgentProgram.out(AgentHelp.text)
case .version: AgentProgram.out("cloudtaser-agent \(AgentHelp.version)\n")
case .refused(let reason):
    AgentProgram.error("cloudtaser-agent: \(reason)\nRun `cloudtaser-agent --help`.\n")
    exit(64)
}
