// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import Glibc
import KubernetesPorts
import Ports
import RegistryServer
import Testing

@Suite("ImageRegistry: the fake") struct SimulatedRegistryTests {
    @Test(arguments: RegistryCheck.all)
    func `does as every registry does`(_ check: RegistryCheck) async throws {
        try await check.run(SimulatedRegistryBench())
    }
}

@Suite(
    "RealRegistryTests: the adapter on the distribution project's registry",
    .enabled(if: RegistryServer.program != nil, "CLOUDTASER_REGISTRY names no program"))
struct RealRegistryTests {
    @Test(arguments: RegistryCheck.all)
    func `does as every registry does`(_ check: RegistryCheck) async throws {
        try await check.run(RealRegistryBench.shared.get())
    }
}

@Suite(
    "RealTokenRegistryTests: the same with tokens instead of passwords",
    .enabled(if: RegistryServer.program != nil, "CLOUDTASER_REGISTRY names no program"))
struct RealTokenRegistryTests {
    @Test(arguments: RegistryCheck.all)
    func `does as every registry does`(_ check: RegistryCheck) async throws {
        try await check.run(TokenRegistryBench.shared.value)
    }
}

/// Says how much was left out, in the run's last line.
@Suite("Real registry") struct RealRegistryCountTests {
    @Test func `what was not run is counted`() {
        guard RegistryServer.program == nil else { return }
        atexit {
            print(
                "not run: \(2 * RegistryCheck.all.count) tests on a real registry "
                    + "(\(RegistryServer.variable) unset)")
        }
    }
}

/// Does not let time run out on a busy machine: an hour is a second.
struct PatientClock: AsyncTimeSource {
    private let clock = AsyncClock()

    func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: clock.monotonic().nanoseconds / 3600)
    }

    func secondsSince1970() -> Int64 { clock.secondsSince1970() }
    func nanosecondsSince1970() -> UInt64 { clock.nanosecondsSince1970() }

    func sleep(until time: MonotonicTime) async {
        let wait = monotonic().duration(to: time)
        await clock.sleep(for: wait * 3600)
    }
}
