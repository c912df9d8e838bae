// SPDX-License-Identifier: Apache-2.0
//
// cloudtaser-wrapper: fetches secrets and starts a program with them in secret memory.

Console.exit(WrapperProgram.run(Array(CommandLine.arguments.dropFirst())))
