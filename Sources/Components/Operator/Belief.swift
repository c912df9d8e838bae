// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import KubernetesPorts
internal import Ports

/// Since when the API server's configuration believes whom, as far as this replica has seen.
struct Belief: Sendable {
    private enum Since: Sendable {
        case longAgo
        case time(MonotonicTime)
    }

    private var authorities: [[UInt8]: Since] = [:]

    func believes(_ authority: [UInt8]) -> Bool { authorities[authority] != nil }

    /// Seconds that it has been believed; nil: it is not.
    func seconds(_ authority: [UInt8], at now: MonotonicTime) -> Int64? {
        switch authorities[authority] {
        case .longAgo: .max
        case .time(let time): time.duration(to: now).components.seconds
        case nil: nil
        }
    }

    /// When it has been believed for so long; nil: it is not.
    func settled(_ authority: [UInt8], after settle: Duration) -> MonotonicTime? {
        switch authorities[authority] {
        case .longAgo: MonotonicTime(nanoseconds: 0)
        case .time(let time): time.advanced(by: settle)
        case nil: nil
        }
    }

    mutating func update(_ believed: Set<[UInt8]>, at now: MonotonicTime) {
        authorities = authorities.filter { believed.contains($0.key) }
        for authority in believed where authorities[authority] == nil {
            authorities[authority] = .time(now)
        }
    }

    /// A replica that begins has seen nothing. An authority that was made long ago and is believed,
    /// is taken for one that has been believed since then; and where nobody was believed before, no
    /// API server has anything to forget.
    mutating func credit(
        _ held: HeldCertificates, found: Set<[UInt8]>, at now: Int64, _ limits: CertificateTimes
    ) {
        for (authority, facts) in zip(held.holdings.authorities, held.view.authorities) {
            let age = now - facts.validFrom - limits.backdate
            let isOld = found.contains(authority) && age >= limits.settle
            guard believes(authority), found.isEmpty || isOld else { continue }
            authorities[authority] = .longAgo
        }
    }
}
