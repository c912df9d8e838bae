// SPDX-License-Identifier: Apache-2.0
// Plays one case of the ProcessHost suite on this kernel and prints what was told, a line each:
// host-conformance DELIVERY CASE-NUMBER. A process of its own, since a host takes its signals.
import Delivery
@preconcurrency import Glibc
import HostConformance
import LinuxProcessHost
import LinuxSystem
import Ports

func play(_ delivery: DeliveryMode, _ number: Int) throws {
    var host = try LinuxProcessHost(readyWith: LinuxProcessHost.Options())
    let player = HostPlayer(time: LinuxTimeSource(), delivery: delivery) { kill(getpid(), $0) }
    for line in try player.play(HostCase.all[number].steps, on: &host) { print(line) }
}

let arguments = CommandLine.arguments
guard arguments.count == 3, let delivery = DeliveryMode(rawValue: arguments[1]),
    let number = Int(arguments[2]), HostCase.all.indices.contains(number)
else {
    fputs("usage: host-conformance DELIVERY 0...\(HostCase.all.count - 1)\n", stderr)
    exit(64)
}
try play(delivery, number)
