// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import Testing

/// An authority of 900 s, leaves of 90 s, valid from 10 s before; 5 s to settle, 50 s of overlap.
private let times = CertificateTimes(
    checked: 900, leafLife: 90, backdate: 10, settle: 5, overlap: 50)
private let names = ["hook.cloudtaser.svc"]

private func authority(madeAt time: Int64) -> CertificateFacts {
    CertificateFacts(
        validFrom: time - 10, validUntil: time + 900, isAuthority: true, names: [])
}

private func leaf(madeAt time: Int64) -> CertificateFacts {
    CertificateFacts(
        validFrom: time - 10, validUntil: time + 90, isAuthority: false, names: names)
}

@Suite("What is done with certificates") struct CertificatePlanTests {
    private func plan(
        _ authorities: [Int64], leaf leafTime: Int64, signer: Int = 0, at now: Int64,
        trustedFor: Int64? = 1000, names wanted: [String] = names
    ) throws -> CertificatePlan {
        CertificatePlan(
            CertificateView(
                authorities: authorities.map { authority(madeAt: $0) },
                leaf: leaf(madeAt: leafTime),
                signer: signer),
            at: now, trustedFor: trustedFor, names: wanted, times: try #require(times))
    }

    @Test("a leaf is renewed when two thirds of its life are over")
    func renewal() throws {
        // It lives from -10 to 90.
        #expect(try plan([0], leaf: 0, at: 0) == .keep(until: 56))
        #expect(try plan([0], leaf: 0, at: 55) == .keep(until: 56))
        #expect(try plan([0], leaf: 0, at: 56) == .renewLeaf)
        #expect(try plan([0], leaf: 0, at: 5000, names: ["other"]) != .renewLeaf)
        #expect(try plan([0], leaf: 0, at: 0, names: ["other"]) == .renewLeaf)
    }

    @Test("an authority is followed when two thirds of its life are over")
    func authorities() throws {
        // It lives from -10 to 900.
        #expect(try plan([0], leaf: 590, at: 595) == .keep(until: 596))
        #expect(try plan([0], leaf: 590, at: 596) == .addAuthority)
        #expect(try plan([0], leaf: 890, at: 899) == .addAuthority)
        #expect(try plan([0], leaf: 500, at: 596) == .renewLeaf, "a leaf first that lasts so long")
        #expect(try plan([0], leaf: 890, at: 900) == .startAnew)
        #expect(try plan([], leaf: 0, at: 0) == .startAnew)
    }

    @Test("the leaf changes over when API servers have had the new authority for a while")
    func settles() throws {
        func after(_ trustedFor: Int64?) throws -> CertificatePlan {
            try plan([600, 0], leaf: 590, signer: 1, at: 600, trustedFor: trustedFor)
        }
        #expect(try after(nil) == .keep(until: 680))
        #expect(try after(0) == .keep(until: 605))
        #expect(try after(4) == .keep(until: 601))
        #expect(try after(5) == .renewLeaf)
        // Or when it helps nobody any more.
        #expect(
            try plan([600, 0], leaf: 510, signer: 1, at: 599, trustedFor: nil)
                == .keep(until: 600))
        #expect(try plan([600, 0], leaf: 510, signer: 1, at: 600, trustedFor: nil) == .renewLeaf)
    }

    @Test("the last authority is believed until the overlap is over")
    func overlap() throws {
        #expect(try plan([600, 0], leaf: 605, at: 610) == .keep(until: 655))
        #expect(try plan([600, 0], leaf: 605, at: 654) == .keep(until: 655))
        #expect(try plan([600, 0], leaf: 605, at: 655) == .keepAuthorities(1))
        // A leaf that changed over late: who has not seen it yet serves one of the last authority.
        #expect(try plan([600, 0], leaf: 645, at: 655) == .keep(until: 695))
        #expect(try plan([600, 0], leaf: 645, at: 695) == .keepAuthorities(1))
        #expect(
            try plan([600, 0], leaf: 590, signer: 1, at: 700, trustedFor: nil)
                != .keepAuthorities(1), "not while it is in use")
    }

    @Test("times that do not fit together are refused")
    func checked() {
        #expect(times != nil)
        for (life, leaf, settle, overlap) in [
            (270, 90, 5, 50), (900, 15, 5, 50), (900, 90, 5, 5), (900, 90, -1, 50),
            (900, 90, 5, 300), (900, 90, 5, 56),
        ] as [(Int64, Int64, Int64, Int64)] {
            #expect(
                CertificateTimes(
                    checked: life, leafLife: leaf, backdate: 10, settle: settle, overlap: overlap)
                    == nil)
        }
        let usual = CertificateTimes.usual
        #expect(
            CertificateTimes(
                checked: usual.authorityLife, leafLife: usual.leafLife, backdate: usual.backdate,
                settle: usual.settle, overlap: usual.overlap) == usual)
    }
}
