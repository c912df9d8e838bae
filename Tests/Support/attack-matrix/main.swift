// SPDX-License-Identifier: Apache-2.0
// Prints the attack matrix of a checkout: attack-matrix ROOT table|json|html
// `make vm-test` compares real kernels with it.
import AttackMatrixFiles
@preconcurrency import Glibc
import SimulationMatrix

let arguments = CommandLine.arguments
guard arguments.count == 3 else {
    fputs("usage: attack-matrix ROOT table|json|html\n", stderr)
    exit(64)
}
let files = try AttackMatrixFiles(root: arguments[1])
let matrix = try AttackMatrix.build(
    catalogue: files.catalogue, profiles: files.profiles, measured: files.measured)
switch arguments[2] {
case "table": print(matrix.table(), terminator: "")
case "json": print(matrix.json(), terminator: "")
case "html": print(matrix.html(), terminator: "")
default:
    fputs("attack-matrix: \(arguments[2]) is none of table, json, html\n", stderr)
    exit(64)
}
