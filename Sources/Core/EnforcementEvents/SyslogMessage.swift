// SPDX-License-Identifier: Apache-2.0

/// An event as a syslog message (RFC 5424).
package struct SyslogMessage: Sendable {
    /// Section 6.2.1, numbers of the facilities.
    package enum Facility: Int, Sendable, CaseIterable {
        case daemon = 3
        case authorization = 4
        case securityAuthorization = 10
        case audit = 13
        case local0 = 16
        case local1, local2, local3, local4, local5, local6, local7
    }

    package static let hostBytesMax = 255
    package static let applicationBytesMax = 48
    package static let processBytesMax = 128

    private let facility: Facility
    private let host: String
    private let application: String
    private let process: String

    /// Characters that a header cannot have become `?`; what is too long is cut; what is empty is
    /// `-`, the standard's word for nothing.
    package init(facility: Facility, host: String, application: String, processID: Int32) {
        self.facility = facility
        self.host = Self.header(host, Self.hostBytesMax)
        self.application = Self.header(application, Self.applicationBytesMax)
        process = Self.header(String(processID), Self.processBytesMax)
    }

    /// One message without framing.
    package func bytes(_ line: EventLine, encoding: EventEncoding) -> [UInt8] {
        let priority = facility.rawValue * 8 + Self.severity(line.event.severity)
        // The standard allows six decimals; the line has all nine.
        let time = line.event.time.occurred.text(decimals: 6)
        let type = line.event.type.rawValue
        let header = "<\(priority)>1 \(time) \(host) \(application) \(process) \(type) - "
        let text = line.bytes(as: encoding)
        // Section 6.4: text in UTF-8 begins with a byte order mark. ASCII is the same with and
        // without, and readers of JSON do not like the mark.
        let mark: [UInt8] = text.allSatisfy { $0 < 0x80 } ? [] : [0xEF, 0xBB, 0xBF]
        return Array(header.utf8) + mark + text
    }

    /// With octet counting (RFC 6587, section 3.4.1), for streams.
    package func frame(_ line: EventLine, encoding: EventEncoding) -> [UInt8] {
        let message = bytes(line, encoding: encoding)
        return Array("\(message.count) ".utf8) + message
    }

    private static func severity(_ severity: EventSeverity) -> Int {
        switch severity {
        case .critical: 2
        case .warning: 4
        case .notice: 5
        case .informational: 6
        }
    }

    private static func header(_ text: String, _ bytesMax: Int) -> String {
        let bytes = text.utf8.prefix(bytesMax).map { byte in
            (0x21...0x7E).contains(byte) ? byte : UInt8(ascii: "?")
        }
        return bytes.isEmpty ? "-" : String(decoding: bytes, as: UTF8.self)
    }
}
