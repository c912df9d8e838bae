// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import KubernetesFormat

/// From when until when a certificate is valid (seconds since 1970).
package struct CertificateLife: Sendable, Equatable {
    /// Less than this before its end, a certificate "ends soon": the operator renews long before.
    package static let soonSeconds: Int64 = 7 * 86_400

    package enum Standing: Sendable, Equatable {
        case valid, ending, over, notYet
    }

    package let notBefore: Int64
    package let notAfter: Int64

    package func standing(at now: Int64) -> Standing {
        if now < notBefore { return .notYet }
        if now > notAfter { return .over }
        return notAfter - now < Self.soonSeconds ? .ending : .valid
    }

    /// Of each certificate of a PEM file; nil for what cannot be read.
    package static func all(inPEM bytes: [UInt8]) -> [CertificateLife?] {
        PEMBundle.certificates(in: bytes).map { pem in
            let lines = String(decoding: pem, as: UTF8.self).split(separator: "\n")
            let body = lines.filter { !$0.hasPrefix("-----") }.joined()
            return Base64.decoded(body).flatMap(CertificateLife.init(der:))
        }
    }

    /// A certificate's DER (RFC 5280, 4.1): the sequence in its first sequence that holds two
    /// times. Nothing is verified.
    package init?(der bytes: [UInt8]) {
        guard let outer = DERValue(bytes[...]), outer.tag == DERValue.sequence,
            let body = DERValue(outer.content), body.tag == DERValue.sequence
        else { return nil }
        var rest = body.content
        while let field = DERValue(rest) {
            rest = field.after
            guard field.tag == DERValue.sequence, let first = DERValue(field.content),
                let second = DERValue(first.after), let start = first.time,
                let end = second.time, second.after.isEmpty
            else { continue }
            notBefore = start
            notAfter = end
            return
        }
        return nil
    }

    /// As libcurl prints them: `Nov 27 10:00:00 2026 GMT`.
    package init?(notBefore: String, notAfter: String) {
        guard let start = Self.seconds(notBefore), let end = Self.seconds(notAfter) else {
            return nil
        }
        self.notBefore = start
        self.notAfter = end
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func seconds(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count >= 4, let month = months.firstIndex(of: String(parts[0])),
            let day = Int64(parts[1]), let year = Int64(parts[3])
        else { return nil }
        let clock = parts[2].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3 else { return nil }
        return CalendarTime.seconds(year, Int64(month) + 1, day, clock[0], clock[1], clock[2])
    }
}

enum CalendarTime {
    /// nil: there is no such time.
    static func seconds(
        _ year: Int64, _ month: Int64, _ day: Int64, _ hour: Int64, _ minute: Int64,
        _ second: Int64
    ) -> Int64? {
        guard (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        // Days of the proleptic Gregorian calendar, the year beginning in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }
}
