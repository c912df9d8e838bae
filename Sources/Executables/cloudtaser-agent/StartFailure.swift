// SPDX-License-Identifier: Apache-2.0
import AgentSockets
import Glibc

struct StartFailure: Error {
    let text: String

    init(text: String) { self.text = text }

    init(_ failure: AgentSocketFailure) {
        switch failure {
        case .cannotListen(let place, let number):
            text =
                "cloudtaser-agent: cannot listen on \(place): "
                + "\(String(cString: strerror(number))). Create the folder, or choose another "
                + "place with --socket or --listen.\n"
        case .anotherAgent(let path):
            text = "cloudtaser-agent: another agent answers at \(path). Stop it first.\n"
        case .systemCall(let call, let number):
            text = "cloudtaser-agent: \(call): \(String(cString: strerror(number)))\n"
        }
    }
}
