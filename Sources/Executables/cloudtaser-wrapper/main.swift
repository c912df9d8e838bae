// SPDX-License-Identifier: Apache-2.0
//
// cloudtaser-wrapper: fetches secrets and starts a program with them in secret memory.

import Delivery

// Not `CommandLine.arguments`: it repairs what is not UTF-8.
let arguments = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
    CommandLine.unsafeArgv[index].map { RawText(cString: $0) }
}
Console.exit(WrapperProgram.run(arguments))
