// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation

// ArgumentParser ends with sysexits' codes; this program documents its own.
do {
    var command = try CloudTaser.parseAsRoot()
    try command.run()
} catch let finding as Findings {
    Terminal.error(finding.description)
    exit(Exit.findings.rawValue)
} catch let rest as Incomplete {
    Terminal.error(rest.description)
    exit(Exit.incomplete.rawValue)
} catch let failure as OuterFailure {
    exit(failure.status)
} catch {
    let code = CloudTaser.exitCode(for: error)
    let message = CloudTaser.fullMessage(for: error)
    if code.isSuccess {
        let isPrinted = (try? Terminal.print(message)) != nil
        exit((isPrinted ? Exit.clean : .operational).rawValue)
    }
    Terminal.error(message)
    exit(code == .validationFailure ? Exit.usage.rawValue : Exit.operational.rawValue)
}
