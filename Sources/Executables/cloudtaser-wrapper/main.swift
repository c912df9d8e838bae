// SPDX-License-Identifier: Apache-2.0
//
// cloudtaser-wrapper: fetches secrets and starts a program with them in secret memory.
// No variables here: top-level ones belong to the main actor, which links the concurrency runtime
// and Dispatch, 0.7 MB.

// First of all: no descriptor of ours may get the number of a closed standard stream.
Console.occupyClosedStreams()
Console.exit(WrapperProgram.run(ProcessArguments.afterName()))
